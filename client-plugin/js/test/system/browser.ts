/** Pages of headless browsers that load the one file. */

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

import { OBEDIENT } from "./firefox.js";
import { atEnd, interop } from "./programs.js";

/** The folder of the package, seen from build/test/system. */
const PACKAGE = new URL("../../../", import.meta.url);

const page = (script: string) => `<!doctype html><title>test</title>
<script>{${OBEDIENT}}</script>
<script src="/socket.io.min.js"></script>
<script type="module">${script}</script>`;

/** What the pages of these tests begin with: a client whose events are collected. */
export const SCRIPT = `
import * as p2p from '/socketio-p2p.min.js';
globalThis.p2p = p2p;
globalThis.events = [];
globalThis.join = async (url, settings) => {
  const client = await p2p.connect(url, { socket: { transports: ['websocket'] }, ...settings });
  globalThis.client = client;
  (async () => { for await (const event of client.events()) events.push(event); })();
};
globalThis.until = async (is) => {
  for (let at = 0; ; at++) {
    while (at >= events.length) await new Promise((resolve) => setTimeout(resolve, 5));
    if (is(events[at])) return events[at];
  }
};
globalThis.isReady = true;
`;

/** A page that counts what it emits, and what it executes, beyond its own life. */
export const COUNTING = `${SCRIPT}
const stored = (key) => JSON.parse(sessionStorage.getItem(key) ?? '[]');
const store = (key, number) => sessionStorage.setItem(key, JSON.stringify([...stored(key), number]));
globalThis.isReady = false;
const url = new URLSearchParams(location.search).get('server');
const id = new URLSearchParams(location.search).get('id');
await join(url, { id, survivesReload: true, on2: { ask: (number) => (store('executed', number), number * 2) } });
if (!client.pairing) await client.register('node');
globalThis.stop = false;
(async () => {
  for (let number = stored('sent').length; !stop; number++) {
    // Every seventh is so large that it travels in parts.
    await client.with({ reply: false }).emit2('count', number, 'x'.repeat(number % 7 ? 0 : 60_000));
    store('sent', number);
    if (number % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  }
})();
globalThis.isReady = true;`;

/** Serves pages, scripts, and the files for pages. Returns the URL. */
export async function serve(pages: Record<string, string>, scripts: Record<string, string> = {}): Promise<string> {
  const script = (file: string | URL) => ({ type: "text/javascript", body: readFileSync(file, "utf8") });
  const files: Record<string, { type: string; body: string }> = {};
  for (const name of ["/socket.io.min.js", "/socket.io.esm.min.js"]) {
    files[name] = script(new URL(`node_modules/socket.io-client/dist${name}`, PACKAGE));
  }
  for (const [path, body] of Object.entries(scripts)) files[path] = { type: "text/javascript", body };
  for (const name of ["socketio-p2p", "socketio-p2p-mesh", "socketio-p2p-core-direct", "socketio-p2p-core"]) {
    files[`/${name}.min.js`] = script(new URL(`dist/${name}.min.js`, PACKAGE));
  }
  const options = { bundle: true, format: "esm", target: "es2022", write: false } as const;
  const direct = await build({ ...options, entryPoints: [fileURLToPath(new URL("test/system/direct.ts", PACKAGE))] });
  files["/direct.js"] = { type: "text/javascript", body: direct.outputFiles[0]?.text ?? "" };
  for (const [path, script] of Object.entries(pages)) files[path] = { type: "text/html", body: page(script) };
  const server = createServer((request, response) => {
    const file = files[new URL(request.url ?? "", "http://x").pathname];
    // A page that is isolated has a clock of 5 us, instead of 100 us.
    const isolated = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" };
    response.writeHead(file ? 200 : 404, { "content-type": file?.type ?? "text/plain", ...isolated });
    response.end(file?.body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  atEnd(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Starts Chromium. Candidates are real addresses, loopback among them: the tests need no network. */
export async function startBrowser(): Promise<any> {
  const { chromium } = interop("playwright-core");
  const browser = await chromium.launch({
    ignoreDefaultArgs: ["--disable-back-forward-cache"],
    executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox", // root cannot have it
      "--disable-gpu",
      "--disable-quic",
      "--disable-background-networking",
      "--disable-features=WebRtcHideLocalIpsWithMdns",
      "--allow-loopback-in-peer-connection",
    ],
  });
  atEnd(() => void browser.close());
  return browser;
}

/** Opens a page that has run its script. Only one that may use the microphone is told of all interfaces. */
export async function openPage(browser: any, url: string): Promise<any> {
  const context = await browser.newContext({ permissions: ["microphone"] });
  const page = await context.newPage();
  page.on("pageerror", (error: Error) => console.error("page:", error.message));
  await page.goto(url);
  await page.waitForFunction("globalThis.isReady");
  return page;
}
