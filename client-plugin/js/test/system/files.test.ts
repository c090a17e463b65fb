// Files to and from the examples of Rust, directly and through the server.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { connect, receiveFiles, sendFile, type ConnectSettings, type P2pClient } from "../../src/index.js";
import { atEnd, interop, Program, startServer } from "./programs.js";

const PeerConnection = interop("@roamhq/wrtc").RTCPeerConnection as ConnectSettings["PeerConnection"];
const WAYS: Record<string, Partial<ConnectSettings>> = { "directly": { PeerConnection }, "through the server": { paths: "relay-only" } };

const server = await startServer();
const folder = mkdtempSync(join(tmpdir(), "socketio-p2p-"));
atEnd(() => rmSync(folder, { recursive: true, force: true }));

async function open(id: string, settings: Partial<ConnectSettings>): Promise<P2pClient> {
  const client = await connect(server.url, { id, ...settings });
  atEnd(() => void client.close());
  return client;
}

for (const [way, settings] of Object.entries(WAYS)) {
  const name = way.slice(0, 3);

  test(`a file is sent to a Rust client ${way}`, async () => {
    const bytes = randomBytes(500_001);
    const rust = new Program("recvfile", ["--url", server.url, "--id", `to-${name}`, "--dir", folder]);
    assert.equal(await rust.line(), `waiting as to-${name}`);
    const client = await open(`from-${name}`, settings);
    const isDirect = new Promise<void>((resolve) => client.on("path", ({ path }) => path === "direct" && resolve()));
    await client.register(`to-${name}`);
    if ("PeerConnection" in settings) await isDirect;
    let last = 0;

    await sendFile(client, new Blob([bytes]), { name: `${name}.bin`, onProgress: ({ done }) => (last = done) });
    await client.unregister();

    assert.equal(await rust.line(), `received ${join(folder, `${name}.bin`)}`);
    assert.ok(readFileSync(join(folder, `${name}.bin`)).equals(bytes));
    assert.equal(last, bytes.length);
  });

  test(`a file is received from a Rust client ${way}`, async () => {
    const bytes = randomBytes(500_001);
    writeFileSync(join(folder, `back-${name}`), bytes);
    const client = await open(`back-to-${name}`, settings);
    const received = new Promise<[Blob, string]>((resolve) =>
      receiveFiles(client, { onFile: (file, { name }) => resolve([file, name]) }),
    );

    const args = ["--url", server.url, "--id", `back-from-${name}`, "--to", `back-to-${name}`, join(folder, `back-${name}`)];
    const rust = new Program("sendfile", args);
    const [file, told] = await received;

    assert.match(await rust.line(), /^sent back-/);
    assert.equal(told, `back-${name}`);
    assert.ok(Buffer.from(await file.arrayBuffer()).equals(bytes));
  });
}
