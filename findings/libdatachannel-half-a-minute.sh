#!/usr/bin/env bash
# libdatachannel (node-datachannel 0.33.4) ends a connection half a minute after its own answer, if that takes longer to arrive, or if its
# partner's candidates do.
#
# Expected: descriptions and candidates take the time that the signalling takes (a code that a user copies, a call that rings, a
# phone that has to wake up), and a connection is up soon after the last of them, as with @roamhq/wrtc 0.10.0, werift 0.24.4 and
# aiortc. Seen: its clock runs from the moment it has the offer. Some 30 s later, or 40 s without candidates, it is "closed", not "failed":
# what comes then is refused ("Got a remote candidate without ICE transport") or meets nobody.
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

const wait = (time) => new Promise((done) => setTimeout(done, time));
const until = async (true_, limit) => {
  for (const start = Date.now(); !true_() && Date.now() - start < limit;) await wait(50);
  return true_();
};
const gathered = (peer) => until(() => peer.iceGatheringState === "complete", 20_000);
const bare = (sdp) => sdp.replace(/^a=(candidate|end-of-candidates).*\r\n/gm, "");
const candidates = (sdp) => sdp.match(/^a=candidate:.*$/gm).map((line) => ({
  candidate: line.trim().slice(2), sdpMid: /^a=mid:(.*)$/m.exec(sdp)[1].trim(), sdpMLineIndex: 0,
}));

// What the answering end is when the late part arrives, and whether the channel opens then.
async function show(name, Offering, Answering, late) {
  const [offering, answering] = [new Offering({ iceServers: [] }), new Answering({ iceServers: [] })];
  const channel = offering.createDataChannel("x");
  const offer = await offering.createOffer();
  await offering.setLocalDescription({ type: "offer", sdp: offer.sdp });
  await gathered(offering);
  const sdp = offering.localDescription.sdp;
  await answering.setRemoteDescription({ type: "offer", sdp: late === "candidates" ? bare(sdp) : sdp });
  const answer = await answering.createAnswer();
  await answering.setLocalDescription({ type: "answer", sdp: answer.sdp });
  await gathered(answering);
  const reply = answering.localDescription.sdp;
  if (late === "candidates") await offering.setRemoteDescription({ type: "answer", sdp: bare(reply) });
  await wait(60_000);
  const state = answering.connectionState;
  if (late === "candidates") {
    for (const [peer, of] of [[offering, reply], [answering, sdp]])
      for (const candidate of candidates(of)) await peer.addIceCandidate(candidate).catch(() => {});
  } else {
    await offering.setRemoteDescription({ type: "answer", sdp: reply });
  }
  const open = await until(() => channel.readyState === "open", state === "closed" ? 20_000 : 60_000);
  return `${name}, ${late} after 60 s: ${state === "closed" ? "closed" : "waits"}, ${open ? "connects" : "never connects"}`;
}

setTimeout(() => { console.log("nothing in 300 s"); process.exit(1); }, 300_000);
process.on("unhandledRejection", () => {});
const [W, R, N] = [werift.RTCPeerConnection, wrtc.RTCPeerConnection, polyfill.RTCPeerConnection];
const lines = await Promise.all(["answer", "candidates"].flatMap((late) => [
  show("@roamhq/wrtc answers", R, R, late),
  show("werift answers", R, W, late),
  show("node-datachannel answers", R, N, late),
]));
for (const line of lines) console.log(line);
process.exit();
JS
cat >expected <<'TEXT'
@roamhq/wrtc answers, answer after 60 s: waits, connects
werift answers, answer after 60 s: waits, connects
node-datachannel answers, answer after 60 s: closed, never connects
@roamhq/wrtc answers, candidates after 60 s: waits, connects
werift answers, candidates after 60 s: waits, connects
node-datachannel answers, candidates after 60 s: closed, never connects
TEXT
node run.mjs | tee seen
diff expected seen && echo "as described: Node $(node --version)"
