import assert from "node:assert/strict";
import { test } from "node:test";

import { connect, EmitError, HandlerError, RequestError, values, type ConnectSettings, type P2pClient } from "../../src/index.js";
import { atEnd, interop, RustPeer, startServer } from "./programs.js";

const server = await startServer();

async function join(id: string, settings: Partial<ConnectSettings> = {}): Promise<P2pClient> {
  const client = await connect(server.url, { id, paths: "relay-only", ...settings });
  atEnd(() => void client.close());
  return client;
}

/** Returns the error with which a promise is rejected. */
async function rejection(promise: Promise<unknown>): Promise<any> {
  const value = await promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  assert.ok("error" in value, `it was not rejected: ${JSON.stringify(value)}`);
  return value.error;
}

test("a program and a Rust client emit to each other, with replies", async () => {
  const rust = await RustPeer.start(server.url, "rust-1");
  const arrived: unknown[][] = [];
  const client = await join("node-1", { on2: { add: (a: number, b: number) => (arrived.push([a, b]), a + b) } });

  const pairing = await client.register("rust-1");
  const reply = await client.emit2("ask", 1, { two: [null, "ä"] });
  await rust.until("paired");
  rust.obey({ cmd: "emit2", id: 7, event: "add", args: [2, 3], ack: true });
  const answer = await rust.until("reply");

  assert.equal(pairing.partner, "rust-1");
  assert.equal(pairing.initiator, true);
  assert.deepEqual(reply, { echo: [1, { two: [null, "ä"] }] });
  assert.deepEqual([answer["id"], answer["value"]], [7, 5]);
  assert.deepEqual(arrived, [[2, 3]]);
  await client.unregister();
  assert.equal((await rust.until("unpaired"))["reason"], "unregistered");
  assert.equal(client.pairing, undefined);
});

test("bytes travel both ways, small and large", async () => {
  const [one, other] = [await join("bytes-1"), await join("bytes-2")];
  other.on2("bytes", (bytes: Uint8Array, rest: { deep: Uint8Array[] }) => values(rest.deep[0], bytes));
  await one.register("bytes-2");
  const large = Uint8Array.from({ length: 300_000 }, (_, at) => at % 251);

  const reply = await one.with({ reply: "all" }).emit2("bytes", large, { deep: [Buffer.from("small")] });

  assert.deepEqual(reply.args, [new Uint8Array(Buffer.from("small")), large]);
  assert.equal(reply.path, "relay");
});

test("bytes reach a Rust client, which gets base64, and a stock client, which gets attachments", async () => {
  const bytes = Uint8Array.from({ length: 10_000 }, (_, at) => at % 256);
  await RustPeer.start(server.url, "bytes-rust");
  const { io } = interop("socket.io-client-4");
  const stock = io(`${server.url}?clientId=bytes-stock`, { transports: ["websocket"], forceNew: true });
  atEnd(() => stock.disconnect());
  await new Promise((resolve) => stock.once("connect", resolve));
  stock.on("P2P_REGISTER", (_: string, accept: (is: boolean) => void) => accept(true));
  stock.on("ask", (...args: any[]) => args.pop()({ echo: args }));

  for (const target of ["bytes-rust", "bytes-stock"]) {
    const client = await join(`with-${target}`);
    await client.register(target);
    assert.deepEqual(await client.emit2("ask", bytes, { of: target }), { echo: [bytes, { of: target }] });
  }
});

test("every outcome is told apart", async () => {
  const [one, other] = [await join("outcome-1"), await join("outcome-2")];
  const alone = await rejection(one.emit2("early"));
  await one.register("outcome-2");
  other.on2("fails", () => {
    throw new Error("no paper");
  });
  other.on2("jams", async () => {
    throw new HandlerError("jammed", "page 3");
  });
  const signals: AbortSignal[] = [];
  other.on2("hangs", function () {
    signals.push(this.signal);
    return new Promise(() => {});
  });

  const told = (error: EmitError) => [error.outcome, error.code, error.executed];
  assert.deepEqual(told(alone), ["not-executed", "not-paired", false]);
  assert.deepEqual(told(await rejection(one.emit2("nobody"))), ["not-executed", "unhandled", false]);
  const failed = await rejection(one.emit2("fails"));
  assert.deepEqual(told(failed), ["failed", "handler-failed", true]);
  assert.match(failed.message, /no paper/);
  assert.deepEqual(told(await rejection(one.emit2("jams"))), ["failed", "jammed", true]);
  assert.deepEqual(told(await rejection(one.with({ timeout: 50 }).emit2("hangs"))), ["unknown", "timeout", undefined]);
  assert.deepEqual(told(await rejection(one.emit2("connect"))), ["not-executed", "bad-event", false]);
  assert.deepEqual(told(await rejection(one.emit2("cycle", 1n))), ["not-executed", "bad-args", false]);
  assert.deepEqual(told(await rejection(one.with({ path: "direct" }).emit2("nobody"))), ["not-executed", "no-route", false]);

  const abort = new AbortController();
  const given = one.with({ signal: abort.signal }).emit2("hangs");
  while (signals.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  abort.abort();
  assert.deepEqual(told(await rejection(given)), ["unknown", "cancelled", undefined]);
  while (!signals.every((signal) => signal.aborted)) await new Promise((resolve) => setTimeout(resolve, 5));
});

test("a thousand emits arrive once each and in order, with and without replies", async () => {
  const arrived: number[] = [];
  const [one, other] = [await join("order-1"), await join("order-2")];
  other.on2("count", (number: number) => void arrived.push(number));
  other.on2("ask", (number: number) => (arrived.push(number), number * 2));
  await one.register("order-2");

  const replies = await Promise.all(
    Array.from({ length: 1_000 }, (_, number) =>
      number % 2 ? one.emit2("ask", number) : one.with({ reply: false }).emit2("count", number),
    ),
  );

  await one.emit2("ask", -1);
  assert.deepEqual(arrived, [...Array(1_000).keys(), -1]);
  assert.deepEqual(replies, Array.from({ length: 1_000 }, (_, number) => (number % 2 ? number * 2 : undefined)));
});

test("a target decides about requests, and tells why not", async () => {
  const asked: unknown[] = [];
  await join("picky", {
    onRegister: ({ source, payload }) => {
      asked.push([source, payload]);
      if (payload === "throw") throw new Error("a bug");
      return payload === "please" || "say please";
    },
  });
  const one = await join("asks");

  const declined = await rejection(one.register("picky", { payload: { rude: true } }));
  const failed = await rejection(one.register("picky", { payload: "throw" }));
  const pairing = await one.register("picky", { payload: "please" });

  assert.ok(declined instanceof RequestError);
  assert.deepEqual([declined.code, declined.isRetryable], ["declined", false]);
  assert.match(declined.message, /say please/);
  assert.equal(failed.code, "declined");
  assert.equal(pairing.partner, "picky");
  assert.deepEqual(asked[0], ["asks", { rude: true }]);
});

test("refusals have codes, and a registration can be repeated until the target is there", async () => {
  const one = await join("early");

  const offline = await rejection(one.register("late"));
  const self = await rejection(one.register("early"));
  const repeated = one.register("late", { retry: 60_000 });
  await join("late");

  assert.deepEqual([offline.code, offline.isRetryable], ["offline", true]);
  assert.deepEqual([self.code, self.isRetryable], ["self", false]);
  assert.equal((await repeated).partner, "late");
});

test("events are reported to listeners and to an iterator, which ends with the client", async () => {
  const [one, other] = [await join("events-1"), await join("events-2")];
  const heard: string[] = [];
  one.on("paired", ({ pairing }) => heard.push(pairing.partner));
  const read = (async () => {
    const types: string[] = [];
    for await (const event of one.events()) types.push(event.type);
    return types;
  })();

  await other.register("events-1");
  await other.close();
  await new Promise((resolve) => one.on("unpaired", resolve));
  await one.close();

  assert.deepEqual(heard, ["events-2"]);
  assert.deepEqual(await read, ["paired", "unpaired", "disconnected"]);
  assert.equal((await rejection(one.emit2("late"))).code, "closed");
  assert.equal((await rejection(one.clients())).code, "closed");
});

test("the list shows the clients", async () => {
  const [one] = [await join("list-1"), await join("list-2")];

  const clients = await one.clients();

  const ids = clients.filter(({ id }) => id.startsWith("list-"));
  assert.deepEqual(ids, [
    { id: "list-1", state: "free" },
    { id: "list-2", state: "free" },
  ]);
});

test("a client that cannot connect tells why", async () => {
  await join("taken");

  const taken = await rejection(join("taken"));
  const nowhere = await rejection(connect("http://127.0.0.1:1", { id: "nowhere" }));
  const bad = await rejection(connect(server.url, { id: "" }));
  const auth = await rejection(join("auth", { auth: () => Promise.reject(new Error("no token")) }));

  assert.deepEqual([taken.name, taken.code, taken.isRetryable], ["ConnectError", "duplicate-id", true]);
  assert.deepEqual([nowhere.code, nowhere.isRetryable], ["unreachable", true]);
  assert.deepEqual([bad.code, bad.isRetryable], ["bad-client-id", false]);
  assert.equal(auth.code, "forbidden");
  assert.match(auth.message, /no token/);
});

test("a socket that is given carries the client, and its application goes on with it", async () => {
  const { io } = await import("socket.io-client");
  const socket = io(server.url, { autoConnect: false, forceNew: true, auth: { own: 1 } });
  const client = await connect(socket as any, { id: "given", paths: "relay-only" });
  await join("given-partner", { on2: { ask: () => 42 } });

  await client.register("given-partner");
  const answer = await client.emit2("ask");

  assert.equal(answer, 42);
  assert.ok(socket.connected);
  await client.close();
  assert.ok(!socket.connected);
});
