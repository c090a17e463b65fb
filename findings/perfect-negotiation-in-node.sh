#!/usr/bin/env bash
# The "perfect negotiation" of WebRTC's specification works in one of three stacks for Node: @roamhq/wrtc 0.10.0 has no
# `setLocalDescription()` without an argument and no implicit rollback, and node-datachannel's W3C-like part 0.33.4 never
# fires `negotiationneeded`.
#
# Expected: the pattern is in the specification, browsers have had it for years, and wrtc is libwebrtc itself.
# Seen: in wrtc the first call is "Expected an object", and an offer that meets one's own offer is "Called in wrong state:
# have-local-offer" (an explicit rollback works). In the W3C-like part `createDataChannel` asks for no negotiation, so nothing
# begins; the offer of the other end is answered at once, before the program decides, and `restartIce` is not there.
# werift 0.24.4 does all of it. Programs for all three need an explicit rollback and a first offer by themselves.
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

async function offering(RTCPeerConnection) {
  const peer = new RTCPeerConnection({ iceServers: [] });
  peer.createDataChannel("x");
  await peer.setLocalDescription(plain(await peer.createOffer()));
  return peer;
}

const questions = {
  "negotiationneeded after createDataChannel": async (RTCPeerConnection) => {
    const peer = new RTCPeerConnection({ iceServers: [] });
    let fired = "no";
    peer.onnegotiationneeded = () => (fired = "yes");
    peer.createDataChannel("x");
    await new Promise((done) => setTimeout(done, 1000));
    return fired;
  },
  "setLocalDescription()": async (RTCPeerConnection) => {
    const peer = new RTCPeerConnection({ iceServers: [] });
    peer.createDataChannel("x");
    await peer.setLocalDescription();
    return peer.signalingState;
  },
  "an offer that meets one's own": async (RTCPeerConnection) => {
    const [peer, other] = [await offering(RTCPeerConnection), await offering(wrtc.RTCPeerConnection)];
    await peer.setRemoteDescription(plain(other.localDescription));
    return peer.signalingState;
  },
  "the same after an explicit rollback": async (RTCPeerConnection) => {
    const [peer, other] = [await offering(RTCPeerConnection), await offering(wrtc.RTCPeerConnection)];
    await peer.setLocalDescription({ type: "rollback" });
    await peer.setRemoteDescription(plain(other.localDescription));
    return peer.signalingState;
  },
};

setTimeout(() => { console.log("nothing in 60 s"); process.exit(1); }, 60_000);
for (const [name, { RTCPeerConnection }] of Object.entries({
  "@roamhq/wrtc": wrtc, "node-datachannel": polyfill, werift,
}))
  for (const [question, ask] of Object.entries(questions))
    console.log(`${name}, ${question}: ${await ask(RTCPeerConnection).catch(({ message }) => message)}`);
process.exit();
JS
cat >expected <<'TEXT'
@roamhq/wrtc, negotiationneeded after createDataChannel: yes
@roamhq/wrtc, setLocalDescription(): Expected an object
@roamhq/wrtc, an offer that meets one's own: Failed to set remote offer sdp: Called in wrong state: have-local-offer
@roamhq/wrtc, the same after an explicit rollback: have-remote-offer
node-datachannel, negotiationneeded after createDataChannel: no
node-datachannel, setLocalDescription(): have-local-offer
node-datachannel, an offer that meets one's own: stable
node-datachannel, the same after an explicit rollback: stable
werift, negotiationneeded after createDataChannel: yes
werift, setLocalDescription(): have-local-offer
werift, an offer that meets one's own: have-remote-offer
werift, the same after an explicit rollback: have-remote-offer
TEXT
node run.mjs | tee seen
diff expected seen && echo "as described: Node $(node --version)"
