// Raw channels to a Rust client, which sends back what comes: of a Node program with two WebRTC stacks, and of a page.

import assert from "node:assert/strict";
import { test } from "node:test";

import { connect, type ChannelMessage, type ConnectSettings, type P2pChannel, type P2pClient } from "../../src/index.js";
import { openPage, SCRIPT, serve, startBrowser } from "./browser.js";
import { atEnd, interop, RustPeer, startServer } from "./programs.js";

declare const client: any, join: any, until: any;

const STACKS: Record<string, () => ConnectSettings["PeerConnection"]> = {
  "@roamhq/wrtc": () => interop("@roamhq/wrtc").RTCPeerConnection,
  "node-datachannel": () => interop("node-datachannel/polyfill").RTCPeerConnection,
};

/** Connects a client that has a direct path to the Rust client of that name. */
async function paired(url: string, target: string, settings: Omit<ConnectSettings, "id">): Promise<P2pClient> {
  const client = await connect(url, { id: `with-${target}`, ...settings });
  atEnd(() => void client.close());
  const isDirect = new Promise<void>((resolve) => client.on("path", ({ path }) => path === "direct" && resolve()));
  await client.register(target);
  await isDirect;
  return client;
}

/** Returns the bytes that a channel brings, as many as these. */
async function read(channel: P2pChannel, length: number): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  while (bytes < length) {
    const part = (await channel.receive()) as Uint8Array | undefined;
    if (!part) throw new Error(`the end after ${bytes} bytes: ${await channel.closed}`);
    bytes += parts[parts.push(part) - 1]?.length ?? 0;
  }
  return Buffer.concat(parts);
}

for (const [stack, connection] of Object.entries(STACKS)) {
  test(`a channel of ${stack} to a Rust client keeps every byte, however slowly it is read`, async () => {
    const server = await startServer();
    await RustPeer.start(server.url, "rust");
    const client = await paired(server.url, "rust", { PeerConnection: connection() });
    const file = Uint8Array.from({ length: 5_000_000 }, (_, at) => (at * 7919) >> 8);

    const channel = await client.channel("file", { protocol: "bytes" });
    // Rust waits for its own reader, and this end for Rust: more than both windows is under way before anything is read.
    const sent = new Blob([file]).stream().pipeTo(channel.writable, { preventClose: true });
    const reply = await client.with({ path: "direct" }).emit2("ask", "between");
    const back = await read(channel, file.length);
    await sent;
    await channel.close();

    assert.deepEqual(reply, { echo: ["between"] });
    assert.ok(back.equals(file));
    assert.equal(await channel.receive(), undefined);
    assert.equal(await channel.closed, "here");
    await client.unregister();
  });
}

test("channels that lose messages carry texts and bytes to a Rust client and back", async () => {
  const server = await startServer();
  await RustPeer.start(server.url, "rust");
  const client = await paired(server.url, "rust", { PeerConnection: STACKS["@roamhq/wrtc"]?.() });
  const sent: ChannelMessage[] = ["a", "ü".repeat(2_000), Uint8Array.from({ length: 3_000 }, (_, at) => at % 251)];

  for (const settings of [{ maxRetransmits: 0 }, { maxRetransmits: 0, ordered: false }, { maxPacketLifeTime: 500 }]) {
    const channel = await client.channel("latest", settings);
    for (const message of sent) {
      // It may be lost, although that is rare on loopback.
      let back: ChannelMessage | undefined;
      const next = channel.receive().then((message) => (back = message));
      while (back === undefined) {
        await channel.send(message);
        await Promise.race([next, new Promise((resolve) => setTimeout(resolve, 1_000))]);
      }
      assert.deepEqual(back, message);
    }
    await channel.close();
  }
});

test("a page streams a file to a Rust client and back", async () => {
  const server = await startServer();
  await RustPeer.start(server.url, "rust");
  const browser = await startBrowser();
  const page = await openPage(browser, await serve({ "/": SCRIPT }));

  const result = await page.evaluate(async (url: string) => {
    await join(url, { id: "page" });
    await client.register("rust");
    await until((event: any) => event.type === "path" && event.path === "direct");
    const file = Uint8Array.from({ length: 5_000_000 }, (_, at) => (at * 7919) >> 8);
    const channel: P2pChannel = await client.channel("file");
    const writer = channel.writable.getWriter();
    const sent = (async () => {
      for (let at = 0; at < file.length; at += 100_000) await writer.write(file.subarray(at, at + 100_000));
    })();
    const reader = channel.readable.getReader();
    let at = 0;
    let isSame = true;
    while (at < file.length) {
      const { value } = (await reader.read()) as { value: Uint8Array };
      for (const byte of value) isSame &&= byte === file[at++];
    }
    await sent;
    await writer.close();
    return { at, isSame, last: (await reader.read()).done, end: await channel.closed };
  }, server.url);

  assert.deepEqual(result, { at: 5_000_000, isSame: true, last: true, end: "here" });
  await browser.close();
});
