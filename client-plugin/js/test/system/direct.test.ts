import assert from "node:assert/strict";
import { test } from "node:test";

import { connect, type ConnectSettings, type P2pClient } from "../../src/index.js";
import { atEnd, FaultProxy, interop, RustPeer, startServer } from "./programs.js";

const { RTCPeerConnection } = interop("@roamhq/wrtc");

/** The connections that were made, so that a test can end one. */
const connections: { close(): void }[] = [];

class Recorded extends RTCPeerConnection {
  constructor(config: unknown) {
    super(config);
    connections.push(this as never);
  }
}

const PeerConnection = Recorded as unknown as ConnectSettings["PeerConnection"];

async function join(url: string, id: string, settings: Partial<ConnectSettings> = {}): Promise<P2pClient> {
  const client = await connect(url, { id, PeerConnection, ...settings });
  atEnd(() => void client.close());
  return client;
}

/** Waits until emits of a client take a path. */
const takes = (client: P2pClient, path: string | undefined): Promise<unknown> =>
  new Promise((resolve) => client.on("path", (event) => event.path === path && resolve(event)));

test("a program and a Rust client talk directly, whoever offers", async () => {
  const server = await startServer();
  for (const offers of ["node", "rust"]) {
    const rust = await RustPeer.start(server.url, `rust-${offers}`);
    const client = await join(server.url, `node-${offers}`, { on2: { add: (a: number, b: number) => a + b } });
    const isDirect = takes(client, "direct");

    if (offers === "node") await client.register(`rust-${offers}`);
    else rust.obey({ cmd: "register", target: `node-${offers}` });
    await isDirect;
    await rust.until("path", (line) => line["path"] === "direct");
    const bytes = Uint8Array.from({ length: 100_000 }, (_, at) => at % 253);
    const reply = await client.with({ path: "direct", reply: "all" }).emit2("ask", "directly", bytes.subarray(0, 40_000));
    rust.obey({ cmd: "emit2", id: 1, event: "add", args: [1, 2], ack: true });
    const answer = await rust.until("reply");

    assert.equal(reply.path, "direct");
    assert.deepEqual((reply.args[0] as { echo: unknown[] }).echo, ["directly", bytes.subarray(0, 40_000)]);
    assert.deepEqual([answer["value"], answer["path"]], [3, "direct"]);
    await client.unregister();
  }
});

test("calls go on while the direct path is lost and comes back, once each and in order", async () => {
  const server = await startServer();
  const [one, other] = [await join(server.url, "one"), await join(server.url, "other")];
  const arrived: number[] = [];
  other.on2("ask", (number: number) => (arrived.push(number), number * 2));
  let isDirect = takes(one, "direct");
  await one.register("other");

  const replies: Promise<number>[] = [];
  for (let flip = 0; flip < 3; flip++) {
    await isDirect;
    for (let count = 0; count < 100; count++) {
      replies.push(one.with({ timeout: 120_000 }).emit2("ask", replies.length));
      if (count === 50) {
        const isRelay = takes(one, "relay");
        for (const connection of connections.splice(0)) connection.close();
        await isRelay;
        isDirect = takes(one, "direct");
      }
    }
  }
  const answers = await Promise.all(replies);

  assert.deepEqual(arrived, [...Array(300).keys()]);
  assert.deepEqual(answers, arrived.map((number) => number * 2));
});

test("two clients go on without the server, and are known to the next one", async () => {
  const server = await startServer();
  const [one, other] = [await join(server.url, "one"), await join(server.url, "other")];
  other.on2("ask", (number: number) => number * 2);
  const isDirect = takes(one, "direct");
  await one.register("other");
  await isDirect;
  const isAway = new Promise((resolve) => one.on("away", resolve));
  const isReasserted = new Promise((resolve) => one.on("reasserted", resolve));

  await server.program.kill();
  await isAway;
  const alone = await one.emit2("ask", 4);
  await startServer(server.port);
  await isReasserted;
  const later = await one.emit2("ask", 5);

  assert.deepEqual([alone, later], [8, 10]);
});

test("a client that wants the direct path only waits for it", async () => {
  const server = await startServer();
  const network = await FaultProxy.start(server.port);
  const one = await join(network.url, "one", { paths: "direct-only" });
  const other = await join(server.url, "other");
  other.on2("ask", (number: number) => number * 2);
  await one.register("other");

  const reply = await one.with({ timeout: 120_000, reply: "all" }).emit2("ask", 3);

  assert.deepEqual(reply, { args: [6], path: "direct" });
});
