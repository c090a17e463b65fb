/**
 * Round trips over the direct path of a page of headless Chromium, in one run and in turns: acknowledged emits beside a
 * bare data channel, each between two ends inside of the page and to a partner in another process.
 *
 *   node build/test/bench/direct.js [ROUNDS]
 */

import { openPage, SCRIPT, serve, startBrowser } from "../system/browser.js";
import { endAll, RustPeer, startServer } from "../system/programs.js";
import { TIMES } from "./times.js";

declare const p2p: any, client: any, join: any, until: any, times: any, bare: any, pair: any, together: any, echo: any;

const ROUNDS = Number(process.argv[2] ?? 9);
const CALLS = 300;

/** Defines `pair`, which connects two bare connections and returns a channel whose other end sends back what comes. */
const PAIR = `
globalThis.pair = async () => {
  const [one, other] = [new RTCPeerConnection(), new RTCPeerConnection()];
  globalThis.kept = [one, other];
  one.onicecandidate = ({ candidate }) => candidate && other.addIceCandidate(candidate);
  other.onicecandidate = ({ candidate }) => candidate && one.addIceCandidate(candidate);
  other.ondatachannel = ({ channel }) => (channel.onmessage = ({ data }) => channel.send(data));
  const channel = one.createDataChannel('bare');
  const isOpen = new Promise((resolve) => (channel.onopen = resolve));
  await one.setLocalDescription(await one.createOffer());
  await other.setRemoteDescription(one.localDescription);
  await other.setLocalDescription(await other.createAnswer());
  await one.setRemoteDescription(other.localDescription);
  await isOpen;
  return channel;
};
`;

const site = await serve({ "/": TIMES + PAIR + SCRIPT });
const browser = await startBrowser();
const server = await startServer();
await RustPeer.start(server.url, "rust", ["--quiet"]);
const page = await openPage(browser, site);
await page.evaluate(async (url: string) => {
  const settings = { socket: { transports: ["websocket"] } };
  await join(url, { id: "page" });
  await client.register("rust");
  await until((event: any) => event.type === "path" && event.path === "direct");
  await p2p.connect(url, { id: "other", on2: { echo: (value: unknown) => value }, ...settings });
  const one = await p2p.connect(url, { id: "one", ...settings });
  const isDirect = new Promise<void>((resolve) => one.on("path", ({ path }: any) => path === "direct" && resolve()));
  await one.register("other");
  await isDirect;
  Object.assign(globalThis, { together: one, bare: await pair(), echo: await client.channel("echo") });
}, server.url);

const WAYS: Record<string, (calls: number) => Promise<number>> = {
  "a bare channel inside of the page": (calls) =>
    times(calls, (at: number) => {
      const answer = new Promise((resolve) => (bare.onmessage = resolve));
      bare.send(JSON.stringify({ s: at, k: at, t: "emit", e: "echo", r: true, a: [at] }));
      return answer;
    }),
  "a channel to a Rust client": (calls) =>
    times(calls, async (at: number) => {
      await echo.send(JSON.stringify({ s: at, k: at, t: "emit", e: "echo", r: true, a: [at] }));
      await echo.receive();
    }),
  "emit2 inside of the page": (calls) => times(calls, (at: number) => together.with({ path: "direct" }).emit2("echo", at)),
  "emit2 to a Rust client": (calls) => times(calls, (at: number) => client.with({ path: "direct" }).emit2("echo", at)),
};
const measured = new Map<string, number[]>();
for (let round = 0; round < ROUNDS; round++) {
  for (const [name, way] of Object.entries(WAYS)) {
    const time: number = await page.evaluate(way, CALLS);
    measured.set(name, [...(measured.get(name) ?? []), time]);
  }
}
const median = (all: number[]) => [...all].sort((a, b) => a - b)[all.length >> 1] as number;
const [first] = measured.values();
for (const [name, all] of measured) {
  const each = all.map((time) => time.toFixed(0)).join(" ");
  console.log(`${name}: ${median(all).toFixed(0)} us, ${(median(all) / median(first ?? [])).toFixed(2)}x (${each})`);
}
endAll();
await browser.close();
process.exit();
