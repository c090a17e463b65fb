// Errors of the application's calls: what they name, and what is refused before it is sent. The server is in this process.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { connectWith } from "../src/api/connect.js";
import { DIRECT } from "../src/direct-parts.js";
import { FakeServer, rejection } from "./fake-server.js";

const server = new FakeServer();
const [one, other] = await server.pair();
other.on2("hangs", () => new Promise(() => {}));
after(() => Promise.all([one.close(), other.close()]));

test("errors name what they are about, and their stacks begin with their class", async () => {
  const unhandled = await rejection(() => one.emit2("nope"));
  const offline = await rejection(() => one.register("B"));

  assert.equal(unhandled.message, 'emit2 "nope": the partner has no handler for that event (unhandled)');
  assert.equal(offline.message, 'register "B": the target is offline (offline)');
  assert.ok(unhandled.stack.startsWith("EmitError: emit2"), unhandled.stack);
  assert.ok(offline.stack.startsWith("RequestError: register"), offline.stack);
  assert.deepEqual([unhandled.constructor.name, Object.hasOwn(unhandled, "cause")], ["EmitError", false]);
});

test("stacks show who called", async () => {
  async function fromHere(call: () => unknown): Promise<string> {
    try {
      await call();
    } catch (error) {
      return (error as Error).stack ?? "";
    }
    throw new Error("it did not fail");
  }
  const calls = [
    async function emitting() { await one.emit2("nope"); },
    async function registering() { await one.register("B"); },
    async function connecting() { await connectWith(server.io, "http://server.test", { id: "one" }); },
  ];
  for (const call of calls) assert.match(await fromHere(call), new RegExp(`at async ${call.name}`));
});

test("a failure to connect names the server and its cause, without secrets", async () => {
  const broken = new FakeServer();
  broken.failure = Object.assign(new Error("websocket error"), { description: { message: "connect ECONNREFUSED" } });
  const url = "http://me:secret@server.test/x?token=secret";

  const failed = await rejection(() => connectWith(broken.io, url, { id: "a" }));
  const taken = await rejection(() => server.connect("one"));

  const text = "connect http://server.test/x: no connection to the server: websocket error: connect ECONNREFUSED (unreachable)";
  assert.deepEqual([failed.message, failed.isRetryable], [text, true]);
  assert.match(taken.message, /killed.*retryConnect.*\(duplicate-id\)/);
});

test("a failure of polling names its status or its cause, and in a page of another origin what helps", async (context) => {
  const broken = new FakeServer();
  const failing = async (url: string, of: object): Promise<string> => {
    broken.failure = Object.assign(new Error("xhr poll error"), of);
    return (await rejection(() => connectWith(broken.io, url, { id: "a" }))).message;
  };
  const status = await failing("http://server.test", { description: 404, context: { responseText: "none" } });
  const refused = await failing("http://server.test", { description: 0, context: { responseText: "ECONNREFUSED\nat x" } });
  const page = { href: "http://page.test/", origin: "http://page.test" };
  Object.defineProperty(globalThis, "location", { value: page, configurable: true });
  context.after(() => Reflect.deleteProperty(globalThis, "location"));
  const foreign = await failing("http://server.test", { description: 0 });
  const own = await failing("/", { description: 0 });

  assert.match(status, /xhr poll error: HTTP status 404 \(unreachable\)$/);
  assert.match(refused, /xhr poll error: ECONNREFUSED \(unreachable\)$/);
  assert.match(foreign, /websocket.*CORS/);
  assert.match(own, /xhr poll error \(unreachable\)$/);
});

test("what is given up is cancelled, with its cause", async () => {
  const broken = new FakeServer();
  broken.failure = new Error("xhr poll error");
  const cause = new Error("enough");
  const given = async (call: (signal: AbortSignal) => Promise<unknown>, soon: () => unknown) => {
    const abort = new AbortController();
    const error = rejection(() => call(abort.signal));
    while (!soon()) await new Promise(setImmediate);
    abort.abort(cause);
    const { name, code, cause: why } = await error;
    assert.equal(why, cause);
    return [name, code];
  };
  const always = () => true;

  const connecting = await given((signal) => broken.connect("a", { signal, retryConnect: 60_000 }), () => broken.attempts);
  const registering = await given((signal) => one.register("B", { signal }), always);
  const retrying = await given((signal) => one.register("B", { signal, retry: Infinity }), always);
  const watching = await given((signal) => one.watchTarget("B", { signal }), always);
  const emitting = await given((signal) => one.with({ signal }).emit2("hangs"), always);

  assert.deepEqual(connecting, ["ConnectError", "cancelled"]);
  for (const error of [registering, retrying, watching]) assert.deepEqual(error, ["RequestError", "cancelled"]);
  assert.deepEqual(emitting, ["EmitError", "cancelled"]);
});

test("wrong arguments are refused by name", async () => {
  const any: any = one;
  const connect: any = (target: unknown, settings: unknown) => connectWith(server.io, target as any, settings as any, { direct: DIRECT });
  const url = "http://server.test";
  const id = "new";
  const wrong: [() => unknown, RegExp][] = [
    [() => any.emit2(), /event must be a text/],
    [() => any.emit2(5), /event must be a text, and is 5/],
    [() => one.emit2("a", 10n), /not JSON.*BigInt/],
    [() => any.with().emit2("a"), /must be an object, and is undefined/],
    [() => any.with({ timout: 1 }).emit2("a"), /no option `timout`/],
    [() => any.with({ timeout: "abc" }).emit2("a"), /timeout must be a number of milliseconds, and is "abc"/],
    [() => any.with({ reply: "ALL" }).emit2("a"), /reply must be .*"all".*is "ALL"/],
    [() => any.with({ signal: new AbortController() }).emit2("a"), /signal must be an AbortSignal.*AbortController/],
    [() => any.register("B", null), /must be an object, and is null/],
    [() => any.register("B", { payload: 10n }), /payload must be JSON/],
    [() => any.register("B", { retry: "abc" }), /retry must be a number/],
    [() => any.on("pathh", () => {}), /"path".*and is "pathh"/],
    [() => any.on("path"), /listener must be a function/],
    [() => any.on2("x", "no function"), /handler must be a function/],
    [() => any.onAny2("no function"), /handler must be a function/],
    [() => connect(url), /must be an object, and is undefined/],
    [() => connect(undefined, { id }), /server must be a URL.*undefined/],
    [() => connect("server.test:9000", { id }), /server must be a URL with http/],
    [() => connect(url, { id: 5 }), /id must be a text/],
    [() => connect(url, { id, paths: "direct" }), /paths must be "prefer-direct"/],
    [() => connect(url, { id, timeout: 5 }), /no option `timeout`/],
    [() => connect(url, { id, signal: new AbortController() }), /signal must be an AbortSignal/],
    [() => connect(url, { id, on2: { a: 5 } }), /on2 must be an object of functions/],
    [() => connect(url, { id, survivesReload: true }), /survivesReload needs a page/],
  ];
  const attempts = server.attempts;

  for (const [call, text] of wrong) {
    const error = await rejection(call);
    assert.equal(error.code, "bad-args", error.message);
    assert.match(error.message, text);
  }
  assert.equal(server.attempts, attempts);
});

test("the end of a client tells why, unless the application wanted it", async () => {
  const ends = new FakeServer();
  const client = await ends.connect("a");
  const told = new Promise<any>((resolve) => client.on("disconnected", resolve));
  ends.failure = Object.assign(new Error("forbidden"), { data: {} });
  ends.restart();
  const wanted = await server.connect("wanted");
  const closed = new Promise<any>((resolve) => wanted.on("disconnected", resolve));
  await wanted.close();

  assert.equal((await told).error.code, "forbidden");
  assert.equal((await closed).error, undefined);
});
