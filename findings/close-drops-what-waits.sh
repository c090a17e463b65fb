#!/usr/bin/env bash
# `close` of a data channel drops the messages that still wait in libwebrtc (@roamhq/wrtc 0.10.0); libdatachannel
# (node-datachannel 0.33.4) sends them first.
#
# Expected: closing a reliable channel ends it in order: what was sent before arrives, then the end, as the W3C's text has it
# ("finish sending all currently pending messages"). Seen: of 256 messages of 16 KiB that are sent in a loop before `close`,
# libdatachannel delivers all; libwebrtc delivers a part and then the end, with nothing at either side that tells it from a
# complete transfer. So the end of a channel is no end of a file: an acknowledgement, or a length in front, must say so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent node-datachannel@0.33.4 @roamhq/wrtc@0.10.0
cat >run.mjs <<'JS'
import * as polyfill from "node-datachannel/polyfill";
import wrtc from "@roamhq/wrtc";

const COUNT = 256;
const plain = ({ type, sdp }) => ({ type, sdp });
const wait = (time) => new Promise((done) => setTimeout(done, time));

async function gathered(peer) {
  while (peer.iceGatheringState !== "complete") await wait(20);
}

async function arrived(Sender, Receiver) {
  const sender = new Sender({ iceServers: [] });
  const receiver = new Receiver({ iceServers: [] });
  const channel = sender.createDataChannel("x");
  const theirs = new Promise((done) => (receiver.ondatachannel = (event) => done(event.channel)));
  await sender.setLocalDescription(plain(await sender.createOffer()));
  await gathered(sender);
  await receiver.setRemoteDescription(plain(sender.localDescription));
  await receiver.setLocalDescription(plain(await receiver.createAnswer()));
  await gathered(receiver);
  await sender.setRemoteDescription(plain(receiver.localDescription));
  const other = await theirs;
  while (channel.readyState !== "open") await wait(20);
  await wait(300);
  let count = 0;
  other.onmessage = () => (count += 1);
  const end = new Promise((done) => (other.onclose = done));
  for (let number = 0; number < COUNT; number += 1) channel.send(new Uint8Array(16_384));
  channel.close();
  await end;
  await wait(300);
  return count === COUNT ? "all arrive, then the end" : "a part arrives, then the end";
}

setTimeout(() => { console.log("nothing in 60 s"); process.exit(1); }, 60_000);
const [libwebrtc, libdatachannel] = [wrtc.RTCPeerConnection, polyfill.RTCPeerConnection];
console.log(`libwebrtc to libdatachannel: ${await arrived(libwebrtc, libdatachannel)}`);
console.log(`libwebrtc to libwebrtc: ${await arrived(libwebrtc, libwebrtc)}`);
console.log(`libdatachannel to libwebrtc: ${await arrived(libdatachannel, libwebrtc)}`);
process.exit();
JS
cat >expected <<'TEXT'
libwebrtc to libdatachannel: a part arrives, then the end
libwebrtc to libwebrtc: a part arrives, then the end
libdatachannel to libwebrtc: all arrive, then the end
TEXT
node run.mjs | tee seen
diff expected seen && echo "as described: Node $(node --version)"
