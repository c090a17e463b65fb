// Watches of a target, as the application iterates them. The server is in this process.

import assert from "node:assert/strict";
import { test } from "node:test";

import { FakeServer } from "./fake-server.js";

test("a watch yields the present state first, then each change, and ends with the client", async () => {
  const server = new FakeServer();
  const one = await server.connect("one");
  const watch = await one.watchTarget("other");

  const first = await watch.next();
  const other = await server.connect("other");
  const second = await watch.next();
  await one.register("other");
  const third = await watch.next();
  await one.close();

  assert.deepEqual([first.value, second.value, third.value], ["absent", "free", "busy"]);
  assert.equal((await watch.next()).done, true);
  await other.close();
});
