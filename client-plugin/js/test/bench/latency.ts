/**
 * Round trips of a page of headless Chromium through the server, in one run and in turns: acknowledged emits beside those
 * of the stock client. The partner is the example peer.
 *
 *   node build/test/bench/latency.js
 */

import { openPage, SCRIPT, serve, startBrowser } from "../system/browser.js";
import { endAll, RustPeer, startServer } from "../system/programs.js";
import { TIMES } from "./times.js";

declare const client: any, join: any, io: any;
declare const times: (calls: number, call: (at: number) => Promise<unknown>) => Promise<number>;

const ROUNDS = 5;
const CALLS = 300;

const site = await serve({ "/": TIMES + SCRIPT });
const browser = await startBrowser();
const server = await startServer();
const median = (all: number[]) => [...all].sort((a, b) => a - b)[all.length >> 1] as number;

const [ours, stock] = [await openPage(browser, site), await openPage(browser, site)];
await RustPeer.start(server.url, "rust-1", ["--path", "relay-only", "--quiet"]);
await RustPeer.start(server.url, "rust-2", ["--path", "relay-only", "--quiet"]);
await ours.evaluate(async (url: string) => {
  await join(url, { id: "ours", paths: "relay-only" });
  await client.register("rust-1");
}, server.url);
await stock.evaluate(async (url: string) => {
  const socket = io(`${url}?clientId=stock`, { transports: ["websocket"] });
  (globalThis as any).socket = socket;
  await new Promise((resolve) => socket.on("connect", resolve));
  await new Promise((resolve) => socket.emit("P2P_REGISTER", "rust-2", resolve));
}, server.url);
const relay: [number[], number[]] = [[], []];
for (let round = 0; round < ROUNDS; round++) {
  await ours.bringToFront();
  relay[0].push(await ours.evaluate((calls: number) => times(calls, (at) => client.emit2("echo", at)), CALLS));
  await stock.bringToFront();
  relay[1].push(
    await stock.evaluate((calls: number) => {
      const { socket } = globalThis as any;
      const event = (at: number) => ({ targetClientId: "rust-2", event: "echo", args: [at] });
      return times(calls, (at) => new Promise((resolve) => socket.emit("P2P_EMIT_ACKNOWLEDGE", event(at), resolve)));
    }, CALLS),
  );
}

console.log(`through the server, emit2 and an acknowledged emit of the stock client: ${relay.map((all) => median(all).toFixed(0)).join(" and ")} us, ${(median(relay[0]) / median(relay[1])).toFixed(2)}x`);
endAll();
await browser.close();
process.exit();
