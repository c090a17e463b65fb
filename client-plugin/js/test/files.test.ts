// Files between two clients of this process, over channels and in pieces.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { test } from "node:test";

import { receiveFiles, sendFile, type FileProgress, type P2pClient, type ReceiveFileSettings } from "../src/index.js";
import { Sha256 } from "../src/files/sha256.js";
import { FakePeerConnection } from "./fake-peer-connection.js";
import { FakeServer, rejection } from "./fake-server.js";

const DIRECT = { paths: "prefer-direct", PeerConnection: FakePeerConnection } as const;

/** The connections of a test, so that it can end them. */
class Ended extends FakePeerConnection {
  static readonly all: Ended[] = [];

  constructor() {
    super();
    Ended.all.push(this);
  }
}

async function pair(settings: object, server = new FakeServer()): Promise<[P2pClient, P2pClient]> {
  const [one, other] = [await server.connect("one", settings), await server.connect("other", settings)];
  const isDirect = new Promise<void>((resolve) => one.on("path", ({ path }) => path === "direct" && resolve()));
  await one.register("other");
  if ("PeerConnection" in settings) await isDirect;
  return [one, other];
}

/** Has a client receive files. Returns what it has received so far. */
function receiving(client: P2pClient, more: Partial<ReceiveFileSettings> = {}): { name: string; bytes: Buffer }[] {
  const files: { name: string; bytes: Buffer }[] = [];
  const onFile = async (file: Blob, { name }: { name: string }) => {
    files.push({ name, bytes: Buffer.from(await file.arrayBuffer()) });
  };
  receiveFiles(client, { onFile, ...more });
  return files;
}

test("the checksum is SHA-256, however the bytes are cut", () => {
  for (const length of [0, 1, 55, 56, 63, 64, 65, 1_000, 70_000]) {
    const bytes = randomBytes(length);
    const hash = new Sha256();
    for (let at = 0, step = 1; at < length; at += step, step = (step * 7) % 97) hash.update(bytes.subarray(at, at + step));
    assert.equal(hash.digest(), createHash("sha256").update(bytes).digest("hex"), String(length));
  }
});

for (const [way, settings] of Object.entries({ channel: DIRECT, relay: {} })) {
  test(`files arrive by the ${way}, with their progress at both ends`, async () => {
    const server = new FakeServer();
    const [one, other] = await pair(settings, server);
    const [sent, received]: [FileProgress[], FileProgress[]] = [[], []];
    const files = receiving(other, { onProgress: (progress) => received.push(progress) });
    const bytes = randomBytes(200_001);

    await sendFile(one, new File([bytes], "a.bin"), { onProgress: (progress) => sent.push(progress) });
    await sendFile(one, new Blob([]), { name: "../empty" });

    assert.deepEqual(files.map(({ name }) => name), ["a.bin", "empty"]);
    assert.ok(files[0]?.bytes.equals(bytes));
    assert.equal(files[1]?.bytes.length, 0);
    assert.equal(server.frames.filter(([first]) => first instanceof Uint8Array).length, way === "relay" ? 17 : 0);
    for (const progress of [sent, received]) {
      const done = progress.map(({ done }) => done);
      assert.ok(done.length > 10 && done.every((bytes, at) => at === 0 || bytes >= (done[at - 1] ?? 0)), done.join());
      assert.deepEqual(progress.at(-1), { name: "a.bin", size: 200_001, done: 200_001 });
    }
  });
}

test("a file goes on where it was when the direct path is lost in the middle", async () => {
  Ended.all.length = 0;
  const [one, other] = await pair({ ...DIRECT, PeerConnection: Ended });
  let isLost = false;
  let bytesReceived = 0;
  const files = receiving(other, {
    onProgress: ({ done }) => {
      if (done > 5_000_000 && !isLost) {
        isLost = true;
        for (const connection of Ended.all) connection.close();
      }
      bytesReceived = done;
    },
  });
  const bytes = randomBytes(9_000_000); // Several blobs.

  await sendFile(one, new Blob([bytes]), { name: "a" });

  assert.ok(isLost);
  assert.equal(bytesReceived, bytes.length);
  assert.ok(files[0]?.bytes.equals(bytes));
});

test("a file that is not wanted, and one whose content changes, are told to the sender", async () => {
  const [one, other] = await pair(DIRECT);
  const files = receiving(other, { accept: ({ size }) => size < 100_000 });

  const large = await rejection(() => sendFile(one, new Blob([new Uint8Array(100_000)])));
  await one.emit2("file", "a", 3);
  await one.emit2("piece", 0, Uint8Array.of(1, 2, 3));
  const wrong = await rejection(() => one.emit2("done", "0".repeat(64)));
  const none = await rejection(() => one.emit2("has"));
  const offer = await rejection(() => one.emit2("file", 7, "a"));
  await one.emit2("file", "b", 2);
  const more = await rejection(() => one.emit2("piece", 0, Uint8Array.of(1, 2, 3)));
  const early = await rejection(() => one.emit2("done", ""));

  const codes = [large, wrong, none, offer, more, early].map(({ outcome, code }) => `${outcome} ${code}`);
  const expected = ["declined", "checksum", "no-file", "bad-offer", "too-long", "too-short"];
  assert.deepEqual(codes, expected.map((code) => `failed ${code}`));
  assert.deepEqual(files, []);
});

test("an aborted file ends, and the next one arrives", async () => {
  const [one, other] = await pair(DIRECT);
  const abort = new AbortController();
  const files = receiving(other, { onProgress: ({ name, done }) => name === "a" && done > 100_000 && abort.abort(new Error("enough")) });

  const error = await rejection(() => sendFile(one, new Blob([new Uint8Array(9_000_000)]), { name: "a", signal: abort.signal }));
  await sendFile(one, new Blob(["b"]), { name: "b" });

  assert.match(String(error.cause ?? error), /enough/);
  assert.deepEqual(files, [{ name: "b", bytes: Buffer.from("b") }]);
});
