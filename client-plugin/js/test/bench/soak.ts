/**
 * A page of headless Chromium and a Rust client under load, while the page is loaded anew and frozen, the connections of
 * either end are cut, and direct paths end. Both ways each event must be executed once, in the page in order, and each
 * reply must be right. Prints the figures, and fails at the first difference.
 *
 *   node build/test/bench/soak.js [CYCLES]
 */

import assert from "node:assert/strict";

import { openPage, SCRIPT, serve, startBrowser } from "../system/browser.js";
import { endAll, FaultProxy, RustPeer, startServer } from "../system/programs.js";

declare const client: any;

const CYCLES = Number(process.argv[2] ?? 10);

/** A page that counts what it emits, and what it executes, beyond its own life. */
const PAGE = `
globalThis.connections = [];
globalThis.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(config) { super(config); connections.push(this); }
};
${SCRIPT}
const stored = (key) => Number(sessionStorage.getItem(key) ?? 0);
const store = (key, number) => sessionStorage.setItem(key, number);
globalThis.isReady = false;
await join(new URLSearchParams(location.search).get('server'), {
  id: 'page',
  survivesReload: true,
  on2: {
    ask: (number) => {
      if (number !== stored('executed')) store('wrong', number);
      store('executed', number + 1);
      return number * 2;
    },
  },
});
store('paths', stored('paths'));
client.on('path', () => store('paths', stored('paths') + 1));
if (!client.pairing) await client.register('rust');
(async () => {
  for (let number = stored('sent'); !globalThis.isStopping; number++) {
    await client.with({ reply: false, timeout: 120_000 }).emit2('count', number, 'x'.repeat(number % 50 ? 10 : 60_000));
    store('sent', number + 1);
    if (number % 5 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  }
  globalThis.isStopped = true;
})();
globalThis.isReady = true;`;

process.on("exit", endAll);
const server = await startServer();
const [near, far] = [await FaultProxy.start(server.port), await FaultProxy.start(server.port)];
const site = await serve({ "/": PAGE });
const browser = await startBrowser();
const rust = await RustPeer.start(far.url, "rust");
const page = await openPage(browser, `${site}/?server=${near.url}`);
const session = await page.context().newCDPSession(page);

/** The example prints an event when its handler has waited for room, which several do in any order under load. */
const counted: number[] = [];
let [asked, isOver] = [0, false];
const replies = new Map<number, unknown>();
const reading = (async () => {
  for (;;) {
    const line = JSON.parse(await rust.program.line());
    if (line.event === "incoming" && line.name === "last") return;
    if (line.event === "incoming") counted.push(line.args[0]);
    if (line.event === "reply" || line.event === "failed") replies.set(line.id, line.event === "reply" ? line.value : line);
    if (line.event === "unpaired") assert.fail("the pairing has ended");
  }
})();
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const ask = async () => {
  while (!isOver) {
    const id = asked++;
    rust.obey({ cmd: "emit2", id, event: "ask", args: [id], ack: true, timeoutMs: 120_000 });
    while (asked - replies.size > 100) await pause(2);
    await pause(3);
  }
};
const asking = ask();
const figures = { reloads: 0, freezes: 0, cuts: 0, links: 0 };
const load = async () => {
  const failed = reading.then(() => assert.fail("the peer has ended"));
  for (let cycle = 0; cycle < CYCLES; cycle++) {
    await Promise.race([failed, change(cycle)]);
  }
};

async function change(cycle: number): Promise<void> {
  await page.reload();
  await page.waitForFunction("globalThis.isReady");
  figures.reloads++;
  await pause(400);
  figures.links += await page.evaluate(() => {
    const all = (globalThis as any).connections.filter(({ connectionState }: any) => connectionState === "connected");
    for (const connection of all) connection.close();
    return all.length;
  });
  await pause(200);
  [near, far][cycle % 2]?.cut();
  figures.cuts++;
  if (cycle % 2 === 0) {
    await session.send("Page.setWebLifecycleState", { state: "frozen" });
    await pause(300);
    await session.send("Page.setWebLifecycleState", { state: "active" });
    figures.freezes++;
  }
  await pause(300);
}

await load();
isOver = true;
await asking;
await page.evaluate("globalThis.isStopping = true");
await page.waitForFunction("globalThis.isStopped");
while (replies.size < asked) await pause(10);
const stored = await page.evaluate(async () => {
  await client.emit2("last");
  return Object.fromEntries(Object.entries(sessionStorage).map(([key, value]) => [key, Number(value)]));
});

assert.equal(stored.wrong, undefined, "an event of the Rust client is lost, or comes twice");
assert.equal(stored.executed, asked);
for (const [id, value] of replies) assert.equal(value, id * 2, JSON.stringify(value));
assert.ok(counted.length >= stored.sent, `${counted.length} of ${stored.sent}`);
counted.sort((one, other) => one - other);
assert.deepEqual(counted, [...counted.keys()], "an event of the page is lost, or comes twice");
console.log(JSON.stringify({ ...figures, paths: stored.paths, emits: counted.length, calls: asked }));
process.exit();
