#!/usr/bin/env bash
# A page with socket.io-client 4.8.4 over polling that its user returns to by the back button (Chromium 156) says that it is
# connected, sends, and hears nothing until the heartbeat is over.
#
# Expected: on the way back the page goes on with its session, or its socket ends and connects anew at once, as it does over
# websocket. Seen: Chromium has ended the waiting poll without telling the page, so that the client waits for an answer that
# nobody will give and asks for nothing more. `connected` is true, what the page emits arrives, no event comes in, answers
# included. pingInterval and pingTimeout later (45 s by default; 8 s here) it ends with "ping timeout" and comes back, without what
# was emitted meanwhile. Where websockets are blocked that is every way back. A page helps itself by disconnecting at
# `pagehide`, or by `socket.disconnect().connect()` at a `pageshow` that is `persisted`.
#
# Needs Debian's chromium.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent \
    socket.io@4.8.4 socket.io-client@4.8.4 puppeteer-core@24.43.1
cat >run.mjs <<'JS'
import { readFileSync } from "fs";
import { createServer } from "http";
import puppeteer from "puppeteer-core";
import { Server } from "socket.io";

const library = readFileSync("node_modules/socket.io-client/dist/socket.io.min.js");
const wait = (time) => new Promise((done) => setTimeout(done, time));
const http = createServer((request, response) => {
  response.setHeader("content-type", request.url === "/client.js" ? "text/javascript" : "text/html");
  response.end(request.url === "/client.js" ? library : "<!doctype html><title>page</title><script src=/client.js></script>");
});
const server = new Server(http, { pingInterval: 4000, pingTimeout: 4000 });
let heard = 0;
server.on("connection", (socket) => socket.on("from the page", (answer) => { heard += 1; answer(); }));
await new Promise((done) => http.listen(0, "127.0.0.1", done));
const url = `http://127.0.0.1:${http.address().port}/`;
const browser = await puppeteer.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"], headless: true });

// Opens a page, goes away for a moment and back, and says what passes then.
async function back(transport, prepare) {
  const page = await browser.newPage();
  await page.goto(`${url}?first`);
  await page.evaluate((transport) => {
    window.seen = { connects: 0, ends: [], notes: 0, answers: 0 };
    window.socket = io({ transports: [transport] });
    socket.on("connect", () => (seen.connects += 1));
    socket.on("disconnect", (reason) => seen.ends.push(reason));
    socket.on("note", () => (seen.notes += 1));
  }, transport);
  await page.evaluate(prepare);
  while (!(await page.evaluate(() => socket.connected))) await wait(50);
  await wait(300);
  await page.goto(`${url}?second`);
  await wait(200);
  await page.goBack();
  await wait(1500);
  const connected = await page.evaluate(() => socket.connected);
  heard = 0;
  server.emit("note");
  await page.evaluate(() => socket.emit("from the page", () => (seen.answers += 1)));
  await wait(500);
  const { notes, answers } = await page.evaluate(() => seen);
  console.log(`connected ${connected}; to the server ${heard} of 1, answered ${answers}, from the server ${notes} of 1`);
  while ((await page.evaluate(() => seen.connects)) < 2) await wait(100);
  console.log(`  ends: ${(await page.evaluate(() => seen)).ends.join(", ")}`);
  await page.close();
}

setTimeout(() => { console.log("nothing in 90 s"); process.exit(1); }, 90_000);
console.log("websocket");
await back("websocket", () => {});
console.log("polling");
await back("polling", () => {});
console.log("polling, with disconnect() and connect() at pageshow");
await back("polling", () => addEventListener("pageshow", (event) => event.persisted && socket.disconnect().connect()));
await browser.close();
process.exit();
JS
cat >expected <<'TEXT'
websocket
connected true; to the server 1 of 1, answered 1, from the server 1 of 1
  ends: transport error
polling
connected true; to the server 1 of 1, answered 0, from the server 0 of 1
  ends: ping timeout
polling, with disconnect() and connect() at pageshow
connected true; to the server 1 of 1, answered 1, from the server 1 of 1
  ends: io client disconnect
TEXT
node run.mjs | tee seen
diff expected seen &&
    echo "as described: $(chromium --version 2>/dev/null), socket.io and socket.io-client 4.8.4, Node $(node --version)"
