#!/usr/bin/env bash
# What a page emits at `pagehide` or `visibilitychange`, when its user follows a link or reloads it, arrives from Chromium 156 and never
# from Firefox ESR 153 (socket.io-client 4.8.4 over websocket).
#
# Expected: these two are the events for last words, as advised everywhere, since `beforeunload` is unreliable; a websocket takes what
# is emitted there. Seen: Firefox has ended the page's websocket before it fires `pagehide`, so that "I have left the room" is
# never sent, without an error; what was emitted at `beforeunload` arrives. So a goodbye that is
# to arrive is emitted at `beforeunload` as well, or goes by `navigator.sendBeacon`, or is the server's business when the connection ends.
#
# Needs Debian's chromium and firefox-esr.
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
let heard = [];
const http = createServer((request, response) => {
  if (request.method === "POST" && request.url === "/beacon") heard.push("a beacon at pagehide");
  response.setHeader("content-type", request.url === "/client.js" ? "text/javascript" : "text/html");
  response.end(request.url === "/client.js" ? library : '<!doctype html><title>page</title><script src=/client.js></script><a href="/other">on</a>');
});
const server = new Server(http);
server.on("connection", (socket) => socket.on("bye", (event) => heard.push(event)));
await new Promise((done) => http.listen(0, "127.0.0.1", done));
setTimeout(() => { console.log("nothing in 240 s"); process.exit(1); }, 240_000);
const browsers = {
  Chromium: { executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] },
  Firefox: { browser: "firefox", executablePath: "/usr/bin/firefox-esr" },
};
for (const [name, options] of Object.entries(browsers)) {
  const browser = await puppeteer.launch({ headless: true, ...options });
  for (const how of ["a link", "a reload"]) {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${http.address().port}`);
    await page.evaluate(async () => {
      window.socket = io({ transports: ["websocket"] });
      await new Promise((done) => socket.on("connect", done));
      const bye = (event) => socket.emit("bye", event.type);
      for (const event of ["beforeunload", "pagehide"]) addEventListener(event, bye);
      document.addEventListener("visibilitychange", bye);
      addEventListener("pagehide", () => navigator.sendBeacon("/beacon"));
    });
    await wait(1000);
    heard = [];
    if (how === "a link") await page.click("a");
    else await page.reload();
    await wait(5000);
    console.log(`${name}, ${how}: ${heard.sort().join(", ")}`);
    await page.close();
    await wait(500);
  }
  await browser.close();
}
process.exit();
JS
cat >expected <<'TEXT'
Chromium, a link: a beacon at pagehide, beforeunload, pagehide, visibilitychange
Chromium, a reload: a beacon at pagehide, beforeunload, pagehide, visibilitychange
Firefox, a link: a beacon at pagehide, beforeunload
Firefox, a reload: a beacon at pagehide, beforeunload
TEXT
node run.mjs | tee seen
diff expected seen &&
    echo "as described: $(chromium --version 2>/dev/null), $(firefox-esr --version 2>/dev/null), socket.io-client 4.8.4, Node $(node --version)"
