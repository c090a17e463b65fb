#!/usr/bin/env bash
# `send` of a data channel sends something else than the bytes of a typed array in node-datachannel 0.33.4 (its W3C-like
# part) and werift 0.24.4: of the two bytes of a `Uint16Array` one, and nothing of a `DataView`.
#
# Expected: as in a browser and in @roamhq/wrtc 0.10.0, a view is the bytes that it shows. Seen: both stacks copy the
# elements of the view, each cut to its lowest byte, and take a `DataView` for an empty array; werift sends nothing
# of an `ArrayBuffer` either. `send` reports nothing. A `Uint8Array` and a `Buffer` arrive as they are, so a program that
# was tried with those fails when its samples become `Int16Array` or `Float32Array`.
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
  other.binaryType = "arraybuffer";
  while (channel.readyState !== "open") await wait(20);
  return [channel, other];
}

const bytes = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]);
const views = [
  bytes.subarray(2, 4),
  Buffer.from(bytes.buffer, 2, 2),
  new Uint16Array(bytes.buffer, 2, 1),
  new DataView(bytes.buffer, 2, 2),
  bytes.buffer.slice(2, 4),
];

setTimeout(() => { console.log("nothing in 60 s"); process.exit(1); }, 60_000);
for (const [name, stack] of Object.entries({ "@roamhq/wrtc": wrtc, "node-datachannel": polyfill, werift })) {
  const [channel, other] = await open(stack.RTCPeerConnection);
  await wait(300);
  const seen = [];
  for (const view of views) {
    let arrived = "nothing";
    other.onmessage = ({ data }) => (arrived = Buffer.from(data).toString("hex") || "nothing");
    channel.send(view);
    await wait(500);
    seen.push(`${view.constructor.name} ${arrived}`);
  }
  console.log(`${name} sends of 03 04 as ${seen.join(", ")}`);
}
process.exit();
JS
cat >expected <<'TEXT'
@roamhq/wrtc sends of 03 04 as Uint8Array 0304, Buffer 0304, Uint16Array 0304, DataView 0304, ArrayBuffer 0304
node-datachannel sends of 03 04 as Uint8Array 0304, Buffer 0304, Uint16Array 03, DataView nothing, ArrayBuffer 0304
werift sends of 03 04 as Uint8Array 0304, Buffer 0304, Uint16Array 03, DataView nothing, ArrayBuffer nothing
TEXT
node run.mjs | tee seen
diff expected seen && echo "as described: Node $(node --version)"
