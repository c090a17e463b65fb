#!/usr/bin/env bash
# `iceTransportPolicy: "relay"` does not keep werift 0.24.4 and libdatachannel (node-datachannel 0.33.4) from connecting directly.
#
# Expected: with this policy nothing but relayed candidates is used, so that without a TURN server, or with one that does
# not answer, nothing connects; so in libwebrtc (@roamhq/wrtc 0.10.0). Seen: libdatachannel names no address of its own and
# still sends its checks from the host's socket to each candidate of its partner: the channel opens directly, and the
# partner sees the address. werift drops the policy when its list of servers is empty (a failed request for credentials,
# a forgotten setting), names all its addresses and connects; with a server in the list it keeps it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent \
    node-datachannel@0.33.4 werift@0.24.4 @roamhq/wrtc@0.10.0
cat >run.mjs <<'JS'
import { createSocket } from "dgram";
import * as polyfill from "node-datachannel/polyfill";
import * as werift from "werift";
import wrtc from "@roamhq/wrtc";

const plain = ({ type, sdp }) => ({ type, sdp });
const wait = (time) => new Promise((done) => setTimeout(done, time));

async function gathered(peer) {
  for (let tries = 0; peer.iceGatheringState !== "complete" && tries < 150; tries += 1) await wait(20);
}

// What a stack with this policy and these servers names of itself, and whether it connects to libwebrtc.
async function relayOnly(RTCPeerConnection, iceServers) {
  const offerer = new RTCPeerConnection({ iceServers, iceTransportPolicy: "relay" });
  const answerer = new wrtc.RTCPeerConnection({ iceServers: [] });
  const channel = offerer.createDataChannel("x");
  await offerer.setLocalDescription(plain(await offerer.createOffer()));
  await gathered(offerer);
  const kinds = [...new Set(offerer.localDescription.sdp.match(/(?<= typ )\w+/g) ?? ["none"])];
  await answerer.setRemoteDescription(plain(offerer.localDescription));
  await answerer.setLocalDescription(await answerer.createAnswer());
  await gathered(answerer);
  await offerer.setRemoteDescription(plain(answerer.localDescription));
  for (let tries = 0; channel.readyState !== "open" && tries < 250; tries += 1) await wait(20);
  return `candidates ${kinds.join(", ")}, ${channel.readyState === "open" ? "the channel opens" : "no connection within 5 s"}`;
}

setTimeout(() => { console.log("nothing in 90 s"); process.exit(1); }, 90_000);
// A TURN server that is there and silent.
const silent = createSocket("udp4");
await new Promise((done) => silent.bind(0, "127.0.0.1", done));
const servers = [{ urls: `turn:127.0.0.1:${silent.address().port}`, username: "a", credential: "b" }];
for (const [name, stack] of Object.entries({ "@roamhq/wrtc": wrtc, "node-datachannel": polyfill, werift })) {
  console.log(`${name}, no server: ${await relayOnly(stack.RTCPeerConnection, [])}`);
  console.log(`${name}, a silent server: ${await relayOnly(stack.RTCPeerConnection, servers)}`);
}
process.exit();
JS
cat >expected <<'TEXT'
@roamhq/wrtc, no server: candidates none, no connection within 5 s
@roamhq/wrtc, a silent server: candidates none, no connection within 5 s
node-datachannel, no server: candidates none, the channel opens
node-datachannel, a silent server: candidates none, the channel opens
werift, no server: candidates host, the channel opens
werift, a silent server: candidates none, no connection within 5 s
TEXT
node run.mjs | tee seen
diff expected seen && echo "as described: Node $(node --version)"
