#!/usr/bin/env bash
# libwebrtc (@roamhq/wrtc 0.10.0) and libdatachannel (node-datachannel 0.33.4) have 512 data channels a peer, and ids up to
# 1023; a partner that opens more, as werift 0.24.4 does, waits for ever.
#
# Expected: SCTP has 65,535 streams and the W3C's text ids up to 65534, so that a connection has tens of thousands of
# channels, or a stack says what it takes. Seen: both refuse the 513th channel of one end, and id 1024 of a negotiated one, by
# an exception. werift opens 600 towards libwebrtc: 512 get their `open`; the others stay "connecting" without an error, and
# the other end sees nothing of them. Channels that were closed do not count.
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

// The channels that one end of this stack makes towards libwebrtc, and those that arrive there.
async function channels(RTCPeerConnection) {
  const offerer = new RTCPeerConnection({ iceServers: [] });
  const answerer = new wrtc.RTCPeerConnection({ iceServers: [] });
  let arrived = 0;
  answerer.ondatachannel = () => (arrived += 1);
  const made = [offerer.createDataChannel("0")];
  await offerer.setLocalDescription(plain(await offerer.createOffer()));
  await gathered(offerer);
  await answerer.setRemoteDescription(plain(offerer.localDescription));
  await answerer.setLocalDescription(await answerer.createAnswer());
  await gathered(answerer);
  await offerer.setRemoteDescription(plain(answerer.localDescription));
  while (made[0].readyState !== "open") await wait(20);
  let refused = "none refused";
  try {
    while (made.length < 600) {
      made.push(offerer.createDataChannel(`${made.length}`));
      if (made.length % 50 === 0) await wait(50);
    }
  } catch {
    refused = `number ${made.length + 1} refused`;
  }
  await wait(3000);
  const open = made.filter((channel) => channel.readyState === "open").length;
  const connecting = made.filter((channel) => channel.readyState === "connecting").length;
  return `${refused}, ${open} open, ${connecting} connecting, ${arrived} at the other end`;
}

function negotiated(RTCPeerConnection, id) {
  const peer = new RTCPeerConnection({ iceServers: [] });
  try {
    peer.createDataChannel("x", { negotiated: true, id });
    return "taken";
  } catch {
    return "refused";
  }
}

setTimeout(() => { console.log("nothing in 60 s"); process.exit(1); }, 60_000);
for (const [name, { RTCPeerConnection }] of Object.entries({
  "@roamhq/wrtc": wrtc, "node-datachannel": polyfill, werift,
})) {
  const ids = [1023, 1024, 65534].map((id) => `${id} ${negotiated(RTCPeerConnection, id)}`);
  console.log(`${name}: ids ${ids.join(", ")}; ${await channels(RTCPeerConnection)}`);
}
process.exit();
JS
cat >expected <<'TEXT'
@roamhq/wrtc: ids 1023 taken, 1024 refused, 65534 refused; number 513 refused, 512 open, 0 connecting, 512 at the other end
node-datachannel: ids 1023 taken, 1024 refused, 65534 refused; number 513 refused, 512 open, 0 connecting, 512 at the other end
werift: ids 1023 taken, 1024 taken, 65534 taken; none refused, 512 open, 88 connecting, 512 at the other end
TEXT
node run.mjs | tee seen
diff expected seen && echo "as described: Node $(node --version)"
