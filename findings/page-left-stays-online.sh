#!/usr/bin/env bash
# A page with socket.io-client 4.8.4 that its user has left by a link stays connected, for Chromium 156 keeps it, and its
# websocket, for the way back: the server (socket.io 4.8.4) learns of it by the heartbeat only.
#
# Expected: following a link closes the page's connections, so that the server sees "transport close" within a moment; that is
# what happens in a page with a handler of `unload`. Seen: Chromium puts the page aside with its websocket open. Until pingInterval and
# pingTimeout are over (45 s by default; 4 s here) the user is online, and what is emitted to the page is accepted and lost,
# questions included. When the user comes back in time, the same page continues, its socket ends with "transport error" and
# connects anew. What helps is `socket.disconnect()` at `pagehide` and `connect()` at `pageshow`.
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
const server = new Server(http, { pingInterval: 2000, pingTimeout: 2000 });
await new Promise((done) => http.listen(0, "127.0.0.1", done));
const url = `http://127.0.0.1:${http.address().port}/`;
const browser = await puppeteer.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"], headless: true });

// Opens a page with a socket, prepares it, and follows a link to another page of the site.
async function leave(name, prepare, back) {
  const page = await browser.newPage();
  await page.goto(`${url}?first`);
  const connection = new Promise((done) => server.once("connection", done));
  await page.evaluate(() => {
    window.seen = [];
    window.socket = io({ transports: ["websocket"] });
    socket.on("connect", () => seen.push("connect"));
    socket.on("note", () => seen.push("note"));
    socket.on("disconnect", (reason) => seen.push(reason));
    addEventListener("pageshow", (event) => event.persisted && seen.push("back"));
  });
  await page.evaluate(prepare);
  const socket = await connection;
  const ended = new Promise((done) => socket.on("disconnect", done));
  await wait(200);
  await page.goto(`${url}?second`);
  const at = await Promise.race([ended, wait(500).then(() => "online")]);
  socket.emit("note");
  if (back) {
    await page.goBack();
    while (!(await page.evaluate(() => window.seen?.filter((what) => what === "connect").length === 2))) await wait(100);
    console.log(`${name}: ${at}; after the way back the page has seen ${(await page.evaluate(() => seen)).join(", ")}`);
  } else {
    console.log(`${name}: ${at}, then ${await ended}`);
  }
  await page.close();
}

setTimeout(() => { console.log("nothing in 90 s"); process.exit(1); }, 90_000);
await leave("a page", () => {}, false);
await leave("a page, and back", () => {}, true);
await leave("with a handler of unload", () => addEventListener("unload", () => {}), false);
await leave("disconnecting at pagehide", () => addEventListener("pagehide", () => socket.disconnect()), false);
await browser.close();
process.exit();
JS
cat >expected <<'TEXT'
a page: online, then ping timeout
a page, and back: online; after the way back the page has seen connect, back, transport error, connect
with a handler of unload: transport close, then transport close
disconnecting at pagehide: client namespace disconnect, then client namespace disconnect
TEXT
node run.mjs | tee seen
diff expected seen &&
    echo "as described: $(chromium --version 2>/dev/null), socket.io and socket.io-client 4.8.4, Node $(node --version)"
