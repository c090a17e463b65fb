#!/usr/bin/env bash
# A data channel with `negotiated: true` is "open" before its partner has made its half, and what is sent then is lost by
# libwebrtc (Chromium, @roamhq/wrtc 0.10.0) and werift 0.24.4; with libdatachannel (node-datachannel 0.33.4) at the other end
# the channel dies of it. Firefox keeps it.
#
# Expected: a channel that is reliable and says `open` delivers what is sent, or opens when both ends have it. Seen: no end
# knows whether the other one has made the channel; on a connection that is up it is open at once. A message that
# arrives first is dropped there without a word, and the sender's `bufferedAmount` is 0. libdatachannel instead closes
# the stream, so that the sender's channel is closed and later messages fail as well. So after a negotiated channel
# opens, both ends must hear of each other once before they trust it, or make it before they connect.
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

// Runs in a page too: one end makes a negotiated channel and sends, then the other one makes its half.
async function alone(Sender, Receiver) {
  const plain = ({ type, sdp }) => ({ type, sdp });
  const wait = (time) => new Promise((done) => setTimeout(done, time));
  const gathered = async (peer) => {
    while (peer.iceGatheringState !== "complete") await wait(20);
  };
  const sender = new Sender({ iceServers: [] });
  const receiver = new Receiver({ iceServers: [] });
  const first = sender.createDataChannel("first");
  await sender.setLocalDescription(plain(await sender.createOffer()));
  await gathered(sender);
  await receiver.setRemoteDescription(plain(sender.localDescription));
  await receiver.setLocalDescription(plain(await receiver.createAnswer()));
  await gathered(receiver);
  await sender.setRemoteDescription(plain(receiver.localDescription));
  while (first.readyState !== "open") await wait(20);
  await wait(300);

  const mine = sender.createDataChannel("channel", { negotiated: true, id: 17 });
  while (mine.readyState !== "open") await wait(20);
  mine.send("early");
  await wait(500);
  const said = `open, sends with ${mine.bufferedAmount} left`;
  const got = [];
  const theirs = receiver.createDataChannel("channel", { negotiated: true, id: 17 });
  theirs.onmessage = (event) => got.push(event.data);
  await wait(500);
  try {
    mine.send("late");
  } catch (error) {
    got.push(`nothing (${error.name})`);
  }
  await wait(500);
  return `${said}; then ${mine.readyState}, arrived: ${got.join(", ") || "nothing"}`;
}

async function browser(name, executablePath, args) {
  const browser = await puppeteer.launch({ browser: name, executablePath, args, headless: true });
  const page = await browser.newPage();
  console.log(`${name}: ${await page.evaluate(`(${alone})(RTCPeerConnection, RTCPeerConnection)`)}`);
  await browser.close();
}

setTimeout(() => { console.log("nothing in 120 s"); process.exit(1); }, 120_000);
await browser("firefox", "/usr/bin/firefox-esr", []);
// Without names under .local, which need multicast.
await browser("chrome", "/usr/bin/chromium", ["--no-sandbox", "--disable-features=WebRtcHideLocalIpsWithMdns"]);
for (const [name, stack] of Object.entries({ "@roamhq/wrtc": wrtc, werift, "node-datachannel": polyfill }))
  console.log(`@roamhq/wrtc to ${name}: ${await alone(wrtc.RTCPeerConnection, stack.RTCPeerConnection)}`);
process.exit();
JS
cat >expected <<'TEXT'
firefox: open, sends with 0 left; then open, arrived: early, late
chrome: open, sends with 0 left; then open, arrived: late
@roamhq/wrtc to @roamhq/wrtc: open, sends with 0 left; then open, arrived: late
@roamhq/wrtc to werift: open, sends with 0 left; then open, arrived: late
@roamhq/wrtc to node-datachannel: open, sends with 0 left; then closed, arrived: nothing (InvalidStateError)
TEXT
node run.mjs | tee seen
diff expected seen &&
    echo "as described: $(chromium --version 2>/dev/null), $(firefox-esr --version), Node $(node --version)"
