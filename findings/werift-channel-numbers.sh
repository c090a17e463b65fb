#!/usr/bin/env bash
# werift 0.24.4 numbers its data channels by its role in ICE instead of its role in DTLS, and closes a connection without
# a word to its partner.
#
# Expected: the client of DTLS gives its channels even numbers and the server odd ones (RFC 8832, section 6), so that both
# ends can open channels at the same time. An offer of werift says `actpass`; if the answer says `passive`, werift is the
# client of DTLS. Seen: it takes odd numbers whenever it offers, like its partner, and channels of both ends meet on one
# number. With an answer that says `active`, as browsers give, odd is right.
#
# Expected: `close()` lets the partner know, by the end of DTLS or of SCTP (W3C, close the connection). Seen: the partner
# hears nothing; its channel stays open, and after some 7 s without an answer it calls the connection "disconnected". The
# partner in this script is @roamhq/wrtc 0.10.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent werift@0.24.4 @roamhq/wrtc@0.10.0
cat >run.mjs <<'JS'
import wrtc from "@roamhq/wrtc";
import { RTCPeerConnection as Werift } from "werift";

const pause = (time) => new Promise((done) => setTimeout(done, time));
const plain = ({ type, sdp }) => ({ type, sdp });

async function connected(setup) {
  const offerer = new Werift({ iceServers: [] });
  const answerer = new wrtc.RTCPeerConnection({ iceServers: [] });
  const channel = offerer.createDataChannel("theirs");
  const there = new Promise((seen, lost) => {
    answerer.ondatachannel = (event) => seen(event.channel);
    setTimeout(() => lost(new Error("no channel in 30 s")), 30_000);
  });
  await offerer.setLocalDescription(await offerer.createOffer());
  await pause(500);
  await answerer.setRemoteDescription(plain(offerer.localDescription));
  const { type, sdp } = await answerer.createAnswer();
  await answerer.setLocalDescription({ type, sdp: sdp.replace(/a=setup:\w+/, `a=setup:${setup}`) });
  await pause(500);
  await offerer.setRemoteDescription(plain(answerer.localDescription));
  return { offerer, answerer, channel, there: await there };
}

const parity = (id) => (id % 2 === 0 ? "even" : "odd");

for (const setup of ["active", "passive"]) {
  const { offerer, answerer, channel, there } = await connected(setup);
  const own = answerer.createDataChannel("own");
  await pause(500);
  console.log(`answer ${setup}: werift takes ${parity(channel.id)} numbers, its partner ${parity(own.id)} ones`);
  if (setup === "active") {
    await offerer.close();
    await pause(3_000);
    console.log(`3 s after werift's close: channel ${there.readyState}, connection ${answerer.connectionState}`);
    await pause(12_000);
    console.log(`15 s after it: channel ${there.readyState}, connection ${answerer.connectionState}`);
  } else {
    await offerer.close();
  }
}
process.exit();
JS
cat >expected <<'TEXT'
answer active: werift takes odd numbers, its partner even ones
3 s after werift's close: channel open, connection connected
15 s after it: channel open, connection disconnected
answer passive: werift takes odd numbers, its partner odd ones
TEXT
node run.mjs | tee seen
diff expected seen && echo "as described: werift 0.24.4, @roamhq/wrtc 0.10.0, Node $(node --version)"
