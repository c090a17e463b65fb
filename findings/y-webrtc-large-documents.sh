#!/usr/bin/env bash
# y-webrtc 10.3.0 never brings a document of more than 256 KiB to a newcomer (Chromium 156), and says `synced` at the end that has it.
#
# Expected: a document is as large as it is, what a data channel cannot take at once is cut, and `synced` means that both ends
# have the same. Seen: y-webrtc sends the state as one message. With 300,000 characters in it the newcomer stays empty and its
# `synced` never comes; the owner is told `synced` all the same. What is written afterwards goes out and is not shown either, since it builds
# on what is missing, while what the newcomer writes arrives. No error is thrown or logged: simple-peer's exception is caught. A
# document that grew while its pages were open works, until somebody opens it anew. Two tabs of one browser get it
# by another way (BroadcastChannel), so that a try on one machine shows nothing.
#
# Needs Debian's chromium.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --no-audit --no-fund --silent y-webrtc@10.3.0 yjs@13.6.33 ws@8.23.0 puppeteer-core@24.43.1 esbuild@0.28.2
cat >client.mjs <<'JS'
import { WebrtcProvider } from "y-webrtc";
import * as Y from "yjs";

export { WebrtcProvider, Y };
JS
node_modules/.bin/esbuild client.mjs --bundle --platform=browser --format=iife --global-name=client --outfile=page.js \
    --log-level=error --define:global=globalThis --define:process.env.NODE_ENV=\"production\"
cat >run.mjs <<'JS'
import { spawn } from "child_process";
import { readFileSync } from "fs";
import { createServer } from "http";
import { connect } from "net";
import puppeteer from "puppeteer-core";

const wait = (time) => new Promise((done) => setTimeout(done, time));
const listen = (server) => new Promise((done) => server.listen(0, "127.0.0.1", () => done(server.address().port)));
const script = readFileSync("page.js");
const http = createServer((request, response) => (request.url === "/page.js"
  ? response.setHeader("content-type", "text/javascript").end(script)
  : response.setHeader("content-type", "text/html").end("<!doctype html><title>page</title><script src=/page.js></script>")));
const url = `http://127.0.0.1:${await listen(http)}`;
const other = createServer();
const port = await listen(other);
await new Promise((done) => other.close(done));
const signaling = spawn("node", ["node_modules/y-webrtc/bin/server.js"], { env: { ...process.env, PORT: String(port) }, stdio: "ignore" });
process.on("exit", () => signaling.kill());
setTimeout(() => { console.log("nothing in 300 s"); process.exit(1); }, 300_000);
const listens = () => new Promise((done) =>
  connect(port, "127.0.0.1", function () { this.end(); done(true); }).on("error", () => done(false)));
while (!(await listens())) await wait(100);

const browser = await puppeteer.launch({
  executablePath: "/usr/bin/chromium", headless: true,
  args: ["--no-sandbox", "--disable-features=WebRtcHideLocalIpsWithMdns", "--allow-loopback-in-peer-connection"],
});

// A page with a document of some characters, in a browser of its own unless told where.
async function open(room, length, context) {
  context ??= await browser.createBrowserContext();
  const page = await context.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  await page.goto(url);
  await page.evaluate((room, length, signaling) => {
    window.doc = new client.Y.Doc();
    window.events = [];
    if (length) doc.getText("text").insert(0, "x".repeat(length));
    const options = { signaling: [signaling], peerOpts: { config: { iceServers: [] } } };
    const provider = new client.WebrtcProvider(room, doc, options);
    provider.on("synced", ({ synced }) => synced && events.push("synced"));
    provider.on("peers", ({ webrtcPeers }) => webrtcPeers.length && events.push("a peer"));
  }, room, length, `ws://127.0.0.1:${port}`);
  errors.splice(0);
  return {
    context,
    connected: () => page.waitForFunction(() => events.includes("a peer"), { timeout: 60_000 }),
    write: (note) => page.evaluate((note) => doc.getMap("notes").set(note, true), note),
    grow: (length) => page.evaluate((length) => doc.getText("text").insert(0, "x".repeat(length)), length),
    says: () => page.evaluate(() => (events.includes("synced") ? "synced" : "not synced")),
    has: async () => {
      const [length, notes] = await page.evaluate(() => [doc.getText("text").length, [...doc.getMap("notes").keys()].sort()]);
      return `${length} characters and ${notes.join(", ") || "no note"}; errors: ${errors.join() || "none"}`;
    },
  };
}

for (const length of [200_000, 300_000]) {
  const owner = await open(`room-${length}`, length);
  const newcomer = await open(`room-${length}`, 0);
  for (const end of [owner, newcomer]) await end.connected();
  await wait(10_000);
  await owner.write("of the owner");
  await newcomer.write("of the newcomer");
  await wait(5000);
  console.log(`${length}: the owner says ${await owner.says()}, has ${await owner.has()}`);
  console.log(`${length}: the newcomer says ${await newcomer.says()}, has ${await newcomer.has()}`);
  await owner.context.close();
  await newcomer.context.close();
}
const [first, second] = [await open("grows", 0), await open("grows", 0)];
for (const end of [first, second]) await end.connected();
await wait(5000);
for (let count = 0; count < 3; count += 1) {
  await first.grow(100_000);
  await wait(2000);
}
console.log(`grown while both were there: ${await second.has()}`);
const third = await open("grows", 0);
await third.connected();
await wait(10_000);
console.log(`a third one: ${await third.has()}`);
const tab = await open("grows", 0, first.context);
await wait(10_000);
console.log(`another tab of the first one's browser: ${await tab.has()}`);
await browser.close();
process.exit();
JS
cat >expected <<'TEXT'
200000: the owner says synced, has 200000 characters and of the newcomer, of the owner; errors: none
200000: the newcomer says synced, has 200000 characters and of the newcomer, of the owner; errors: none
300000: the owner says synced, has 300000 characters and of the newcomer, of the owner; errors: none
300000: the newcomer says not synced, has 0 characters and of the newcomer; errors: none
grown while both were there: 300000 characters and no note; errors: none
a third one: 0 characters and no note; errors: none
another tab of the first one's browser: 300000 characters and no note; errors: none
TEXT
node run.mjs | tee seen
diff expected seen && echo "as described: y-webrtc 10.3.0, $(chromium --version 2>/dev/null), Node $(node --version)"
