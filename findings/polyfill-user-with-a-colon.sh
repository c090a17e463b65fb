#!/usr/bin/env bash
# The W3C-like part of node-datachannel 0.33.4 gets no relayed candidate from a TURN server if the user name has a colon in
# it, as every name "TIME:USER" that expires has.
#
# Expected: `username` and `credential` of `iceServers` are handed on as they are. Seen: with "alice" the server is asked
# with that name; with "1900000000:alice" it is asked with "1900000000", and so refuses: the part composes one URL of all
# fields, in which the colon begins the password. There is no error, gathering ends, and only local candidates are there.
# werift 0.24.4 and @roamhq/wrtc 0.10.0 send the whole name. A name that was percent-encoded by the application is sent whole.
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

// A TURN server that asks for a password and notes the name that comes with it.
async function turn() {
  const socket = createSocket("udp4");
  await new Promise((done) => socket.bind(0, "127.0.0.1", done));
  const attribute = (type, text) => {
    const value = Buffer.from(text);
    const head = Buffer.from([type >> 8, type & 255, value.length >> 8, value.length & 255]);
    return Buffer.concat([head, value, Buffer.alloc((4 - (value.length % 4)) % 4)]);
  };
  socket.on("message", (message, { port, address }) => {
    if (message.readUInt16BE(0) !== 3) return;
    for (let at = 20; at + 4 <= message.length;) {
      const length = message.readUInt16BE(at + 2);
      if (message.readUInt16BE(at) === 6) socket.name = message.toString("utf8", at + 4, at + 4 + length);
      at += 4 + Math.ceil(length / 4) * 4;
    }
    const body = Buffer.concat([attribute(0x09, "\0\0\x04\x01"), attribute(0x14, "here"), attribute(0x15, "once")]);
    const head = Buffer.from([1, 0x13, 0, body.length]);
    socket.send(Buffer.concat([head, message.subarray(4, 20), body]), port, address);
  });
  return socket;
}

async function asked(RTCPeerConnection, username) {
  const server = await turn();
  const urls = `turn:127.0.0.1:${server.address().port}?transport=udp`;
  const peer = new RTCPeerConnection({ iceServers: [{ urls, username, credential: "secret" }] });
  peer.createDataChannel("x");
  const { type, sdp } = await peer.createOffer();
  await peer.setLocalDescription({ type, sdp });
  for (let tries = 0; !server.name && tries < 40; tries += 1) await new Promise((done) => setTimeout(done, 100));
  peer.close();
  return server.name;
}

setTimeout(() => { console.log("nothing in 60 s"); process.exit(1); }, 60_000);
process.on("unhandledRejection", () => {});
for (const [name, { RTCPeerConnection }] of Object.entries({
  "@roamhq/wrtc": wrtc, werift, "node-datachannel": polyfill,
}))
  for (const user of ["alice", "1900000000:alice", encodeURIComponent("1900000000:alice")])
    console.log(`${name}: ${user} asks as ${await asked(RTCPeerConnection, user)}`);
process.exit();
JS
cat >expected <<'TEXT'
@roamhq/wrtc: alice asks as alice
@roamhq/wrtc: 1900000000:alice asks as 1900000000:alice
@roamhq/wrtc: 1900000000%3Aalice asks as 1900000000%3Aalice
werift: alice asks as alice
werift: 1900000000:alice asks as 1900000000:alice
werift: 1900000000%3Aalice asks as 1900000000%3Aalice
node-datachannel: alice asks as alice
node-datachannel: 1900000000:alice asks as 1900000000
node-datachannel: 1900000000%3Aalice asks as 1900000000:alice
TEXT
node run.mjs | tee seen
diff expected seen && echo "as described: Node $(node --version)"
