// Functions of the application that fail: where that is told, and what it tells.

import assert from "node:assert/strict";
import { test } from "node:test";

import { HandlerError } from "../src/index.js";
import type { ConnectSettings } from "../src/api/connect.js";
import { FakeServer, rejection } from "./fake-server.js";

const real = setTimeout;
const buggy = new TypeError("a bug");
const bug = (): never => {
  throw buggy;
};
const code = async (call: () => unknown) => (await rejection(call)).code;

test("a handler that fails is reported where it runs, with its own error", async () => {
  const told: any[] = [];
  const on2 = {
    throws: bug,
    rejects: async () => bug(),
    unsendable: () => 1n,
    chosen: () => {
      throw new HandlerError("jammed");
    },
  };
  const [one, other] = await new FakeServer().pair({}, { on2, onComplaint: (about) => told.push(about) });

  for (const event of ["throws", "rejects", "unsendable"]) {
    assert.equal(await code(() => one.emit2(event)), "handler-failed");
  }
  assert.equal(await code(() => one.emit2("chosen")), "jammed");
  other.onAny2(bug);
  assert.equal(await code(() => one.emit2("any")), "handler-failed");

  const events = ['on2 "throws"', 'on2 "rejects"', 'on2 "unsendable"', 'onAny2 "any"'];
  assert.deepEqual(told.map(({ failed }) => failed), events);
  assert.deepEqual([told[0].error, told[1].error, told[3].error], [buggy, buggy, buggy]);
  assert.match(told[2].error.message, /BigInt/);
  await Promise.all([one.close(), other.close()]);
});

test("an onRegister that does not decide is reported, and declines", async () => {
  const decisions: [ConnectSettings["onRegister"], RegExp][] = [
    [bug, /a bug/],
    [() => Promise.reject(buggy), /a bug/],
    [(() => undefined) as never, /neither true nor false/],
  ];
  for (const [onRegister, text] of decisions) {
    const told: any[] = [];
    const server = new FakeServer();
    const asked = await server.connect("asked", { onRegister, onComplaint: (about: object) => told.push(about) });
    const asks = await server.connect("asks");

    assert.equal(await code(() => asks.register("asked")), "declined");

    assert.equal(told.length, 1);
    assert.equal(told[0].failed, 'onRegister of "asks"');
    assert.match(told[0].error.message, text);
    await Promise.all([asks.close(), asked.close()]);
  }
});

test("without onComplaint the console is told", async (context) => {
  const warn = context.mock.method(console, "warn", () => {});
  const [one, other] = await new FakeServer().pair({}, { on2: { throws: bug } });

  await rejection(() => one.emit2("throws"));

  assert.deepEqual(warn.mock.calls.map((call) => call.arguments), [['socketio-p2p: on2 "throws" failed:', buggy]]);
  await Promise.all([one.close(), other.close()]);
});

test("an onComplaint that fails does no harm to the client", async (context) => {
  // What is thrown from a timer would end this process.
  const thrown = new Promise((resolve) => {
    context.mock.method(globalThis, "setTimeout", (call: () => void, ...rest: number[]) =>
      real(() => {
        try {
          call();
        } catch (error) {
          resolve(error);
        }
      }, ...rest),
    );
  });
  const [one, other] = await new FakeServer().pair({}, { on2: { throws: bug, ask: () => 1 }, onComplaint: bug });

  assert.equal(await code(() => one.emit2("throws")), "handler-failed");
  assert.equal(await one.emit2("ask"), 1);

  assert.equal(await thrown, buggy);
  await Promise.all([one.close(), other.close()]);
});

test("whatever a handler throws is told as a text, and the pairing goes on", async () => {
  const half = "no user \ud83d";
  const thrown: [unknown, string, RegExp][] = [
    [{ toString: 1 }, "handler-failed", /cannot be told/],
    [Object.create(null), "handler-failed", /cannot be told/],
    [Object.assign(new Error(), { message: 7 }), "handler-failed", /7/],
    [undefined, "handler-failed", /undefined/],
    [new Error(half), "handler-failed", /no user \ufffd/],
    [new HandlerError("jammed", half), "jammed", /no user \ufffd/],
    [new HandlerError(half), "handler-failed", /./],
  ];
  let next: unknown;
  const on2 = {
    throws: () => {
      throw next;
    },
    rejects: async () => {
      throw next;
    },
    ask: () => 1,
  };
  const [one, other] = await new FakeServer().pair({}, { on2, onComplaint: () => {} });

  for (const [error, code, text] of thrown) {
    next = error;
    for (const event of ["throws", "rejects"]) {
      const failed = await rejection(() => one.emit2(event));
      assert.equal(failed.code, code);
      assert.equal((failed as { executed?: boolean }).executed, true);
      assert.match(failed.message, text);
    }
    assert.equal(await one.emit2("ask"), 1);
  }
  await Promise.all([one.close(), other.close()]);
});

test("half of a surrogate pair is refused in a name and in a payload, and replaced in a decision", async () => {
  const server = new FakeServer();
  const [one, other] = await server.pair({}, { on2: { ask: () => 1 } });
  const asked = await server.connect("asked", { onRegister: () => "no 😀".slice(0, 4) });
  const asks = await server.connect("asks");

  assert.equal(await code(() => one.emit2("x\ud83d")), "bad-event");
  assert.equal(await one.emit2("ask"), 1);
  for (const payload of ["\ud83d", { name: ["\ud83d"] }, () => 1, 1n, { toJSON: () => undefined }]) {
    assert.equal(await code(() => asks.register("asked", { payload })), "bad-args");
  }
  const declined = await rejection(() => asks.register("asked"));
  assert.equal(declined.code, "declined");
  assert.match(declined.message, /no \ufffd/);
  await Promise.all([one, other, asked, asks].map((client) => client.close()));
});

test("an emit that waits for room has any time that it is given", async () => {
  const [one, other] = await new FakeServer().pair({}, { on2: { ask: (number) => number } });

  for (const timeout of [Infinity, 2 ** 31, 60_000]) {
    const emits = Array.from({ length: 1_000 }, (_, number) => one.with({ timeout }).emit2("ask", number));
    assert.deepEqual(await Promise.all(emits), [...emits.keys()]);
  }
  await Promise.all([one.close(), other.close()]);
});
