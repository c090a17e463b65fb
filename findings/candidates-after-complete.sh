#!/usr/bin/env bash
# node-datachannel 0.33.4's W3C-like part says that gathering is "complete" before its first candidate, never gives the `null` at the
# end, and its candidates are refused by libwebrtc (@roamhq/wrtc 0.10.0) as they are.
#
# Expected: `icecandidate` brings the candidates, then `null`, and `iceGatheringState` is "complete" last, as the W3C has it and
# libwebrtc does; and what `JSON.stringify(candidate)` sends is taken by `addIceCandidate` of the other end. Seen: a program
# that sends its description at the `null` waits for ever, and one that trickles and stops at "complete" sends no
# candidate. What comes begins with "a=candidate:" and has `sdpMLineIndex: null`, a TypeError for @roamhq/wrtc. (Chromium, Firefox and
# werift 0.24.4 take it.) werift ends with `undefined`, which `=== null` does not find.
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

const plain = ({ type, sdp }) => ({ type, sdp });
const wait = (time) => new Promise((done) => setTimeout(done, time));

// What happens while a stack gathers, runs of the same shortened; its offer, and its candidates as JSON.
async function gather(RTCPeerConnection) {
  const peer = new RTCPeerConnection({ iceServers: [] });
  const seen = [];
  const candidates = [];
  const see = (what) => seen.at(-1) === what || seen.push(what);
  peer.onicegatheringstatechange = () => see(peer.iceGatheringState);
  peer.onicecandidate = ({ candidate }) => {
    if (!candidate) return see(`${candidate}`);
    candidates.push(JSON.stringify(candidate));
    see("candidates");
  };
  peer.createDataChannel("x");
  const offer = plain(await peer.createOffer());
  await peer.setLocalDescription(offer);
  await wait(3000);
  return { seen, offer, candidates };
}

// Runs in a page too: whether a stack takes an offer's candidates.
async function take(RTCPeerConnection, offer, candidates) {
  const peer = new RTCPeerConnection({ iceServers: [] });
  await peer.setRemoteDescription(offer);
  for (const candidate of candidates) {
    try {
      await peer.addIceCandidate(JSON.parse(candidate));
    } catch (error) {
      return `refuses them (${error.name})`;
    }
  }
  return "takes them";
}

async function browser(name, executablePath, args, offer, candidates) {
  const browser = await puppeteer.launch({ browser: name, executablePath, args, headless: true });
  const page = await browser.newPage();
  const call = `(${take})(RTCPeerConnection, ${JSON.stringify(offer)}, ${JSON.stringify(candidates)})`;
  console.log(`  ${name} ${await page.evaluate(call)}`);
  await browser.close();
}

setTimeout(() => { console.log("nothing in 120 s"); process.exit(1); }, 120_000);
const stacks = { "@roamhq/wrtc": wrtc, "node-datachannel": polyfill, werift };
for (const [name, stack] of Object.entries(stacks)) {
  const { seen, offer, candidates } = await gather(stack.RTCPeerConnection);
  console.log(`${name}: ${seen.join(", ")}`);
  if (name === "node-datachannel") {
    const { candidate, sdpMLineIndex } = JSON.parse(candidates[0]);
    console.log(`  a candidate begins with ${candidate.split(":")[0]}, sdpMLineIndex ${sdpMLineIndex}`);
    await browser("chrome", "/usr/bin/chromium", ["--no-sandbox"], offer, candidates);
    await browser("firefox", "/usr/bin/firefox-esr", [], offer, candidates);
  }
  for (const [other, { RTCPeerConnection }] of Object.entries(stacks))
    if (other !== name) console.log(`  ${other} ${await take(RTCPeerConnection, offer, candidates)}`);
}
process.exit();
JS
cat >expected <<'TEXT'
@roamhq/wrtc: gathering, candidates, complete, null
  node-datachannel takes them
  werift takes them
node-datachannel: complete, candidates
  a candidate begins with a=candidate, sdpMLineIndex null
  chrome takes them
  firefox takes them
  @roamhq/wrtc refuses them (TypeError)
  werift takes them
werift: gathering, candidates, undefined, complete
  @roamhq/wrtc takes them
  node-datachannel takes them
TEXT
node run.mjs | tee seen
diff expected seen &&
    echo "as described: $(chromium --version 2>/dev/null), $(firefox-esr --version), Node $(node --version)"
