#!/usr/bin/env bash
# `send` of @roamhq/wrtc 0.10.0 closes the channel if the message is larger than the partner takes, without an exception; the
# partner is not told.
#
# Expected: a message beyond `sctp.maxMessageSize` is refused by an exception (a TypeError in the W3C's text), and the channel lives on, as in
# node-datachannel 0.33.4, werift 0.24.4 and aiortc. Seen: `send` returns as if all were well, `readyState` is "closed" in
# the next line, `close` follows, and `error` does not. The partner's end of the channel stays open. How much is too much is the
# partner's to say: 256 KiB between two of this stack, and 64 KiB towards werift, so that the same program breaks with
# another partner. `sctp.maxMessageSize` tells the limit. Other channels of the connection go on.
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

async function show(name, Sender, Receiver, size) {
  const [sender, receiver] = [new Sender({ iceServers: [] }), new Receiver({ iceServers: [] })];
  const arrived = [];
  const theirs = {};
  receiver.ondatachannel = ({ channel }) => {
    theirs[channel.label] = channel;
    channel.onmessage = ({ data }) => arrived.push(data);
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
  const [large, other] = ["large", "other"].map((label) => sender.createDataChannel(label));
  await until(() => [large, other].every((channel) => channel.readyState === "open") && theirs.large && theirs.other, 30_000);

  const events = [];
  large.onclose = () => events.push("close");
  large.onerror = () => events.push("error");
  let said = "no exception";
  try {
    large.send("x".repeat(size));
  } catch {
    said = "an exception";
  }
  const state = large.readyState;
  await until(() => arrived.some((data) => data.length === size), state === "open" && said === "no exception" ? 20_000 : 3000);
  other.send("on");
  await until(() => arrived.includes("on"), 20_000);
  console.log(`${name}, ${size}: ${said}, ${state}, events: ${events.join(", ") || "none"}; ` +
    `partner: ${arrived.some((data) => data.length === size) ? "has it" : "nothing"}, ${theirs.large.readyState}; ` +
    `other channel: ${arrived.includes("on") ? "works" : "nothing"}`);
  sender.close();
  receiver.close();
}

setTimeout(() => { console.log("nothing in 300 s"); process.exit(1); }, 300_000);
const [W, R, N] = [werift.RTCPeerConnection, wrtc.RTCPeerConnection, polyfill.RTCPeerConnection];
await show("@roamhq/wrtc to @roamhq/wrtc", R, R, 100_000);
await show("@roamhq/wrtc to @roamhq/wrtc", R, R, 300_000);
await show("@roamhq/wrtc to node-datachannel", R, N, 300_000);
await show("@roamhq/wrtc to werift", R, W, 100_000);
await show("node-datachannel to werift", N, W, 100_000);
await show("werift to node-datachannel", W, N, 300_000);
process.exit();
JS
cat >expected <<'TEXT'
@roamhq/wrtc to @roamhq/wrtc, 100000: no exception, open, events: none; partner: has it, open; other channel: works
@roamhq/wrtc to @roamhq/wrtc, 300000: no exception, closed, events: close; partner: nothing, open; other channel: works
@roamhq/wrtc to node-datachannel, 300000: no exception, closed, events: close; partner: nothing, open; other channel: works
@roamhq/wrtc to werift, 100000: no exception, closed, events: close; partner: nothing, open; other channel: works
node-datachannel to werift, 100000: an exception, open, events: none; partner: nothing, open; other channel: works
werift to node-datachannel, 300000: an exception, open, events: none; partner: nothing, open; other channel: works
TEXT
node run.mjs | tee seen
diff expected seen && echo "as described: Node $(node --version)"
