#!/usr/bin/env bash
# @roamhq/wrtc 0.10.0 never fires `bufferedamountlow`, and werift 0.24.4 only for listeners, not for the handler
# `onbufferedamountlow`.
#
# Expected: a sender that stops at a mark and goes on at `bufferedamountlow`, the pattern of every file transfer, works in
# all stacks that have the two properties. Seen: wrtc has `bufferedAmountLowThreshold`, keeps what it is set to, and lets
# `bufferedAmount` rise to megabytes and fall to 0, without the event: the sender stops for ever after its first window.
# werift fires for `addEventListener` alone. node-datachannel 0.33.4 fires both. What works everywhere is to ask
# `bufferedAmount` again after a while.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent \
    node-datachannel@0.33.4 werift@0.24.4 @roamhq/wrtc@0.10.0
cat >run.mjs <<'JS'
import * as polyfill from "node-datachannel/polyfill";
import * as werift from "werift";
import wrtc from "@roamhq/wrtc";

const plain = ({ type, sdp }) => ({ type, sdp });
const wait = (time) => new Promise((done) => setTimeout(done, time));

async function gathered(peer) {
  while (peer.iceGatheringState !== "complete") await wait(20);
}

// A channel of this stack to one of libwebrtc.
async function open(RTCPeerConnection) {
  const sender = new RTCPeerConnection({ iceServers: [] });
  const receiver = new wrtc.RTCPeerConnection({ iceServers: [] });
  const channel = sender.createDataChannel("x");
  const theirs = new Promise((done) => (receiver.ondatachannel = (event) => done(event.channel)));
  await sender.setLocalDescription(plain(await sender.createOffer()));
  await gathered(sender);
  await receiver.setRemoteDescription(plain(sender.localDescription));
  await receiver.setLocalDescription(await receiver.createAnswer());
  await gathered(receiver);
  await sender.setRemoteDescription(plain(receiver.localDescription));
  const other = await theirs;
  while (channel.readyState !== "open") await wait(20);
  return [channel, other];
}

setTimeout(() => { console.log("nothing in 90 s"); process.exit(1); }, 90_000);
for (const [name, stack] of Object.entries({ "@roamhq/wrtc": wrtc, "node-datachannel": polyfill, werift })) {
  const [channel, other] = await open(stack.RTCPeerConnection);
  await wait(300);
  let [arrived, handler, listener] = [0, 0, 0];
  other.onmessage = () => (arrived += 1);
  channel.bufferedAmountLowThreshold = 65_536;
  channel.onbufferedamountlow = () => (handler += 1);
  channel.addEventListener("bufferedamountlow", () => (listener += 1));
  let most = 0;
  for (let count = 0; count < 400; count += 1) {
    channel.send(new Uint8Array(16_384));
    most = Math.max(most, channel.bufferedAmount);
  }
  while (arrived < 400) await wait(100);
  await wait(1000);
  const fired = (count) => (count > 0 ? "fired" : "not fired");
  const range = `threshold ${channel.bufferedAmountLowThreshold}, ${most > 65_536 ? "above it" : "below it"}, then ${channel.bufferedAmount}`;
  console.log(`${name}: ${range}; handler ${fired(handler)}, listener ${fired(listener)}`);
}
process.exit();
JS
cat >expected <<'TEXT'
@roamhq/wrtc: threshold 65536, above it, then 0; handler not fired, listener not fired
node-datachannel: threshold 65536, above it, then 0; handler fired, listener fired
werift: threshold 65536, above it, then 0; handler not fired, listener fired
TEXT
node run.mjs | tee seen
diff expected seen && echo "as described: Node $(node --version)"
