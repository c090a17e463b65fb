#!/usr/bin/env bash
# `addIceCandidate` of werift 0.24.4 takes 10 s for a candidate with a `.local` name that nobody on this network has.
#
# Expected: a candidate is looked up beside everything else, and the promise is kept as soon as the line is read, as in
# @roamhq/wrtc 0.10.0 and node-datachannel 0.33.4. Seen: werift asks by multicast and keeps the promise when that is over,
# after 10 s without an error. A browser on another network sends only such names as its local candidates, one or more
# before those that can be reached; a program that awaits each candidate, as the usual loop does, comes to them after 10 or 20 s.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent \
    node-datachannel@0.33.4 werift@0.24.4 @roamhq/wrtc@0.10.0
cat >run.mjs <<'JS'
import { randomUUID } from "crypto";
import * as polyfill from "node-datachannel/polyfill";
import * as werift from "werift";
import wrtc from "@roamhq/wrtc";

async function taken(RTCPeerConnection, address) {
  const offerer = new wrtc.RTCPeerConnection({ iceServers: [] });
  offerer.createDataChannel("x");
  const { sdp } = await offerer.createOffer();
  const peer = new RTCPeerConnection({ iceServers: [] });
  await peer.setRemoteDescription({ type: "offer", sdp });
  const candidate = `candidate:1 1 udp 2113937151 ${address} 50000 typ host`;
  const since = Date.now();
  await peer.addIceCandidate({ candidate, sdpMid: "0", sdpMLineIndex: 0 });
  const time = Date.now() - since;
  return time < 2000 ? "at once" : time > 8000 && time < 13_000 ? "after 10 s" : `after ${time} ms`;
}

setTimeout(() => { console.log("nothing in 60 s"); process.exit(1); }, 60_000);
for (const [name, { RTCPeerConnection }] of Object.entries({
  "@roamhq/wrtc": wrtc, "node-datachannel": polyfill, werift,
})) {
  console.log(`${name}, an address: ${await taken(RTCPeerConnection, "127.0.0.1")}`);
  console.log(`${name}, a name: ${await taken(RTCPeerConnection, `${randomUUID()}.local`)}`);
}
process.exit();
JS
cat >expected <<'TEXT'
@roamhq/wrtc, an address: at once
@roamhq/wrtc, a name: at once
node-datachannel, an address: at once
node-datachannel, a name: at once
werift, an address: at once
werift, a name: after 10 s
TEXT
node run.mjs | tee seen
diff expected seen && echo "as described: Node $(node --version)"
