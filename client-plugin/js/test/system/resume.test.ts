import assert from "node:assert/strict";
import { test } from "node:test";

import { connect, type P2pClient } from "../../src/index.js";
import { atEnd, FaultProxy, RustPeer, startServer } from "./programs.js";

async function join(url: string, id: string): Promise<P2pClient> {
  const client = await connect(url, { id, paths: "relay-only" });
  atEnd(() => void client.close());
  return client;
}

/** Waits for an event of a client. */
const once = (client: P2pClient, type: any): Promise<any> => new Promise((resolve) => client.on(type, resolve));

test("calls under way survive cut connections of either end: once each, in order, with their replies", async () => {
  const server = await startServer();
  const [near, far] = [await FaultProxy.start(server.port), await FaultProxy.start(server.port)];
  const one = await join(near.url, "one");
  const other = await join(far.url, "other");
  const arrived: number[] = [];
  other.on2("ask", (number: number) => (arrived.push(number), number * 2));
  const resumed: string[] = [];
  for (const client of [one, other]) client.on("resumed", ({ id }) => resumed.push(id));
  await one.register("other");

  const replies: Promise<number>[] = [];
  for (let number = 0; number < 2_000; number++) {
    replies.push(one.with({ timeout: 120_000 }).emit2("ask", number));
    if (number % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    if (number % 250 === 100) near.cut();
    if (number % 250 === 200) far.cut();
  }
  const answers = await Promise.all(replies);

  assert.deepEqual(answers, Array.from({ length: 2_000 }, (_, number) => number * 2));
  assert.deepEqual(arrived, [...Array(2_000).keys()]);
  assert.ok(resumed.includes("one") && resumed.includes("other"), resumed.join());
});

test("a silent network is noticed, and the session goes on with a Rust client", async () => {
  const server = await startServer();
  const network = await FaultProxy.start(server.port);
  const rust = await RustPeer.start(server.url, "rust");
  const client = await join(network.url, "node");
  await client.register("rust");
  assert.deepEqual(await client.emit2("before"), { echo: [] });

  network.isHeld = true;
  const asked = client.with({ timeout: 120_000 }).emit2("during", 1);
  client.networkChanged();
  await once(client, "away");
  network.isHeld = false;
  await once(client, "resumed");

  assert.deepEqual(await asked, { echo: [1] });
  assert.equal((await rust.until("partner"))["state"], "away");
  assert.equal((await rust.until("partner"))["state"], "back");
});

test("after a server was started again, the pairing is over and the client registers anew", async () => {
  const server = await startServer();
  const rust = await RustPeer.start(server.url, "rust");
  const client = await join(server.url, "node");
  await client.register("rust");
  const [unpaired, restarted] = [once(client, "unpaired"), once(client, "restarted")];

  await server.program.kill();
  const lost = client.with({ timeout: 120_000 }).emit2("lost").catch((error: unknown) => error);
  await startServer(server.port);
  await restarted;
  const { reason } = await unpaired;

  assert.equal(reason, "disconnected");
  const { outcome } = (await lost) as { outcome: string };
  assert.ok(["not-executed", "unknown"].includes(outcome), outcome);
  await rust.until("restarted");
  const pairing = await client.register("rust", { retry: 60_000 });
  assert.equal(pairing.partner, "rust");
  assert.deepEqual(await client.emit2("again"), { echo: [] });
});
