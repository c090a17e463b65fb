#!/usr/bin/env bash
# With socket.io-msgpack-parser 3.0.2 a page sends a `Uint8Array` as an object of numbers, `{"0":1,"1":2}`, and gets one of a server
# in Node as a list of 0 and an `ArrayBuffer`; between two programs in Node both are bytes.
#
# Expected: MessagePack has bytes, and the parser is advertised for binary data, so a typed array is bytes everywhere, as
# with the default parser. Seen: the encoder (notepack.io 2.2.0) has two versions, one of which bundlers take for a page by the field
# `browser`. That one knows `ArrayBuffer` only: of views it sends the enumerable fields, a `DataView` and a `Blob` are `{}`, without an
# error. The version for Node sends views as an extension of its own, which that of a page does not know. What is
# tested in Node is right, and the same lines in a page are not. What passes in both directions: `ArrayBuffer` from a
# page, `Buffer` from Node.
#
# Needs Debian's chromium.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --no-audit --no-fund --silent socket.io@4.8.4 socket.io-client@4.8.4 socket.io-msgpack-parser@3.0.2 \
    puppeteer-core@24.43.1 esbuild@0.28.2
cat >values.mjs <<'JS'
const bytes = () => new Uint8Array([1, 2]);
export const values = {
  "an ArrayBuffer": bytes().buffer,
  "a Uint8Array": bytes(),
  "a Float32Array": new Float32Array([1.5]),
  "a DataView": new DataView(bytes().buffer),
};
export const show = (value) => {
  if (Array.isArray(value)) return `a list of ${value.map(show).join(" and ")}`;
  if (value instanceof ArrayBuffer) return `bytes ${new Uint8Array(value).join(" ")}`;
  if (ArrayBuffer.isView(value)) return `bytes ${new Uint8Array(value).join(" ")}`;
  return JSON.stringify(value);
};
JS
cat >client.mjs <<'JS'
import { io } from "socket.io-client";
import parser from "socket.io-msgpack-parser";
import { values, show } from "./values.mjs";

// What a server makes of each value, and what comes of the same value from it.
export async function run(url) {
  const seen = [];
  for (const kind of ["default", "msgpack"]) {
    const options = { forceNew: true, path: `/${kind}`, ...(kind === "msgpack" && { parser }) };
    const socket = io(url, options);
    await new Promise((done) => socket.on("connect", done));
    for (const [name, value] of Object.entries(values)) {
      const sent = await new Promise((done) => socket.emit("show", value, done));
      const received = await new Promise((done) => socket.emit("send", name, done));
      seen.push(`${kind}, ${name}: sent as ${sent}, received as ${show(received)}`);
    }
    socket.close();
  }
  return seen;
}
JS
node_modules/.bin/esbuild client.mjs --bundle --platform=browser --format=iife --global-name=client --outfile=page.js \
    --log-level=error
cat >run.mjs <<'JS'
import { readFileSync } from "fs";
import { createServer } from "http";
import puppeteer from "puppeteer-core";
import { Server } from "socket.io";
import parser from "socket.io-msgpack-parser";
import { run } from "./client.mjs";
import { values, show } from "./values.mjs";

const script = readFileSync("page.js");
const http = createServer((request, response) => (request.url === "/page.js"
  ? response.setHeader("content-type", "text/javascript").end(script)
  : response.setHeader("content-type", "text/html").end("<!doctype html><title>page</title><script src=/page.js></script>")));
// Each server has the values, too.
for (const options of [{ path: "/default" }, { path: "/msgpack", parser }]) {
  new Server(http, options).on("connection", (socket) => {
    socket.on("show", (value, answer) => answer(show(value)));
    socket.on("send", (name, answer) => answer(values[name]));
  });
}
await new Promise((done) => http.listen(0, "127.0.0.1", done));
const url = `http://127.0.0.1:${http.address().port}`;
setTimeout(() => { console.log("nothing in 90 s"); process.exit(1); }, 90_000);
for (const line of await run(url)) console.log(`Node, ${line}`);
const browser = await puppeteer.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"], headless: true });
const page = await browser.newPage();
await page.goto(url);
for (const line of await page.evaluate((url) => client.run(url), url)) console.log(`a page, ${line}`);
await browser.close();
process.exit();
JS
cat >expected <<'TEXT'
Node, default, an ArrayBuffer: sent as bytes 1 2, received as bytes 1 2
Node, default, a Uint8Array: sent as bytes 1 2, received as bytes 1 2
Node, default, a Float32Array: sent as bytes 0 0 192 63, received as bytes 0 0 192 63
Node, default, a DataView: sent as bytes 1 2, received as bytes 1 2
Node, msgpack, an ArrayBuffer: sent as bytes 1 2, received as bytes 1 2
Node, msgpack, a Uint8Array: sent as bytes 1 2, received as bytes 1 2
Node, msgpack, a Float32Array: sent as bytes 0 0 192 63, received as bytes 0 0 192 63
Node, msgpack, a DataView: sent as bytes 1 2, received as bytes 1 2
a page, default, an ArrayBuffer: sent as bytes 1 2, received as bytes 1 2
a page, default, a Uint8Array: sent as bytes 1 2, received as bytes 1 2
a page, default, a Float32Array: sent as bytes 0 0 192 63, received as bytes 0 0 192 63
a page, default, a DataView: sent as bytes 1 2, received as bytes 1 2
a page, msgpack, an ArrayBuffer: sent as bytes 1 2, received as a list of 0 and bytes 1 2
a page, msgpack, a Uint8Array: sent as {"0":1,"1":2}, received as a list of 0 and bytes 1 2
a page, msgpack, a Float32Array: sent as {"0":1.5}, received as a list of 0 and bytes 0 0 192 63
a page, msgpack, a DataView: sent as {}, received as a list of 0 and bytes 1 2
TEXT
node run.mjs | tee seen
diff expected seen && echo "as described: socket.io-msgpack-parser 3.0.2, socket.io 4.8.4, $(chromium --version 2>/dev/null), Node $(node --version)"
