/**
 * Round trips of a page of headless Chromium, in one run: acknowledged emits through the server beside those of the
 * stock client, and over the direct path beside a bare data channel. The partner is the example peer, or another page.
 *
 *   node build/test/bench/latency.js
 */

import { openPage, SCRIPT, serve, startBrowser } from "../system/browser.js";
import { endAll, RustPeer, startServer } from "../system/programs.js";

declare const client: any, join: any, until: any, io: any;

const ROUNDS = 5;
const CALLS = 300;

/** Defines `times`, which calls a function again and again and returns the median in microseconds. */
const TIMES = `
globalThis.times = async (calls, call) => {
  const all = [];
  for (let at = 0; at < calls; at++) {
    const begin = performance.now();
    await call(at);
    all.push(performance.now() - begin);
  }
  return all.sort((a, b) => a - b)[calls >> 1] * 1000;
};
`;
declare const times: (calls: number, call: (at: number) => Promise<unknown>) => Promise<number>;

const site = await serve({ "/": TIMES + SCRIPT });
const browser = await startBrowser();
const server = await startServer();
const median = (all: number[]) => all.sort((a, b) => a - b)[all.length >> 1] as number;

const [ours, stock] = [await openPage(browser, site), await openPage(browser, site)];
await RustPeer.start(server.url, "rust-1", ["--path", "relay-only"]);
await RustPeer.start(server.url, "rust-2", ["--path", "relay-only"]);
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

await RustPeer.start(server.url, "rust-3");
const direct = await openPage(browser, site);
await direct.evaluate(async (url: string) => {
  await join(url, { id: "direct" });
  await client.register("rust-3");
  await until((event: any) => event.type === "path" && event.path === "direct");
}, server.url);
const paths: [number[], number[]] = [[], []];
await direct.evaluate(async () => {
  const [one, other] = [new RTCPeerConnection(), new RTCPeerConnection()];
  one.onicecandidate = ({ candidate }) => candidate && void other.addIceCandidate(candidate);
  other.onicecandidate = ({ candidate }) => candidate && void one.addIceCandidate(candidate);
  other.ondatachannel = ({ channel }) => (channel.onmessage = ({ data }) => channel.send(data));
  const channel = one.createDataChannel("bare");
  const isOpen = new Promise((resolve) => (channel.onopen = resolve));
  await one.setLocalDescription(await one.createOffer());
  await other.setRemoteDescription(one.localDescription as RTCSessionDescription);
  await other.setLocalDescription(await other.createAnswer());
  await one.setRemoteDescription(other.localDescription as RTCSessionDescription);
  await isOpen;
  Object.assign(globalThis, { bare: channel, kept: [one, other] });
});
for (let round = 0; round < ROUNDS; round++) {
  const call = (calls: number) => times(calls, (at) => client.with({ path: "direct" }).emit2("echo", at));
  paths[0].push(await direct.evaluate(call, CALLS));
  paths[1].push(
    await direct.evaluate((calls: number) => {
      const { bare } = globalThis as any;
      return times(calls, (at) => {
        const answer = new Promise((resolve) => (bare.onmessage = resolve));
        bare.send(JSON.stringify({ s: at, k: at, t: "emit", e: "echo", r: true, a: [at] }));
        return answer;
      });
    }, CALLS),
  );
}

const report = (what: string, [ours, theirs]: [number[], number[]]) =>
  console.log(`${what}: ${median(ours).toFixed(0)} us and ${median(theirs).toFixed(0)} us, ${(median(ours) / median(theirs)).toFixed(2)}x`);
report("through the server, emit2 and an acknowledged emit of the stock client", relay);
report("directly, emit2 to a Rust client and a bare channel inside of the page", paths);
endAll();
await browser.close();
process.exit();
