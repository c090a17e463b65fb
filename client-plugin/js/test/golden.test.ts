// The packets of protocol/tests/golden, exactly as they stand on the wire: read and written.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Args } from "../src/args.js";
import { isRetryableFailure } from "../src/client/connecting.js";
import { refusal } from "../src/error.js";
import { defaultLimits, MS, S } from "../src/limits.js";
import { Session } from "../src/peer/session.js";
import { connectRefusal } from "../src/server/from-server.js";
import { clientEvent, type ClientMessage } from "../src/wire/control/client.js";
import { WireError } from "../src/wire/control/fields.js";
import { serverMessage, type ServerMessage } from "../src/wire/control/server.js";
import { readRooms } from "../src/wire/control/room-fields.js";
import type { PairingInfo } from "../src/wire/control/welcome.js";
import { batchFromValue, frameText, frameValue, type Body, type Frame } from "../src/wire/frame.js";
import { directFromText, heartbeatText, type Heartbeat } from "../src/wire/heartbeat.js";
import { ofPairing, signalEvent, signalFromValue, type Signal, type Step } from "../src/wire/signal.js";
import { golden } from "./repository.js";

const PAIRING = "abc-1";

const packet = (text: string): [string, ...unknown[]] => JSON.parse(text.slice("42".length)) as [string, ...unknown[]];

/** Checks that every golden file has its message, and every message its golden file. */
function check<M>(prefix: string, messages: Record<string, M>, one: (text: string, message: M, name: string) => void) {
  const files = golden(prefix);
  assert.deepEqual([...files.keys()].sort(), Object.keys(messages).sort());
  for (const [name, message] of Object.entries(messages)) one(files.get(name) as string, message, name);
}

test("what a v2 client sends", () => {
  const messages: Record<string, ClientMessage> = {
    register: { kind: "register", req: 1, target: "b" },
    register_payload: { kind: "register", req: 1, target: "b", payload: { token: 7 } },
    register_time: { kind: "register", req: 1, target: "b", consentTime: 60 * S },
    register_wait: { kind: "register", req: 1, target: "b", wait: 120 * S },
    accept: { kind: "accept", req: 41 },
    decline: { kind: "decline", req: 41 },
    decline_reason: { kind: "decline", req: 41, reason: "not today" },
    reserve: { kind: "reserve", req: 41, partner: "c" },
    unregister: { kind: "unregister", req: 2 },
    list: { kind: "list", req: 3 },
    watch: { kind: "watch", req: 5, target: "b" },
    cancel: { kind: "cancel", req: 5 },
    ping: { kind: "ping", req: 4 },
    leave: { kind: "leave" },
  };

  check("v2_client_", messages, (text, message, name) => {
    const [event, args] = clientEvent(message);
    assert.deepEqual([event, ...args], packet(text), name);
  });
});

test("what a v2 client hears", () => {
  const info = (partner: string, initiator: boolean, partnerProtocol: number): PairingInfo => ({
    id: PAIRING,
    partner,
    initiator,
    partnerProtocol,
    direct: false,
  });
  const welcome = { protocol: 2, clientId: "a", resume: undefined, graceMs: 0, resumed: false, ended: undefined };
  const kept = { ...welcome, graceMs: 15_000, resumed: true, resume: "000102030405060708090a0b0c0d0eff" };
  const rates = { messageRate: 2000, messageBurst: 4000, byteRate: 8_388_608, byteBurst: 16_777_216 };
  const limits = defaultLimits();
  const question = { kind: "register", req: 41, source: "a" } as const;
  const messages: Record<string, ServerMessage> = {
    welcome: { kind: "welcome", welcome: { ...welcome, limits, pairing: undefined } },
    welcome_resumed: {
      kind: "welcome",
      welcome: { ...kept, limits: { ...limits, ...rates }, pairing: info("b", true, 2) },
    },
    welcome_ended: {
      kind: "welcome",
      welcome: { ...kept, limits, pairing: undefined, ended: { pairing: PAIRING, reason: "unregistered" } },
    },
    register: { ...question, consentTime: 10 * S },
    register_payload: { ...question, payload: { token: 7 }, consentTime: 120 * S },
    registered_source: { kind: "registered", req: 1, pairing: info("b", true, 2) },
    registered_target: { kind: "registered", req: undefined, pairing: info("a", false, 1) },
    register_failed: { kind: "register-failed", req: 1, refusal: refusal("target-busy") },
    too_late: { kind: "withdrawn", req: 41, code: "timeout" },
    disconnect: { kind: "disconnect", pairing: PAIRING, reason: "disconnected", req: undefined },
    disconnect_answer: { kind: "disconnect", pairing: PAIRING, reason: "unregistered", req: 2 },
    partner: { kind: "partner", pairing: PAIRING, state: "away" },
    clients: {
      kind: "clients",
      req: 3,
      clients: [
        { id: "a", state: "free" },
        { id: "b", state: "paired" },
      ],
    },
    line: { kind: "line", req: 1, place: 3 },
    target: { kind: "target", req: 5, state: "busy" },
    pong: { kind: "pong", req: 4 },
    farewell: { kind: "farewell", refusal: refusal("forbidden") },
    signal_refused: { kind: "signal-refused", refusal: refusal("rate-limited"), pairing: PAIRING },
    error: { kind: "error", refusal: refusal("congested"), req: undefined, pairing: PAIRING },
    error_answer: { kind: "error", refusal: refusal("not-paired"), req: 2, pairing: undefined },
  };

  check("v2_server_", messages, (text, message, name) => {
    const [event, ...args] = packet(text);
    assert.deepEqual(serverMessage(event, args), message, name);
  });
});

test("what a client says and hears of rooms", () => {
  const said: Record<string, ClientMessage> = {
    join: { kind: "join", req: 6, room: "lobby" },
    join_most: { kind: "join", req: 6, room: "lobby", most: 10 },
    exit: { kind: "exit", req: 7, room: "lobby" },
  };
  check("room_client_", said, (text, message, name) => {
    const [event, args] = clientEvent(message);
    assert.deepEqual([event, ...args], packet(text), name);
  });

  const info = (initiator: boolean): PairingInfo => ({ id: PAIRING, partner: "b", initiator, partnerProtocol: 2, direct: false });
  const state = { room: "lobby", members: [info(true)] };
  const welcome = {
    protocol: 2,
    clientId: "a",
    resume: "000102030405060708090a0b0c0d0eff",
    graceMs: 15_000,
    resumed: true,
    limits: defaultLimits(),
    pairing: undefined,
    ended: undefined,
  };
  const heard: Record<string, ServerMessage> = {
    welcome: { kind: "welcome", welcome: { ...welcome, rooms: [state] } },
    joined: { kind: "joined", req: 6, state },
    member: { kind: "member", room: "lobby", pairing: info(false) },
    exited: { kind: "exited", room: "lobby", reason: "kicked", req: undefined },
    exited_answer: { kind: "exited", room: "lobby", reason: "unregistered", req: 7 },
  };
  check("room_server_", heard, (text, message, name) => {
    const [event, ...args] = packet(text);
    assert.deepEqual(serverMessage(event, args, readRooms), message, name);
  });
});

test("messages about rooms that cannot be read are none, and an entry of a welcome is left out", () => {
  const pairing = { id: PAIRING, partner: "b", initiator: true, partnerProtocol: 2, direct: false };
  const bad: [string, unknown][] = [
    ["P2P_JOINED", { req: 6, room: "lobby", members: [{ ...pairing, id: "x" }] }],
    ["P2P_JOINED", { req: 6, room: "lobby" }],
    ["P2P_JOINED", { room: "lobby", members: [] }],
    ["P2P_MEMBER", { room: "", pairing }],
    ["P2P_MEMBER", undefined],
    ["P2P_EXITED", { room: "lobby" }],
  ];
  for (const [event, fields] of bad) assert.ok(serverMessage(event, [fields], readRooms) instanceof WireError, JSON.stringify([event, fields]));
  const rooms = [{ room: "lobby", members: [pairing] }, { room: "\u0000", members: [] }, 7, { room: "other", members: [{}] }];
  const fields = { protocol: 2, clientId: "a", graceMs: 0, resumed: true, rooms };
  const message = serverMessage("P2P_WELCOME", [fields], readRooms);
  assert.deepEqual(!(message instanceof WireError) && message.kind === "welcome" && message.welcome.rooms, [rooms[0]]);
});

test("frames", () => {
  const frame = (seq: number, ack: number, body: Body, more?: Partial<Frame>): Frame => ({
    seq,
    ack,
    got: ack,
    body,
    ...more,
  });
  const emit = (event: string, args: Args, wantsReply = false): Body => ({ t: "emit", event, args, wantsReply });
  const part = (text: string, last: boolean): Body => ({ t: "part", text, last });
  const ttl = { ttl: 1500 * MS };
  const placeholder = (num: number) => ({ _placeholder: true, num });
  const blobs = [Uint8Array.of(0, 255, 30), new Uint8Array(0)];
  const messages: Record<string, Frame[]> = {
    emit: [frame(1, 0, emit("chat", Args.of(["hi", { n: 1 }, null])))],
    emit_reply: [frame(2, 5, emit("ask", Args.of([]), true))],
    emit_blobs: [frame(3, 5, emit("file", Args.of([placeholder(0), placeholder(1)], blobs)))],
    reply: [frame(4, 6, { t: "reply", to: 2, result: Args.of(["yes", 2]) })],
    reply_error: [frame(5, 6, { t: "reply", to: 3, result: refusal("unhandled") })],
    emit_ttl: [frame(6, 6, emit("quote", Args.of(["ACME"])), ttl)],
    part: [frame(7, 6, part('{"t":"emit","e":"é","a":["la', false))],
    part_last: [frame(8, 6, part('rge"]}', true))],
    part_last_ttl: [frame(8, 6, part('rge"]}', true), ttl)],
    drop: [frame(9, 6, { t: "drop" })],
    cancel: [frame(10, 6, { t: "cancel", to: 3 })],
    ack: [frame(0, 64, { t: "ack" })],
    ack_got: [frame(0, 64, { t: "ack" }, { got: 70 })],
    batch: [frame(1, 0, emit("a", Args.of([1]))), frame(2, 0, emit("b", Args.of([2])))],
  };

  check("v2_frame_", messages, (text, frames, name) => {
    const [event, id, value] = packet(text);
    assert.deepEqual([event, id], ["P2P_FRAME", PAIRING], name);
    assert.deepEqual(batchFromValue(value), { frames, unread: false }, name);
    const values = frames.map(frameValue);
    assert.deepEqual(values.length > 1 ? values : values[0], value, name);
    for (const frame of frames) assert.deepEqual(JSON.parse(frameText(frame)), frameValue(frame), name);
  });
});

test("what ends signal to each other", () => {
  const read = (step: object): Step => (signalFromValue({ ...step }) as Signal).step;
  const text = (name: string): string =>
    (packet(golden("v2_signal_").get(name) as string)[2] as { sdp: string }).sdp;
  const candidate: Step = {
    type: "candidate",
    candidate: (packet(golden("v2_signal_").get("candidate") as string)[2] as { candidate: never }).candidate,
  };
  const ours = (step: Step): Signal => ({ attempt: 1, step });
  const stock = (step: Step): Signal => ({ attempt: undefined, step });
  const messages: Record<string, Signal> = {
    offer: ours(read({ type: "offer", sdp: text("offer") })),
    offer_stock: stock(read({ type: "offer", sdp: text("offer") })),
    answer: ours(read({ type: "answer", sdp: text("answer") })),
    candidate: ours(candidate),
    candidate_stock: stock(candidate),
    end: ours({ type: "end" }),
    renegotiate: ours({ type: "renegotiate", why: "silent" }),
    renegotiate_stock: stock({ type: "renegotiate", why: undefined }),
  };

  check("v2_signal_", messages, (text, signal, name) => {
    const [event, ...args] = packet(text);
    const [pairing, value] = ofPairing(args) ?? [];
    assert.equal(pairing, PAIRING, name);
    assert.deepEqual(signalFromValue(value), signal, name);
    assert.deepEqual(signalEvent(signal, PAIRING), [event, args], name);
  });
});

test("the heartbeat of a direct path", () => {
  const messages: Record<string, Heartbeat> = {
    ping: { t: "ping", n: 7, pairing: PAIRING, ok: true, server: 350 },
    pong: { t: "pong", n: 7, pairing: PAIRING, ok: false, server: undefined },
  };

  check("direct_", messages, (text, heartbeat, name) => {
    assert.deepEqual(directFromText(text), { kind: "heartbeat", heartbeat }, name);
    assert.equal(heartbeatText(heartbeat), text, name);
  });
});

test("a pong repeats a number of 64 bits", () => {
  const text = `{"t":"pong","n":18446744073709551615,"pairing":"abc-1","ok":true}`;
  const read = directFromText(text);
  assert.equal(read?.kind === "heartbeat" && heartbeatText(read.heartbeat), text);
});

test("what a later version sends is read by the rule of its kind", () => {
  const later = golden("future_");
  const args = (name: string) => packet(later.get(name) as string);
  const server = (name: string) => serverMessage(args(name)[0], args(name).slice(1));
  const frames = (name: string) => batchFromValue(args(name)[2]);

  for (const name of later.keys()) if (name.startsWith("server_")) assert.ok(server(name), name);
  assert.equal((server("server_event") as WireError).refusal.code, "bad-event");
  assert.equal((server("server_welcome_version") as WireError).refusal.code, "unsupported-protocol");
  for (const name of ["clients", "disconnect", "error", "farewell", "partner", "register_failed", "welcome"]) {
    assert.ok(!(server(`server_${name}`) instanceof WireError), name);
  }
  const pairing = { id: PAIRING, partner: "b", initiator: true, partnerProtocol: 3, direct: false };
  const messages: Record<string, ServerMessage> = {
    target: { kind: "target", req: 5, state: "resting" },
    line: { kind: "line", req: 1, place: 3 },
    register: { kind: "register", req: 41, source: "a", payload: { token: 7 }, consentTime: 10 * S },
    registered: { kind: "registered", req: 1, pairing },
    too_late: { kind: "withdrawn", req: 41, code: "taken-back" },
    signal_refused: { kind: "signal-refused", refusal: refusal("lane-full", "the lane is full"), pairing: PAIRING },
  };
  for (const [name, message] of Object.entries(messages)) assert.deepEqual(server(`server_${name}`), message, name);
  const error = JSON.parse(later.get("connect_error")?.slice("44".length) as string) as { message: string };
  const failure = { kind: "refused", refusal: connectRefusal(error.message) } as const;
  assert.deepEqual([failure.refusal.code, isRetryableFailure(failure)], ["region-closed", true]);
  for (const name of ["frame_kind", "frame_kind_fields"]) assert.equal(frames(name)?.frames[0]?.body.t, "other", name);
  assert.equal(frames("frame_kind_unnumbered")?.frames[0]?.seq, 0);
  assert.equal(frames("frame_batch")?.unread, false);
  const session = new Session(false);
  session.handle({ kind: "opened", path: "relay" }, 0);
  for (const frame of frames("frame_part_kind")?.frames ?? []) {
    session.handle({ kind: "received", path: "relay", frame }, 0);
  }
  assert.deepEqual(session.pollOutput(), { kind: "violation", violation: "unknown" });
  assert.equal(directFromText(later.get("direct_kind") as string)?.kind, "other");
  assert.equal(directFromText(later.get("direct_ping") as string)?.kind, "heartbeat");
  assert.equal(signalFromValue(args("signal_kind")[2]), "unknown");
  assert.equal((signalFromValue(args("signal_why")[2]) as Signal).step.type, "renegotiate");
});
