#!/usr/bin/env bash
# In @roamhq/wrtc 0.10.0 a further data channel of a connection that stands is "open" at once and never fires `open`.
#
# Expected: as in browsers, node-datachannel 0.33.4 and werift 0.24.4, a new channel is "connecting", and `open` follows. Seen:
# `createDataChannel` returns a channel whose `readyState` is "open" already, and there is no event, though its handler
# is set in the same turn; the channel works, and its other end gets its own `open`. The first channel, made before the
# connection, has the event. So a program that sends from the handler of `open`, as all examples do, waits for ever with its
# second channel, in Node only. (What helps: to look at `readyState` first.)
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

// What happens at a channel made now, within this time.
async function seen(peer, label) {
  const channel = peer.createDataChannel(label);
  const states = [channel.readyState];
  channel.onopen = () => states.push("event open");
  return { states, channel };
}

async function both(RTCPeerConnection) {
  const offerer = new RTCPeerConnection({ iceServers: [] });
  const answerer = new wrtc.RTCPeerConnection({ iceServers: [] });
  const messages = [];
  answerer.ondatachannel = ({ channel }) => (channel.onmessage = ({ data }) => messages.push(data));
  const first = await seen(offerer, "first");
  await offerer.setLocalDescription(plain(await offerer.createOffer()));
  await gathered(offerer);
  await answerer.setRemoteDescription(plain(offerer.localDescription));
  await answerer.setLocalDescription(await answerer.createAnswer());
  await gathered(answerer);
  await offerer.setRemoteDescription(plain(answerer.localDescription));
  while (first.channel.readyState !== "open") await wait(20);
  await wait(500);
  const second = await seen(offerer, "second");
  await wait(1500);
  second.channel.send("hello");
  await wait(500);
  return `${first.states.join(", ")}; second: ${second.states.join(", ")}; message ${messages}`;
}

setTimeout(() => { console.log("nothing in 60 s"); process.exit(1); }, 60_000);
for (const [name, stack] of Object.entries({ "@roamhq/wrtc": wrtc, "node-datachannel": polyfill, werift }))
  console.log(`${name}: first: ${await both(stack.RTCPeerConnection)}`);
process.exit();
JS
cat >expected <<'TEXT'
@roamhq/wrtc: first: connecting, event open; second: open; message hello
node-datachannel: first: connecting, event open; second: connecting, event open; message hello
werift: first: connecting, event open; second: connecting, event open; message hello
TEXT
node run.mjs | tee seen
diff expected seen && echo "as described: Node $(node --version)"
