#!/usr/bin/env bash
# `close()` of a connection of werift 0.24.4 tells its partner nothing.
#
# Expected: `close` ends the association and the encryption below it in order, so that the partner hears at once that its channels are
# closed, as with @roamhq/wrtc 0.10.0, node-datachannel 0.33.4 and aiortc. Seen: werift falls silent, as if its machine had lost
# power. @roamhq/wrtc is "disconnected" 7 s later and "failed" after 17, and its channel says "open" for ever, as between two of
# werift; node-datachannel closes its channel after 28 s. What a partner sends meanwhile is taken and lost. The channels closed one by one,
# a moment before the connection, are heard at once.
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
};
const plain = ({ type, sdp }) => ({ type, sdp });
const gathered = (peer) => until(() => peer.iceGatheringState === "complete", 20_000);

// A connection; `leave` says what the end that stays has heard 15 s after the other one has closed, and what it is a minute later.
async function connect(name, Leaving, Staying, channelFirst) {
  const [leaving, staying] = [new Leaving({ iceServers: [] }), new Staying({ iceServers: [] })];
  let heard = "nothing";
  const [offering, answering] = leaving instanceof polyfill.RTCPeerConnection ? [staying, leaving] : [leaving, staying];
  const channels = [offering.createDataChannel("x")];
  answering.ondatachannel = ({ channel }) => channels.push(channel);
  await offering.setLocalDescription(plain(await offering.createOffer()));
  await gathered(offering);
  await answering.setRemoteDescription(plain(offering.localDescription));
  await answering.setLocalDescription(plain(await answering.createAnswer()));
  await gathered(answering);
  await offering.setRemoteDescription(plain(answering.localDescription));
  await until(() => channels.length === 2 && channels.every((channel) => channel.readyState === "open"), 60_000);
  const [ours, theirs] = leaving === offering ? channels : channels.toReversed();
  theirs.onclose = () => (heard = "close");
  return async function leave() {
    if (channelFirst) {
      ours.close();
      await wait(3000);
    }
    leaving.close();
    await wait(15_000);
    const soon = heard;
    await wait(60_000);
    return `${name}: ${soon}; after a minute ${theirs.readyState}`;
  };
}

setTimeout(() => { console.log("nothing in 240 s"); process.exit(1); }, 240_000);
const [W, R, N] = [werift.RTCPeerConnection, wrtc.RTCPeerConnection, polyfill.RTCPeerConnection];
const connections = [];
for (const ends of [
  ["@roamhq/wrtc leaves werift", R, W],
  ["node-datachannel leaves werift", N, W],
  ["node-datachannel leaves @roamhq/wrtc", N, R],
  ["werift leaves @roamhq/wrtc", W, R],
  ["werift leaves node-datachannel", W, N],
  ["werift leaves werift", W, W],
  ["werift closes the channel, then leaves @roamhq/wrtc", W, R, true],
]) connections.push(await connect(...ends));
const lines = await Promise.all(connections.map((leave) => leave()));
for (const line of lines) console.log(line);
process.exit();
JS
cat >expected <<'TEXT'
@roamhq/wrtc leaves werift: close; after a minute closed
node-datachannel leaves werift: close; after a minute closed
node-datachannel leaves @roamhq/wrtc: close; after a minute closed
werift leaves @roamhq/wrtc: nothing; after a minute open
werift leaves node-datachannel: nothing; after a minute closed
werift leaves werift: nothing; after a minute open
werift closes the channel, then leaves @roamhq/wrtc: close; after a minute closed
TEXT
node run.mjs | tee seen
diff expected seen && echo "as described: Node $(node --version)"
