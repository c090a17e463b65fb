// Emits of the application: their options and their errors. The server is in this process.

import assert from "node:assert/strict";
import { after, test } from "node:test";

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

test("a session has only the two paths", () => {
  const session = new Session(false);
  session.handle({ kind: "opened", path: "relay" }, 0);

  assert.ok(session.has("relay"));
  for (const path of ["direct", "direkt", "toString"]) assert.ok(!session.has(path as never), path);
});
