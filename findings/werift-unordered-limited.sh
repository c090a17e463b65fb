#!/usr/bin/env bash
# werift 0.24.4 announces an unordered data channel with a limit (maxRetransmits or maxPacketLifeTime) as ordered.
#
# Expected: {ordered: false, maxRetransmits: 0} is announced in DCEP (RFC 8832, section 5.1) with channel type 0x81,
# and the partner sees `ordered: false`. Seen: the partner sees `ordered: true` as soon as there is a limit; without
# a limit `ordered: false` arrives. The partner then sends its own messages on that channel in order, so that one
# lost message holds up those behind it. The partner in this script is @roamhq/wrtc 0.10.0, as a control also the
# sender: it announces all of these as given.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent werift@0.24.4 @roamhq/wrtc@0.10.0
cat >run.mjs <<'JS'
import wrtc from "@roamhq/wrtc";
import { RTCPeerConnection as Werift } from "werift";

const gathered = () => new Promise((done) => setTimeout(done, 500));
const plain = ({ type, sdp }) => ({ type, sdp });

async function announced(Sender, options) {
  const sender = new Sender({ iceServers: [] });
  const receiver = new wrtc.RTCPeerConnection({ iceServers: [] });
  sender.createDataChannel("channel", options);
  const channel = new Promise((seen, lost) => {
    receiver.ondatachannel = (event) => seen(event.channel);
    setTimeout(() => lost(new Error("no channel in 30 s")), 30_000);
  });
  await sender.setLocalDescription(await sender.createOffer());
  await gathered();
  await receiver.setRemoteDescription(plain(sender.localDescription));
  await receiver.setLocalDescription(await receiver.createAnswer());
  await gathered();
  await sender.setRemoteDescription(plain(receiver.localDescription));
  const { ordered, maxRetransmits, maxPacketLifeTime } = await channel;
  sender.close();
  receiver.close();
  return `ordered ${ordered}, retransmits ${maxRetransmits}, life time ${maxPacketLifeTime}`;
}

for (const options of [
  { ordered: false },
  { ordered: false, maxRetransmits: 0 },
  { ordered: false, maxRetransmits: 3 },
  { ordered: false, maxPacketLifeTime: 500 },
]) {
  console.log("werift", JSON.stringify(options), "=>", await announced(Werift, options));
  console.log("wrtc  ", JSON.stringify(options), "=>", await announced(wrtc.RTCPeerConnection, options));
}
process.exit();
JS
cat >expected <<'TEXT'
werift {"ordered":false} => ordered false, retransmits 65535, life time 65535
wrtc   {"ordered":false} => ordered false, retransmits 65535, life time 65535
werift {"ordered":false,"maxRetransmits":0} => ordered true, retransmits 0, life time 65535
wrtc   {"ordered":false,"maxRetransmits":0} => ordered false, retransmits 0, life time 65535
werift {"ordered":false,"maxRetransmits":3} => ordered true, retransmits 3, life time 65535
wrtc   {"ordered":false,"maxRetransmits":3} => ordered false, retransmits 3, life time 65535
werift {"ordered":false,"maxPacketLifeTime":500} => ordered true, retransmits 65535, life time 500
wrtc   {"ordered":false,"maxPacketLifeTime":500} => ordered false, retransmits 65535, life time 500
TEXT
node run.mjs | tee seen
diff expected seen && echo "as described: werift 0.24.4, @roamhq/wrtc 0.10.0, Node $(node --version)"
