#!/usr/bin/env bash
# A connection of PeerJS 1.5.5 with `serialization: "json"` takes no message of 16,300 bytes or more (Chromium 156), where the default
# one takes any.
#
# Expected: the serialization decides how a value is written, and large messages are cut and put together again as with the default, or
# at least go up to the 256 KiB that browsers take. Seen: 16,299 bytes of JSON are the limit. `send` returns as ever, the connection
# stays open, and nothing arrives; the only sign is an `error` event of the connection ("message-too-big"), which nobody hears without a
# handler for it. So an application that switched to JSON for readable messages loses its first large one.
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
for (const serialization of ["binary", "json"]) {
  for (const length of [16_299, 16_300, 100_000, 1_000_000]) {
    const outcome = await page.evaluate(async (serialization, length) => {
      const { from, got, errors } = await connect({ reliable: true, serialization });
      // With its quotes as long as said.
      let says = "returns";
      try {
        from.send("x".repeat(length - 2));
      } catch (error) {
        says = error.message;
      }
      from.send("last");
      while (got.at(-1) !== "last") await wait(20);
      const text = `send ${says}, ${got.length - 1} arrives, errors ${errors.join() || "none"}, open ${from.open}`;
      from.close();
      return text;
    }, serialization, length);
    console.log(`${serialization}, ${length} bytes: ${outcome}`);
  }
}
await browser.close();
process.exit();
JS
cat >expected <<'TEXT'
binary, 16299 bytes: send returns, 1 arrives, errors none, open true
binary, 16300 bytes: send returns, 1 arrives, errors none, open true
binary, 100000 bytes: send returns, 1 arrives, errors none, open true
binary, 1000000 bytes: send returns, 1 arrives, errors none, open true
json, 16299 bytes: send returns, 1 arrives, errors none, open true
json, 16300 bytes: send returns, 0 arrives, errors message-too-big, open true
json, 100000 bytes: send returns, 0 arrives, errors message-too-big, open true
json, 1000000 bytes: send returns, 0 arrives, errors message-too-big, open true
TEXT
node run.mjs | tee seen
diff expected seen && echo "as described: peerjs 1.5.5, peer 1.0.2, $(chromium --version 2>/dev/null), Node $(node --version)"
