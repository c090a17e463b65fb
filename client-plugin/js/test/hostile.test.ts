// Whatever the network says, a peer neither throws nor keeps more than its limits allow.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Args } from "../src/args.js";
import { Client } from "../src/client.js";
import { clientConfig } from "../src/client/interface.js";
import { DIRECT } from "../src/direct-parts.js";
import { defaultLimits, S } from "../src/limits.js";
import { pathConfig, Peer } from "../src/peer.js";
import { WireError } from "../src/wire/control/fields.js";
import { serverMessage, TO_CLIENT } from "../src/wire/control/server.js";
import { batchFromValue, frameBinary, type Frame } from "../src/wire/frame.js";
import { fromServer } from "../src/server/from-server.js";
import { signalFromValue } from "../src/wire/signal.js";
import { golden } from "./repository.js";

/** Returns the numbers of a seed: the same in each run. */
function random(seed: number): (below: number) => number {
  return (below) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
}

const deep = (levels: number): string => "[".repeat(levels) + "]".repeat(levels);

const STRANGE = [
  "null",
  "-1",
  "0.5",
  "1e999",
  "18446744073709551616",
  '""',
  '"\\ud800"',
  `"${"é".repeat(600)}"`,
  "{}",
  '{"__proto__":{"t":"emit"},"constructor":1}',
  '{"$serde_json::private::RawValue":"1"}',
  deep(63),
  deep(100_000),
  "true",
];

/** Changes the text of a packet: another value, fewer characters, or another character. */
function changed(text: string, draw: (below: number) => number): string {
  const at = draw(text.length);
  switch (draw(4)) {
    case 0:
      return text.slice(0, at) + text.slice(at + draw(9));
    case 1:
      return text.slice(0, at) + '{}[]",:0'[draw(8)] + text.slice(at + 1);
    default: {
      // Each value of the packet in its turn.
      const values = [...text.matchAll(/(?<=[:,[])("[^"]*"|\d+|true|false|null)/g)];
      const value = values[draw(values.length)];
      const strange = STRANGE[draw(STRANGE.length)] as string;
      return value ? text.slice(0, value.index) + strange + text.slice(value.index + value[0].length) : strange;
    }
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const PACKETS = [...golden("v2_"), ...golden("future_"), ...golden("direct_")].map(([, text]) =>
  text.replace(/^42/, "").replaceAll("abc-1", "1-1"),
);

test("a peer survives packets that were changed on their way", () => {
  const draw = random(7);
  const info = { id: "1-1", partner: "b", initiator: true, partnerProtocol: 2, direct: true };
  let delivered = 0;
  let now = 0;
  for (let run = 0; run < 20; run++) {
    const peer = new Peer({ parts: DIRECT }, info, defaultLimits(), 5_000, now);
    const link = peer.direct?.link() as string;
    peer.handle({ kind: "link", link, event: { event: "opened" } }, now);
    for (let step = 0; step < 500; step++) {
      now += draw(S / 10);
      const text = changed(PACKETS[draw(PACKETS.length)] as string, draw);
      const value = parsed(text);
      const args: unknown[] = Array.isArray(value) ? value.slice(1) : [value];
      const batch = batchFromValue(args[1]);
      if (batch) peer.handle({ kind: "relayed", frames: batch.frames }, now);
      const signal = signalFromValue(args[1]);
      if (typeof signal !== "string") peer.handle({ kind: "signalled", signal }, now);
      const spoken = text.replace(/^\["P2P_FRAME","1-1",(.*)\]$/, "$1");
      if (draw(9) === 0) peer.handle({ kind: "link", link, event: { event: "received", message: spoken } }, now);
      const bytes = Uint8Array.from({ length: draw(60) }, () => draw(256));
      if (draw(99) === 0) peer.handle({ kind: "link", link, event: { event: "received", message: bytes } }, now);
      for (const event of TO_CLIENT) {
        const message = serverMessage(event, args);
        assert.ok(message instanceof WireError || message.kind);
      }
      peer.handle({ kind: "timeout" }, now);
      for (let output; (output = peer.pollOutput()); ) delivered += Number(output.kind === "deliver");
      while (peer.pollRelay() || peer.pollDirect());
      assert.ok(peer.session.inbox.bytes < 4 * 2 ** 20);
    }
  }
  assert.ok(delivered > 0, "some packets are whole");
});

test("an attachment that is no frame is reported, and one that is counts for the pairing that it names", () => {
  const frame = { seq: 1, ack: 0, got: 0, body: { t: "emit", event: "e", args: new Args("[]", []), wantsReply: false } } as const;
  const whole = frameBinary(frame, "1f-1");
  for (let length = 0; length < whole.length; length++) {
    const { kind } = fromServer("P2P_FRAME", [whole.slice(0, length).buffer]);
    assert.equal(kind, "garbled", String(length));
  }
  for (const args of [[], [undefined], [new Uint8Array(20)], ["1f-1", whole], [{ byteLength: 3 }]]) {
    assert.equal(fromServer("P2P_FRAME", args).kind, "garbled");
  }
  const read = fromServer("P2P_FRAME", [Buffer.from(whole)]) as { kind: string; pairing: string; frames: Frame[] };
  assert.deepEqual([read.kind, read.pairing, read.frames[0]?.body.t], ["frames", "1f-1", "emit"]);
});

test("frames that cannot be read are reported alike on both paths, and do not take the others with them", () => {
  const emit = (seq: number) => ({ s: seq, k: 0, t: "emit", e: "note", a: [seq] });
  const pairing = { id: "1-1", partner: "b", initiator: true, partnerProtocol: 2, direct: true };
  const complaint = { kind: "complain", about: { partner: "frame" } };
  for (const path of ["relay", "direct"]) {
    const client = new Client(clientConfig({ direct: pathConfig({ parts: DIRECT }) }), 0);
    const hear = (event: string, args: unknown[]) => {
      client.handle(fromServer(event, args), 0);
      const outputs = [];
      for (let output; (output = client.pollOutput()); ) outputs.push(output);
      return outputs;
    };
    const welcome = { protocol: 2, clientId: "a", resume: null, graceMs: 0, resumed: false, pairing: null };
    hear("P2P_WELCOME", [welcome]);
    const offer = hear("P2P_REGISTER_SUCCESS", [{ pairing }]).find((output) => output.kind === "link");
    const link = offer?.kind === "link" ? offer.link : "";
    const frames = [emit(1), { s: 3 }, { s: "x" }, emit(2)];
    if (path === "direct") {
      client.handle({ kind: "link", link, event: { event: "opened" } }, 0);
      client.handle({ kind: "link", link, event: { event: "received", message: JSON.stringify(frames) } }, 0);
    }

    const outputs = hear("P2P_FRAME", path === "relay" ? ["1-1", frames] : ["9-9", frames]);

    assert.equal(outputs.filter(({ kind }) => kind === "deliver").length, 2, path);
    const complaints = outputs.filter(({ kind }) => kind === "complain");
    assert.deepEqual(complaints, [complaint], path);
  }
});

test("a partner that sends without end is held to its window", () => {
  const info = { id: "1-1", partner: "b", initiator: false, partnerProtocol: 2, direct: false };
  const peer = new Peer({ parts: DIRECT }, info, defaultLimits(), undefined, 0);
  let refused = 0;
  for (let seq = 2; seq < 2_000; seq++) {
    const batch = batchFromValue({ s: seq, k: 0, t: "emit", e: "e", a: ["x".repeat(9_000)] });
    peer.handle({ kind: "relayed", frames: batch?.frames ?? [] }, 0);
    for (let output; (output = peer.pollOutput()); ) refused += Number(output.kind === "complain");
  }
  assert.ok(peer.session.inbox.bytes < 4 * 2 ** 20);
  assert.ok(refused > 1_400);
});
