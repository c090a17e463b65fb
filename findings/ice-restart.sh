#!/usr/bin/env bash
# libdatachannel (node-datachannel 0.33.4) refuses its partner's ICE restart by an exception, and makes none itself when asked for
# one.
#
# Expected: an offer with a new ufrag and password on a connection that is up (`createOffer({ iceRestart: true })`, what a page
# does when its network has changed) is answered and renews the path, as in libwebrtc (@roamhq/wrtc 0.10.0) and
# werift 0.24.4. Seen: libdatachannel's `setRemoteDescription` fails with "Invalid ICE settings from remote SDP", and the
# partner stays in "have-local-offer". Its own `createOffer({ iceRestart: true })` is a promise of the same ufrag, which
# renews nothing, and `restartIce()` throws "Not implemented". Against a program with libdatachannel a page needs a new
# connection, and a time limit for the answer to its offer.
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
const ufrag = ({ sdp }) => /a=ice-ufrag:(.*)/.exec(sdp)[1];

async function gathered(peer) {
  for (let tries = 0; peer.iceGatheringState !== "complete" && tries < 300; tries += 1) await wait(20);
}

async function describe(offerer, answerer, options) {
  await offerer.setLocalDescription(plain(await offerer.createOffer(options)));
  await wait(200);
  await gathered(offerer);
  await answerer.setRemoteDescription(plain(offerer.localDescription));
  await answerer.setLocalDescription(plain(await answerer.createAnswer()));
  await wait(200);
  await gathered(answerer);
  await offerer.setRemoteDescription(plain(answerer.localDescription));
}

async function restart(Offerer, Answerer) {
  const [offerer, answerer] = [new Offerer({ iceServers: [] }), new Answerer({ iceServers: [] })];
  const channel = offerer.createDataChannel("x");
  const theirs = new Promise((done) => (answerer.ondatachannel = (event) => done(event.channel)));
  await describe(offerer, answerer);
  const got = [];
  (await theirs).onmessage = (event) => got.push(event.data);
  while (channel.readyState !== "open") await wait(20);
  await wait(300);
  const before = ufrag(offerer.localDescription);
  try {
    await describe(offerer, answerer, { iceRestart: true });
  } catch (error) {
    return `${error.message}; the offerer is in ${offerer.signalingState}`;
  }
  await wait(2000);
  const renewed = ufrag(offerer.localDescription) === before ? "the same ufrag" : "a new ufrag";
  channel.send("after");
  for (let tries = 0; got.length === 0 && tries < 150; tries += 1) await wait(20);
  return `${renewed}, a message ${got.length ? "arrives" : "is lost"}`;
}

setTimeout(() => { console.log("nothing in 90 s"); process.exit(1); }, 90_000);
const libwebrtc = wrtc.RTCPeerConnection;
console.log(`libwebrtc to libwebrtc: ${await restart(libwebrtc, libwebrtc)}`);
console.log(`libwebrtc to werift: ${await restart(libwebrtc, werift.RTCPeerConnection)}`);
console.log(`werift to libwebrtc: ${await restart(werift.RTCPeerConnection, libwebrtc)}`);
console.log(`libwebrtc to libdatachannel: ${await restart(libwebrtc, polyfill.RTCPeerConnection)}`);
console.log(`libdatachannel to libwebrtc: ${await restart(polyfill.RTCPeerConnection, libwebrtc)}`);
try {
  new polyfill.RTCPeerConnection({ iceServers: [] }).restartIce();
} catch (error) {
  console.log(`libdatachannel, restartIce(): ${error.message}`);
}
process.exit();
JS
cat >expected <<'TEXT'
libwebrtc to libwebrtc: a new ufrag, a message arrives
libwebrtc to werift: a new ufrag, a message arrives
werift to libwebrtc: a new ufrag, a message arrives
libwebrtc to libdatachannel: libdatachannel error while adding remote description: Invalid ICE settings from remote SDP; the offerer is in have-local-offer
libdatachannel to libwebrtc: the same ufrag, a message arrives
libdatachannel, restartIce(): Not implemented
TEXT
node run.mjs | tee seen
diff expected seen && echo "as described: Node $(node --version)"
