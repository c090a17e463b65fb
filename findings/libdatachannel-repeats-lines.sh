#!/usr/bin/env bash
# node-datachannel 0.33.4 (libdatachannel) repeats lines of an offer that it does not know in its own answer.
#
# Expected: an attribute that an answerer does not know is ignored (RFC 8866, section 5.13), so an attribute in an
# answer is a statement of the answerer. Seen: an unknown attribute of the media section returns in the answer as if
# libdatachannel had said it; one of the session section does not. @roamhq/wrtc 0.9.1 (libwebrtc) repeats neither. So a
# private attribute cannot be taken for support at the other end unless it names its sender.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent node-datachannel@0.33.4 @roamhq/wrtc@0.9.1
cat >run.cjs <<'JS'
const datachannel = require("node-datachannel");
const wrtc = require("@roamhq/wrtc");

const fingerprint = Array(32).fill("AA").join(":");
const offer = [
  "v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0", "a=x-of-session:1",
  "m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "c=IN IP4 0.0.0.0", "a=ice-ufrag:abcd",
  "a=ice-pwd:abcdefghijklmnopqrstuv", `a=fingerprint:sha-256 ${fingerprint}`, "a=setup:actpass", "a=mid:0",
  "a=sctp-port:5000", "a=max-message-size:262144", "a=x-of-media:2", "",
].join("\r\n");

const unknown = (sdp) => sdp.split("\r\n").filter((line) => line.startsWith("a=x-")).join(" ") || "nothing";

function ofDatachannel() {
  return new Promise((done) => {
    const peer = new datachannel.PeerConnection("answerer", { iceServers: [] });
    peer.onLocalDescription((sdp, type) => type === "answer" && done(sdp));
    peer.setRemoteDescription(offer, "offer");
  });
}

async function ofWrtc() {
  const peer = new wrtc.RTCPeerConnection();
  await peer.setRemoteDescription({ type: "offer", sdp: offer });
  return (await peer.createAnswer()).sdp;
}

setTimeout(() => { console.log("nothing in 30 s"); process.exit(1); }, 30_000);
(async () => {
  console.log("libdatachannel repeats:", unknown(await ofDatachannel()));
  console.log("libwebrtc repeats:", unknown(await ofWrtc()));
  process.exit();
})();
JS
cat >expected <<'TEXT'
libdatachannel repeats: a=x-of-media:2
libwebrtc repeats: nothing
TEXT
node run.cjs | tee seen
diff expected seen && echo "as described: node-datachannel 0.33.4, @roamhq/wrtc 0.9.1, Node $(node --version)"
