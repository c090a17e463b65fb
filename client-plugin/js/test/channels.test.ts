// Raw channels of the direct path, between two clients of this process: messages, streams, credit, ends.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Channels } from "../src/direct/channels.js";
import { P2pError, type P2pChannel, type P2pClient } from "../src/index.js";
import { CHANNEL_WINDOW, CHANNELS } from "../src/limits.js";
import { FakePeerConnection } from "./fake-peer-connection.js";
import { FakeServer, rejection } from "./fake-server.js";

const LONG = 256 * 1024;
const DIRECT = { paths: "prefer-direct", PeerConnection: FakePeerConnection } as const;

/** Pairs two clients with a direct path. The channels of the first one arrive at the second. */
async function pair(): Promise<{ one: P2pClient; other: P2pClient; next: () => Promise<P2pChannel> }> {
  const came: P2pChannel[] = [];
  const waiting: ((channel: P2pChannel) => void)[] = [];
  const onChannel = (channel: P2pChannel) => {
    const waits = waiting.shift();
    if (waits) waits(channel);
    else came.push(channel);
  };
  const server = new FakeServer();
  const [one, other] = [await server.connect("one", DIRECT), await server.connect("other", { ...DIRECT, onChannel })];
  const isDirect = (client: P2pClient) =>
    new Promise<void>((resolve) => client.on("path", ({ path }) => path === "direct" && resolve()));
  const both = Promise.all([isDirect(one), isDirect(other)]);
  await one.register("other");
  await both;
  const next = () => {
    const channel = came.shift();
    return channel ? Promise.resolve(channel) : new Promise<P2pChannel>((resolve) => waiting.push(resolve));
  };
  return { one, other, next };
}

/** Returns true if a promise is still pending when everything that can happen has happened. */
async function isPending(promise: Promise<unknown>): Promise<boolean> {
  let isDone = false;
  void promise.then(() => (isDone = true));
  for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
  return !isDone;
}

test("texts and bytes go both ways, in order, and the end is told at both ends", async () => {
  const { one, next } = await pair();
  const here = await one.channel("log", { protocol: "lines" });
  const there = await next();

  for (const message of ["a", Uint8Array.of(0, 255), "ü"]) await here.send(message);
  await there.send(new Uint16Array([0x201]).subarray(0, 1));
  const received = [await there.receive(), await there.receive(), await there.receive()];
  const answer = await here.receive();
  await here.close();

  assert.deepEqual([there.label, there.protocol, there.ordered, there.maxMessage], ["log", "lines", true, 65_536]);
  assert.deepEqual(received, ["a", Uint8Array.of(0, 255), "ü"]);
  assert.deepEqual(answer, Uint8Array.of(1, 2));
  assert.equal(await there.receive(), undefined);
  assert.deepEqual([await here.closed, await there.closed], ["here", "partner"]);
  assert.match((await rejection(() => here.send("b"))).message, /channel "log": it is closed \(closed\)/);
});

test("a sender waits while a window is unread, and goes on when some of it was read", async () => {
  const { one, next } = await pair();
  const here = await one.channel("file");
  const there = await next();
  const message = new Uint8Array(60_000);
  const fits = Math.ceil(CHANNEL_WINDOW / (message.length + 128));

  for (let count = 0; count < fits; count++) await here.send(message);
  const last = here.send("last");
  assert.ok(await isPending(last));
  for (let count = 0; count < fits; count++) assert.equal((await there.receive())?.length, message.length);
  await last;

  assert.equal(await there.receive(), "last");
});

test("a message that would have to wait can be kept instead", async () => {
  const { one, next } = await pair();
  const here = await one.channel("file");
  const there = await next();
  const message = new Uint8Array(60_000);

  let sent = 0;
  while (here.trySend(message)) {
    sent++;
    await new Promise(setImmediate); // The transport takes it.
  }
  const waits = here.send("next");
  const isBehind = here.trySend("other");
  const received: unknown[] = [];
  for (let count = 0; count <= sent; count++) received.push(await there.receive());
  await waits;
  const isSent = here.trySend("last");

  assert.equal(sent, Math.ceil(CHANNEL_WINDOW / (message.length + 128)));
  assert.deepEqual([isBehind, received.pop(), isSent, await there.receive()], [false, "next", true, "last"]);
  assert.throws(() => here.trySend(""), { code: "bad-args" });
  await here.close();
  assert.throws(() => here.trySend("late"), { code: "closed" });
});

test("a stream goes through a channel, and its reader's pace is kept", async () => {
  const { one, next } = await pair();
  const here = await one.channel("file");
  const there = await next();
  const file = Uint8Array.from({ length: 3 * CHANNEL_WINDOW + 17 }, (_, at) => (at * 7919) >> 8);

  const sent = new Blob([file]).stream().pipeTo(here.writable);
  assert.ok(await isPending(sent));
  const parts: Uint8Array[] = [];
  for await (const part of there.readable as unknown as AsyncIterable<Uint8Array>) parts.push(part);
  await sent;

  assert.deepEqual(new Uint8Array(Buffer.concat(parts)), file);
  assert.equal(await there.closed, "partner");
});

test("a channel is closed after what was sent, also while its messages wait for credit", async () => {
  const { one, next } = await pair();
  const here = await one.channel("file");
  const there = await next();
  const sends = Array.from({ length: 40 }, (_, at) => here.send(`${at}`.padEnd(60_000)));

  const closed = here.close();
  assert.ok(await isPending(closed));
  let count = 0;
  for await (const message of there) assert.equal(Number(message), count++);
  await Promise.all([...sends, closed]);

  assert.equal(count, 40);
});

test("when the direct path is lost, streams and sends fail, and what has arrived can be read", async () => {
  const { one, next } = await pair();
  const streamed = await one.channel("streamed");
  const reader = (await next()).readable.getReader();
  const filled = await one.channel("filled");
  const full = await next();
  await streamed.send("first");
  assert.deepEqual(await reader.read(), { done: false, value: "first" });
  const reading = rejection(() => reader.read());
  const message = "x".repeat(60_000);
  const fits = Math.ceil(CHANNEL_WINDOW / (message.length + 128));
  for (let count = 0; count < fits; count++) await filled.send(message);
  const sending = rejection(() => filled.send(message));
  assert.ok(await isPending(full.closed));

  void one.close();

  assert.match((await reading).message, /channel "streamed": the direct path is closed \(closed\)/);
  assert.match((await sending).message, /channel "filled": the direct path is closed \(closed\)/);
  assert.deepEqual([await filled.closed, await full.closed], ["connection", "connection"]);
  for (let count = 0; count < fits; count++) assert.equal((await full.receive())?.length, message.length);
  assert.equal(await full.receive(), undefined);
});

test("a reader that cancels closes the channel", async () => {
  const { one, next } = await pair();
  const here = await one.channel("file");
  const there = await next();
  await here.send("first");

  await there.readable.cancel();

  assert.equal(await here.closed, "partner");
  assert.equal((await rejection(() => here.send("second"))).code, "closed");
});

test("messages that may be lost travel in pieces, of any kind, without a wait for the reader", async () => {
  const { one, next } = await pair();
  const here = await one.channel("pointer", { maxRetransmits: 0 });
  const there = await next();
  const long = "é".repeat(30_000);

  assert.deepEqual([await here.send("a"), await here.send(long), await here.send(Uint8Array.of(1))], [true, true, true]);
  const received = [await there.receive(), await there.receive(), await there.receive()];
  await here.close();

  assert.deepEqual(received, ["a", long, Uint8Array.of(1)]);
  assert.deepEqual([here.ordered, there.ordered, there.protocol], [true, true, ""]);
  assert.equal(await there.receive(), undefined);
});

test("what cannot be sent is refused", async () => {
  const { one } = await pair();
  const here = await one.channel("file");
  const refusals: [() => Promise<unknown>, string, RegExp][] = [
    [() => here.send(""), "bad-args", /channel "file": a message must not be empty/],
    [() => here.send(new Uint8Array(LONG + 1)), "too-large", /has 262145 bytes, and the partner takes 65536/],
    [() => one.channel(7 as never), "bad-args", /the label must be a text/],
    [() => one.channel("a", { ordered: 1 as never }), "bad-args", /ordered must be true or false/],
    [() => one.channel("a", { maxRetransmits: -1 }), "bad-args", /maxRetransmits must be a whole number/],
    [() => one.channel("a", { reliable: true } as never), "bad-args", /no option `reliable`/],
  ];
  for (const [call, code, words] of refusals) {
    const error = await rejection(call);
    assert.deepEqual([error.code, words.test(error.message)], [code, true], error.message);
  }
});

test("without a direct path there is no channel, and nobody's channel is closed", async () => {
  const server = new FakeServer();
  const [relayed] = await server.pair();
  const error = await rejection(() => relayed.channel("file"));
  assert.deepEqual([error.code, error.isRetryable], ["no-route", true]);

  const { other, one } = await pair();
  one.onChannel(undefined);
  assert.equal(await (await other.channel("nobody")).closed, "partner");
});

test("a client without the code of channels has none, closes the partner's, and emits directly", async () => {
  const server = new FakeServer();
  server.Channels = undefined;
  const one = await server.connect("one", DIRECT);
  server.Channels = Channels;
  const other = await server.connect("other", { ...DIRECT, on2: { ask: (value: unknown) => value } });
  const isDirect = new Promise<void>((resolve) => other.on("path", ({ path }) => path === "direct" && resolve()));
  await one.register("other");
  await isDirect;

  const error = await rejection(() => one.channel("file"));
  const channel = await other.channel("file").catch((error: unknown) => error);

  assert.deepEqual([error.code, /has no channels/.test(error.message)], ["bad-args", true]);
  assert.ok(channel instanceof P2pError ? channel.code === "closed" : (await (channel as P2pChannel).closed) === "partner");
  assert.equal(await one.with({ path: "direct" }).emit2("ask", 1), 1);
});

test("a connection has 64 channels, and a closed one makes room", async () => {
  const { one, next } = await pair();
  const all = await Promise.all(Array.from({ length: CHANNELS }, (_, at) => one.channel(`${at}`)));
  assert.equal((await rejection(() => one.channel("too many"))).code, "quota");

  await all[0]?.close();
  await all[0]?.closed;

  assert.equal((await one.channel("another")).label, "another");
  for (let at = 0; at < CHANNELS; at++) assert.equal((await next()).label, `${at}`);
});

test("a signal closes a channel, also while it opens", async () => {
  const { one, next } = await pair();
  const abort = new AbortController();
  const here = await one.channel("file", { signal: abort.signal });
  const there = await next();
  abort.abort();
  assert.deepEqual([await here.closed, await there.closed], ["here", "partner"]);

  const early = new AbortController();
  const opening = rejection(() => one.channel("early", { signal: early.signal }));
  early.abort("enough");
  const error = await opening;
  assert.deepEqual([error.code, error.cause], ["cancelled", "enough"]);
  assert.equal((await rejection(() => one.channel("late", { signal: early.signal }))).code, "cancelled");
});

test("a handler of channels that fails is told, and its channel is closed", async () => {
  const server = new FakeServer();
  const told: any[] = [];
  const failing = { onChannel: () => Promise.reject(new Error("no disk")), onComplaint: (about: object) => told.push(about) };
  const [one, other] = [await server.connect("one", DIRECT), await server.connect("other", { ...DIRECT, ...failing })];
  const isDirect = new Promise<void>((resolve) => one.on("path", ({ path }) => path === "direct" && resolve()));
  await one.register("other");
  await isDirect;

  assert.equal(await (await one.channel("file")).closed, "partner");
  assert.deepEqual([told[0].failed, told[0].error.message], ['onChannel of "file"', "no disk"]);
  await other.close();
});
