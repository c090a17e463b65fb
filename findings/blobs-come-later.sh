#!/usr/bin/env bash
# On a data channel Chromium 156 sends a `Blob` after the texts that were given to `send` behind it.
#
# Expected: an ordered channel sends in the order of the calls, whatever their kind, as a websocket does in the same browser, and as Firefox
# ESR 153 does on a data channel. Seen: Chromium reads the bytes of a `Blob` first, and the texts behind it go out meanwhile: a
# picture arrives behind the line that ends it. Blobs and buffers keep their order among each other.
# `bufferedAmount` counts the waiting bytes at once, so that it shows nothing of this. `send(await blob.arrayBuffer())` keeps the order.
#
# Needs Debian's chromium and firefox-esr.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent puppeteer-core@24.43.1 ws@8.23.0
cat >run.mjs <<'JS'
import { createServer } from "http";
import puppeteer from "puppeteer-core";
import { WebSocketServer } from "ws";

const http = createServer((_, response) => response.setHeader("content-type", "text/html").end("<!doctype html><title>page</title>"));
// Sends everything back.
new WebSocketServer({ server: http }).on("connection", (socket) => socket.on("message", (data, binary) => socket.send(data, { binary })));
await new Promise((done) => http.listen(0, "127.0.0.1", done));
setTimeout(() => { console.log("nothing in 180 s"); process.exit(1); }, 180_000);
const browsers = {
  Chromium: {
    executablePath: "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-features=WebRtcHideLocalIpsWithMdns", "--allow-loopback-in-peer-connection"],
  },
  Firefox: {
    browser: "firefox", executablePath: "/usr/bin/firefox-esr",
    extraPrefsFirefox: { "media.peerconnection.ice.obfuscate_host_addresses": false, "media.peerconnection.ice.loopback": true },
  },
};
for (const [name, options] of Object.entries(browsers)) {
  const browser = await puppeteer.launch({ headless: true, ...options });
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${http.address().port}`);
  const seen = await page.evaluate(async () => {
    const open = (one) => new Promise((done) => (one.onopen = done));
    const channels = async () => {
      const [from, to] = [new RTCPeerConnection(), new RTCPeerConnection()];
      from.onicecandidate = ({ candidate }) => candidate && to.addIceCandidate(candidate);
      to.onicecandidate = ({ candidate }) => candidate && from.addIceCandidate(candidate);
      const channel = from.createDataChannel("channel");
      const other = new Promise((done) => (to.ondatachannel = (event) => done(event.channel)));
      await from.setLocalDescription();
      await to.setRemoteDescription(from.localDescription);
      await to.setLocalDescription();
      await from.setRemoteDescription(to.localDescription);
      await open(channel);
      return [channel, await other];
    };
    const socket = new WebSocket(location.href.replace("http", "ws"));
    await open(socket);
    const lines = [];
    for (const [what, [from, to]] of [["a data channel", await channels()], ["a websocket", [socket, socket]]]) {
      to.binaryType = "arraybuffer";
      const got = [];
      const all = new Promise((done) => (to.onmessage = ({ data }) => {
        got.push(typeof data === "string" ? data : `${data.byteLength} bytes`);
        if (got.length === 5) done();
      }));
      const before = from.bufferedAmount;
      from.send(new Blob(["x".repeat(1000)]));
      const counted = from.bufferedAmount - before;
      from.send("the first text");
      from.send(new Blob(["x".repeat(10)]));
      from.send(new Uint8Array(3));
      from.send("the last text");
      await all;
      lines.push(`${what}: ${got.join(", ")}${from instanceof WebSocket ? "" : `; ${counted} counted at once`}`);
    }
    return lines;
  });
  for (const line of seen) console.log(`${name}, ${line}`);
  await browser.close();
}
process.exit();
JS
cat >expected <<'TEXT'
Chromium, a data channel: the first text, the last text, 1000 bytes, 10 bytes, 3 bytes; 1000 counted at once
Chromium, a websocket: 1000 bytes, the first text, 10 bytes, 3 bytes, the last text
Firefox, a data channel: 1000 bytes, the first text, 10 bytes, 3 bytes, the last text; 1000 counted at once
Firefox, a websocket: 1000 bytes, the first text, 10 bytes, 3 bytes, the last text
TEXT
node run.mjs | tee seen
diff expected seen &&
    echo "as described: $(chromium --version 2>/dev/null), $(firefox-esr --version 2>/dev/null), Node $(node --version)"
