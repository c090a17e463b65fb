#!/usr/bin/env bash
# PeerJS 1.5.5 (Chromium 156) delivers messages in another order than they were sent in: by default large ones after small ones that came
# later, and one with a `Blob` in it on every connection.
#
# Expected: `reliable: false`, the default, may lose something on a bad network; between two peers in one browser all arrives, in its
# order; and with `reliable: true` everywhere. Seen: `reliable` stands for order alone, nothing is ever lost. Without it what was
# sent before may come later even where no packet is lost, as soon as messages of more than 16 kB, which PeerJS sends in pieces, are among
# small ones. A message with a `Blob` or `File` anywhere in it waits until the bytes are read, and what was sent behind it goes first, also
# with `reliable: true`: the file that was announced to come "now" arrives after "done". `await blob.arrayBuffer()` keeps the order.
#
# Needs Debian's chromium.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent peerjs@1.5.5 peer@1.0.2 puppeteer-core@24.43.1
cat >run.mjs <<'JS'
import { readFileSync } from "fs";
import { createServer } from "http";
import { PeerServer } from "peer";
import puppeteer from "puppeteer-core";

const library = readFileSync("node_modules/peerjs/dist/peerjs.min.js");
const http = createServer((request, response) => (request.url === "/peerjs.js"
  ? response.setHeader("content-type", "text/javascript").end(library)
  : response.setHeader("content-type", "text/html").end("<!doctype html><title>page</title><script src=/peerjs.js></script>")));
await new Promise((done) => http.listen(0, "127.0.0.1", done));
const port = await new Promise((done) => PeerServer({ port: 0, host: "127.0.0.1" }, (server) => done(server.address().port)));
setTimeout(() => { console.log("nothing in 120 s"); process.exit(1); }, 120_000);
const browser = await puppeteer.launch({
  executablePath: "/usr/bin/chromium", headless: true,
  args: ["--no-sandbox", "--disable-features=WebRtcHideLocalIpsWithMdns", "--allow-loopback-in-peer-connection"],
});
const page = await browser.newPage();
await page.goto(`http://127.0.0.1:${http.address().port}`);
// Two peers, and connections from one to the other.
await page.evaluate(async (port) => {
  const peer = (id) => new Promise((done) => {
    const one = new Peer(id, { host: "127.0.0.1", port, config: { iceServers: [] } });
    one.on("open", () => done(one));
  });
  const [here, there] = [await peer("here"), await peer("there")];
  window.connect = async (options) => {
    const incoming = new Promise((done) => there.once("connection", done));
    const from = here.connect("there", options);
    const to = await incoming;
    await Promise.all([from, to].map((end) => new Promise((done) => end.on("open", done))));
    const got = [];
    const errors = [];
    to.on("data", (data) => got.push(data));
    from.on("error", (error) => errors.push(error.type));
    return { from, got, errors };
  };
  window.wait = (time) => new Promise((done) => setTimeout(done, time));
}, port);
const attempt = async (what, options, send) => {
  // Up to twenty rounds, until one is out of order.
  const outcome = await page.evaluate(async (options, send) => {
    const { from, got } = await connect(options);
    const create = new Function("number", `return ${send}`);
    let mixed = false;
    for (let round = 0; round < 20 && !mixed; round += 1) {
      got.length = 0;
      for (let number = 0; number < 300; number += 1) from.send(create(number));
      while (got.length < 300) await wait(20);
      mixed = got.some(({ number }, index) => number !== index);
    }
    const { ordered, maxRetransmits, maxPacketLifeTime } = from.dataChannel;
    from.close();
    return `channel ordered ${ordered}, lossy ${maxRetransmits !== null || maxPacketLifeTime !== null}; 300 of 300 arrive, ${mixed ? "mixed" : "in order"}`;
  }, options, send);
  console.log(`${what}: ${outcome}`);
};
const mixed = '{ number, text: "x".repeat(number % 3 ? 10 : 40_000) }';
await attempt("default, large and small", {}, mixed);
await attempt("reliable, large and small", { reliable: true }, mixed);
await attempt("reliable, some with a Blob", { reliable: true }, '{ number, file: number % 3 ? null : new Blob(["abc"]) }');
await attempt("reliable, some with bytes", { reliable: true }, '{ number, file: number % 3 ? null : new Uint8Array(3).buffer }');
await browser.close();
process.exit();
JS
cat >expected <<'TEXT'
default, large and small: channel ordered false, lossy false; 300 of 300 arrive, mixed
reliable, large and small: channel ordered true, lossy false; 300 of 300 arrive, in order
reliable, some with a Blob: channel ordered true, lossy false; 300 of 300 arrive, mixed
reliable, some with bytes: channel ordered true, lossy false; 300 of 300 arrive, in order
TEXT
node run.mjs | tee seen
diff expected seen && echo "as described: peerjs 1.5.5, peer 1.0.2, $(chromium --version 2>/dev/null), Node $(node --version)"
