#!/usr/bin/env bash
# socket.io-client 4.8.4 with its defaults never connects in a service worker, and `io()` without a URL goes to "blob://" in a worker
# made of a Blob and to "about://" in a frame with `srcdoc` (Chromium 156).
#
# Expected: the client picks what the place has: a service worker has websockets and `fetch`; and `io()` is the page's own server
# wherever a script of the page runs. Seen: in a service worker, which has no XMLHttpRequest, polling comes first and fails
# with "xhr poll error", as if the server were down, again at each attempt; websocket is not tried. With
# `transports: ["websocket"]` it connects. In a worker made of a Blob, as bundlers inline them, and in a frame with `srcdoc`, the
# host of `location` is empty, and the client asks for "blob://blob://" without a word about the URL. So name the URL and the
# transport in every worker.
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

// Runs wherever a script of the page runs, and tells how the first attempt ends.
const attempt = `(call, tell) => {
  const socket = call();
  socket.on("connect", () => tell("connects"));
  socket.on("connect_error", (error) => tell(error.message + " at " + socket.io.uri.replace(/[0-9]+/g, "N")));
}`;
const options = "{ reconnection: false, forceNew: true }";
const worker = (call) => `importScripts("URL/client.js"); (${attempt})(() => ${call}, (what) => postMessage(what));`;
const files = {
  "/": ["text/html", "<!doctype html><title>page</title><script src=/client.js></script>"],
  "/client.js": ["text/javascript", readFileSync("node_modules/socket.io-client/dist/socket.io.min.js")],
  "/worker.js": ["text/javascript", worker(`io(${options})`).replace("URL", "")],
  "/service.js": ["text/javascript", `importScripts("/client.js");
    onmessage = ({ data, source }) => (${attempt})(() => io(data.url, data.options), (what) => source.postMessage(what));`],
};
const http = createServer((request, response) => {
  const [type, body] = files[request.url] ?? files["/"];
  response.setHeader("content-type", type).end(body);
});
new Server(http);
await new Promise((done) => http.listen(0, "127.0.0.1", done));
const url = `http://127.0.0.1:${http.address().port}`;
const browser = await puppeteer.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"], headless: true });
setTimeout(() => { console.log("nothing in 90 s"); process.exit(1); }, 90_000);
const page = await browser.newPage();
await page.goto(url);
const inline = (call) => worker(call).replace("URL", url);
const seen = await page.evaluate(async ({ url, attempt, options, blobs }) => {
  const seen = [];
  const hear = (worker) => new Promise((done) => (worker.onmessage = ({ data }) => done(data)));
  seen.push(["a page, io()", await new Promise((done) => eval(attempt)(() => eval(`io(${options})`), done))]);
  seen.push(["a worker of a file, io()", await hear(new Worker("/worker.js"))]);
  for (const [name, code] of blobs) seen.push([name, await hear(new Worker(URL.createObjectURL(new Blob([code]))))]);
  const frame = document.createElement("iframe");
  const told = new Promise((done) => (window.tell = done));
  frame.srcdoc = `<script src=/client.js></${""}script><script>(${attempt})(() => io(${options}), parent.tell)</${""}script>`;
  document.body.append(frame);
  seen.push(["a frame with srcdoc, io()", await told]);
  const { active } = await navigator.serviceWorker.register("/service.js").then(() => navigator.serviceWorker.ready);
  for (const transports of [["polling", "websocket"], ["websocket"]]) {
    active.postMessage({ url, options: { reconnection: false, forceNew: true, transports } });
    seen.push([`a service worker, ${transports.join(" and ")}`, await hear(navigator.serviceWorker)]);
  }
  return seen;
}, {
  url, attempt, options,
  blobs: [["a worker of a Blob, io()", inline(`io(${options})`)], ["a worker of a Blob, io(url)", inline(`io("${url}", ${options})`)]],
});
for (const [name, what] of seen) console.log(`${name}: ${what}`);
await browser.close();
process.exit();
JS
cat >expected <<'TEXT'
a page, io(): connects
a worker of a file, io(): connects
a worker of a Blob, io(): xhr poll error at blob://blob://
a worker of a Blob, io(url): connects
a frame with srcdoc, io(): xhr poll error at about://about://
a service worker, polling and websocket: xhr poll error at http://N.N.N.N:N
a service worker, websocket: connects
TEXT
node run.mjs | tee seen
diff expected seen &&
    echo "as described: $(chromium --version 2>/dev/null), socket.io and socket.io-client 4.8.4, Node $(node --version)"
