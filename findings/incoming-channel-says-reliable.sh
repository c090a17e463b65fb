#!/usr/bin/env bash
# node-datachannel 0.33.4's W3C-like part says of every channel that its partner has opened that it is ordered and reliable.
#
# Expected: the opener's `ordered`, `maxRetransmits` and `maxPacketLifeTime` travel with the channel (RFC 8832), so that the other
# end reads the same, as in @roamhq/wrtc 0.10.0, werift 0.24.4 (`protocol` and `label` do so here too). Seen: true,
# null and null, whatever was opened. A program that tells a channel for positions, which may lose, from one for files
# by these takes the first for the second, and a proxy that opens a like channel to somebody else opens a reliable one.
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

// What the end that a channel comes to says of it.
async function incoming(RTCPeerConnection, options) {
  const offerer = new wrtc.RTCPeerConnection({ iceServers: [] });
  const answerer = new RTCPeerConnection({ iceServers: [] });
  offerer.createDataChannel("x", options);
  const theirs = new Promise((done) => (answerer.ondatachannel = (event) => done(event.channel)));
  await offerer.setLocalDescription(await offerer.createOffer());
  await gathered(offerer);
  await answerer.setRemoteDescription(plain(offerer.localDescription));
  await answerer.setLocalDescription(plain(await answerer.createAnswer()));
  await gathered(answerer);
  await offerer.setRemoteDescription(plain(answerer.localDescription));
  const { ordered, maxRetransmits, maxPacketLifeTime, protocol } = await theirs;
  // @roamhq/wrtc says 65535 where the W3C's text has null.
  const limit = (value) => (value === 65535 ? null : value);
  return `ordered ${ordered}, ${limit(maxRetransmits)} retransmits, ${limit(maxPacketLifeTime)} ms, protocol "${protocol}"`;
}

setTimeout(() => { console.log("nothing in 60 s"); process.exit(1); }, 60_000);
for (const options of [{ ordered: false, maxRetransmits: 3, protocol: "p" }, { maxPacketLifeTime: 500 }]) {
  console.log(JSON.stringify(options));
  for (const [name, stack] of Object.entries({ "@roamhq/wrtc": wrtc, werift, "node-datachannel": polyfill }))
    console.log(`  ${name}: ${await incoming(stack.RTCPeerConnection, options)}`);
}
process.exit();
JS
cat >expected <<'TEXT'
{"ordered":false,"maxRetransmits":3,"protocol":"p"}
  @roamhq/wrtc: ordered false, 3 retransmits, null ms, protocol "p"
  werift: ordered false, 3 retransmits, null ms, protocol "p"
  node-datachannel: ordered true, null retransmits, null ms, protocol "p"
{"maxPacketLifeTime":500}
  @roamhq/wrtc: ordered true, null retransmits, 500 ms, protocol ""
  werift: ordered true, null retransmits, 500 ms, protocol ""
  node-datachannel: ordered true, null retransmits, null ms, protocol ""
TEXT
node run.mjs | tee seen
diff expected seen && echo "as described: Node $(node --version)"
