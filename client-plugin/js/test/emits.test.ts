// Emits of the application: their options and their errors. The server is in this process.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { Args } from "../src/args.js";
import { Session } from "../src/peer/session.js";
import { FakeServer, rejection } from "./fake-server.js";

const server = new FakeServer();
const [one, other] = await server.pair();
other.on2("ask", (value: unknown) => value);
after(() => Promise.all([one.close(), other.close()]));

test("an emit by a path that there is not is refused, and the next one goes", async () => {
  const misspelt = await rejection(() => one.with({ path: "direkt" as never }).emit2("ask", 1));

  assert.deepEqual([misspelt.outcome, misspelt.code], ["not-executed", "bad-args"]);
  assert.match(misspelt.message, /path.*direkt/);
  assert.equal(await one.emit2("ask", 2), 2);
  assert.equal(await one.with({ path: "relay" }).emit2("ask", 3), 3);
});

test("the text of arguments shows most of those that any parser can read, and no others", () => {
  const lone = String.fromCharCode(0xd800);
  const nested = (levels: number): unknown => (levels ? [nested(levels - 1)] : 1);
  const isPlain = (...values: unknown[]) => Args.of(values).isPlain(3);

  assert.deepEqual([isPlain(), isPlain("a", 1, { b: [null] }), isPlain(nested(2))], [true, true, true]);
  assert.deepEqual([isPlain(nested(3)), isPlain(lone), isPlain({ [lone]: 1 })], [false, false, false]);
  assert.equal(isPlain({ "$serde_json::private::Number": "1" }), false);
});

test("what the text does not show is read: brackets in texts, and values beside each other", async () => {
  for (const value of ["[".repeat(100), "\\ud800", Array.from({ length: 100 }, () => [])]) {
    assert.deepEqual(await one.emit2("ask", value), value);
  }
  let deep: unknown = 1;
  for (let level = 0; level < 70; level++) deep = [deep];
  assert.equal((await rejection(() => one.emit2("ask", deep))).code, "too-large");
  assert.equal((await rejection(() => one.emit2("ask", String.fromCharCode(0xd800)))).code, "bad-args");
});

test("a handler that looks at its signal late finds it aborted", async () => {
  const abort = new AbortController();
  let began: (() => void) | undefined;
  const isRunning = new Promise<void>((resolve) => (began = resolve));
  let looked: ((aborted: boolean[]) => void) | undefined;
  const isLooked = new Promise<boolean[]>((resolve) => (looked = resolve));
  other.on2("slow", async function () {
    began?.();
    await new Promise((resolve) => abort.signal.addEventListener("abort", resolve));
    await one.emit2("ask", 0); // Behind the cancel.
    looked?.([this.signal.aborted, this.signal === this.signal]);
  });

  const call = rejection(() => one.with({ signal: abort.signal }).emit2("slow"));
  await isRunning;
  abort.abort();

  assert.equal((await call).code, "cancelled");
  assert.deepEqual(await isLooked, [true, true]);
});

test("bytes travel through the server as they are, in a batch as base64, and in parts if there are many", async () => {
  const bytes = Uint8Array.from({ length: 9_000 }, (_, at) => at % 256);
  const few = Uint8Array.of(1, 2, 3);

  const alone = await one.emit2("ask", { deep: [bytes] });
  const [request, reply] = server.frames.splice(0).filter(([first]) => first instanceof Uint8Array);
  const together = await Promise.all([one.emit2("ask", few), one.emit2("ask", few)]);
  const batch = server.frames.splice(0)[0]?.[1];
  const many = new Uint8Array(40_000).fill(7);

  assert.deepEqual(alone, { deep: [bytes] });
  for (const frame of [request, reply]) assert.ok((frame?.[0] as Uint8Array).length < bytes.length + 200);
  assert.deepEqual(together, [few, few]);
  assert.deepEqual((batch as { b: string[] }[]).map(({ b }) => b), [["AQID"], ["AQID"]]);
  assert.deepEqual(await one.emit2("ask", many), many);
});

test("a session has only the two paths", () => {
  const session = new Session(false);
  session.handle({ kind: "opened", path: "relay" }, 0);

  assert.ok(session.has("relay"));
  for (const path of ["direct", "direkt", "toString"]) assert.ok(!session.has(path as never), path);
});
