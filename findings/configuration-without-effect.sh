#!/usr/bin/env bash
# `setConfiguration` of node-datachannel 0.33.4's W3C-like part changes what `getConfiguration` says and nothing else.
#
# Expected: new `iceServers` are asked from the next gathering on, as in libwebrtc (@roamhq/wrtc 0.10.0) and werift 0.24.4, or the
# call fails, as others of this part do ("Not implemented"). Seen: it returns, `getConfiguration` shows the new servers, and no packet ever reaches
# them: a program that makes its connection first and learns its TURN servers and their credentials later has none.
# They must be there when the connection is made.
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

// Whether a server hears of a stack that is given it when it is made, or later.
async function asked(RTCPeerConnection, later) {
  const server = createSocket("udp4");
  await new Promise((done) => server.bind(0, "127.0.0.1", done));
  const heard = new Promise((done) => server.once("message", () => done("asked")));
  const configuration = { iceServers: [{ urls: `stun:127.0.0.1:${server.address().port}` }] };
  const peer = new RTCPeerConnection(later ? { iceServers: [] } : configuration);
  if (later) peer.setConfiguration(configuration);
  const shown = peer.getConfiguration().iceServers.length;
  peer.createDataChannel("x");
  peer.setLocalDescription(plain(await peer.createOffer()));
  const patience = new Promise((done) => setTimeout(done, 5000, "not asked within 5 s"));
  return `${shown} server in getConfiguration, ${await Promise.race([heard, patience])}`;
}

setTimeout(() => { console.log("nothing in 60 s"); process.exit(1); }, 60_000);
for (const [name, { RTCPeerConnection }] of Object.entries({ "@roamhq/wrtc": wrtc, werift, "node-datachannel": polyfill })) {
  console.log(`${name}, made with it: ${await asked(RTCPeerConnection, false)}`);
  console.log(`${name}, setConfiguration: ${await asked(RTCPeerConnection, true)}`);
}
process.exit();
JS
cat >expected <<'TEXT'
@roamhq/wrtc, made with it: 1 server in getConfiguration, asked
@roamhq/wrtc, setConfiguration: 1 server in getConfiguration, asked
werift, made with it: 1 server in getConfiguration, asked
werift, setConfiguration: 1 server in getConfiguration, asked
node-datachannel, made with it: 1 server in getConfiguration, asked
node-datachannel, setConfiguration: 1 server in getConfiguration, not asked within 5 s
TEXT
node run.mjs | tee seen
diff expected seen && echo "as described: Node $(node --version)"
