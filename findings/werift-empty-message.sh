#!/usr/bin/env bash
# An empty message ends a data channel of werift 0.24.4 in silence: neither it nor anything that is sent behind it arrives.
#
# Expected: an empty text and an empty buffer are messages as others, as @roamhq/wrtc 0.10.0 and node-datachannel 0.33.4 send them (RFC 8831
# has a protocol number of its own for each, with one byte on the wire). Seen: `send("")` sends nothing and takes a place in the
# channel's order all the same, so that the other end holds back for ever whatever comes behind. The channel stays "open" at both ends,
# `bufferedAmount` is 0, and no event tells it; other channels of the connection work. A line of a text that happens to be
# empty, or the last piece of a file whose size is a multiple of the pieces' is enough. An unordered channel goes on.
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

const wait = (time) => new Promise((done) => setTimeout(done, time));
const until = async (true_, limit) => {
  for (const start = Date.now(); !true_() && Date.now() - start < limit;) await wait(50);
};
const plain = ({ type, sdp }) => ({ type, sdp });
const gathered = (peer) => until(() => peer.iceGatheringState === "complete", 10_000);

// A connection with two channels, and what arrives on each.
async function pair(Sender, Receiver, options) {
  const [sender, receiver] = [new Sender({ iceServers: [] }), new Receiver({ iceServers: [] })];
  const seen = { first: [], second: [] };
  receiver.ondatachannel = ({ channel }) => {
    channel.onmessage = ({ data }) => seen[channel.label]?.push(typeof data === "string" ? `"${data}"` : "bytes");
  };
  const [offering, answering] = receiver instanceof polyfill.RTCPeerConnection ? [sender, receiver] : [receiver, sender];
  offering.createDataChannel("start");
  await offering.setLocalDescription(plain(await offering.createOffer()));
  await gathered(offering);
  await answering.setRemoteDescription(plain(offering.localDescription));
  await answering.setLocalDescription(plain(await answering.createAnswer()));
  await gathered(answering);
  await offering.setRemoteDescription(plain(answering.localDescription));
  await until(() => sender.connectionState === "connected", 30_000);
  const channels = ["first", "second"].map((label) => sender.createDataChannel(label, options));
  await until(() => channels.every((channel) => channel.readyState === "open"), 30_000);
  return { sender, receiver, seen, channels };
}

async function show(name, Sender, Receiver, empty, options) {
  const { sender, receiver, seen, channels: [first, second] } = await pair(Sender, Receiver, options);
  first.send("before");
  await until(() => seen.first.length === 1, 20_000);
  first.send(empty);
  await wait(500);
  first.send("behind");
  second.send("other channel");
  await until(() => seen.second.length === 1, 20_000);
  await until(() => seen.first.includes('"behind"'), 5000);
  console.log(`${name}: ${seen.first.join(", ")}; ${seen.second.join(", ")}; ${first.readyState}, ${first.bufferedAmount} waiting`);
  sender.close();
  receiver.close();
}

setTimeout(() => { console.log("nothing in 300 s"); process.exit(1); }, 300_000);
const [W, R, N] = [werift.RTCPeerConnection, wrtc.RTCPeerConnection, polyfill.RTCPeerConnection];
await show("@roamhq/wrtc to werift", R, W, "");
await show("node-datachannel to @roamhq/wrtc", N, R, "");
await show("werift to @roamhq/wrtc, a text", W, R, "");
await show("werift to @roamhq/wrtc, a buffer", W, R, Buffer.alloc(0));
await show("werift to node-datachannel, a text", W, N, "");
await show("werift to werift, a text", W, W, "");
await show("werift to @roamhq/wrtc, a text, unordered", W, R, "", { ordered: false });
process.exit();
JS
cat >expected <<'TEXT'
@roamhq/wrtc to werift: "before", "", "behind"; "other channel"; open, 0 waiting
node-datachannel to @roamhq/wrtc: "before", "", "behind"; "other channel"; open, 0 waiting
werift to @roamhq/wrtc, a text: "before"; "other channel"; open, 0 waiting
werift to @roamhq/wrtc, a buffer: "before"; "other channel"; open, 0 waiting
werift to node-datachannel, a text: "before"; "other channel"; open, 0 waiting
werift to werift, a text: "before"; "other channel"; open, 0 waiting
werift to @roamhq/wrtc, a text, unordered: "before", "behind"; "other channel"; open, 0 waiting
TEXT
node run.mjs | tee seen
diff expected seen && echo "as described: Node $(node --version)"
