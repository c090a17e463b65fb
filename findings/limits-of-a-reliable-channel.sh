#!/usr/bin/env bash
# A reliable data channel says `maxRetransmits: null`, and `null` for a new one means no retransmission at all in Chromium,
# Firefox and werift 0.24.4; in @roamhq/wrtc 0.10.0 the same channel says 65535, and `null` is a TypeError.
#
# Expected: an option that reads `null` may be given as `null`, so that a channel like another one, or one after a
# configuration in JSON, is `createDataChannel(label, { maxRetransmits: other.maxRetransmits })`. Seen: `null` becomes the
# number 0 and the new channel loses messages under load; with both limits it is a TypeError, so that
# `createDataChannel(other.label, other)` fails for every reliable channel. node-datachannel 0.33.4 takes `null` for
# none. And @roamhq/wrtc reports 65535 for both limits of a reliable channel, made here or there, which no test for `null`
# takes for reliable.
#
# Needs Debian's chromium and firefox-esr.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent \
    node-datachannel@0.33.4 werift@0.24.4 @roamhq/wrtc@0.10.0 puppeteer-core@24.43.1
cat >run.mjs <<'JS'
import * as polyfill from "node-datachannel/polyfill";
import puppeteer from "puppeteer-core";
import * as werift from "werift";
import wrtc from "@roamhq/wrtc";

// Runs in a page too: what the reliable channel of a stack says, and what becomes of copies.
function limits(RTCPeerConnection) {
  const peer = new RTCPeerConnection({ iceServers: [] });
  const show = ({ maxRetransmits, maxPacketLifeTime }) => `${maxRetransmits} and ${maxPacketLifeTime}`;
  const make = (options) => {
    try {
      return show(peer.createDataChannel("x", options));
    } catch (error) {
      return error.name;
    }
  };
  return `reliable says ${make({})}; null makes ${make({ maxRetransmits: null })}; ` +
    `both null make ${make({ maxRetransmits: null, maxPacketLifeTime: null })}`;
}

async function browser(name, executablePath, args) {
  const browser = await puppeteer.launch({ browser: name, executablePath, args, headless: true });
  const page = await browser.newPage();
  console.log(`${name}: ${await page.evaluate(`(${limits})(RTCPeerConnection)`)}`);
  await browser.close();
}

setTimeout(() => { console.log("nothing in 90 s"); process.exit(1); }, 90_000);
await browser("chrome", "/usr/bin/chromium", ["--no-sandbox"]);
await browser("firefox", "/usr/bin/firefox-esr", []);
console.log(`werift: ${limits(werift.RTCPeerConnection)}`);
console.log(`node-datachannel: ${limits(polyfill.RTCPeerConnection)}`);
console.log(`@roamhq/wrtc: ${limits(wrtc.RTCPeerConnection)}`);
process.exit();
JS
cat >expected <<'TEXT'
chrome: reliable says null and null; null makes 0 and null; both null make TypeError
firefox: reliable says null and null; null makes 0 and null; both null make TypeError
werift: reliable says null and null; null makes 0 and null; both null make TypeError
node-datachannel: reliable says null and null; null makes null and null; both null make null and null
@roamhq/wrtc: reliable says 65535 and 65535; null makes TypeError; both null make TypeError
TEXT
node run.mjs | tee seen
diff expected seen &&
    echo "as described: $(chromium --version 2>/dev/null), $(firefox-esr --version), Node $(node --version)"
