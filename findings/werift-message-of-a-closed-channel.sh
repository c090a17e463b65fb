#!/usr/bin/env bash
# What is sent to a data channel of werift 0.24.4 right after its `close()` arrives on the next channel that is opened, and nothing else does there.
#
# Expected: `send` on a channel that is closing raises, as in @roamhq/wrtc 0.10.0 and browsers (InvalidStateError), or the message is
# dropped. Seen: it returns, the message waits, and when the next channel is given the number that has become free, the message goes out on
# it: the last line of one file at the head of the next one. What is then sent on that channel never arrives, though it is "open". Between
# two of werift the next channel never opens instead. A timer or a stream that writes once more while its channel is being
# closed is enough.
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
const plain = ({ type, sdp }) => ({ type, sdp });
const gathered = (peer) => until(() => peer.iceGatheringState === "complete", 20_000);

async function show(name, Sender, Receiver, late = true) {
  const [sender, receiver] = [new Sender({ iceServers: [] }), new Receiver({ iceServers: [] })];
  sender.createDataChannel("start");
  await sender.setLocalDescription(plain(await sender.createOffer()));
  await gathered(sender);
  await receiver.setRemoteDescription(plain(sender.localDescription));
  await receiver.setLocalDescription(plain(await receiver.createAnswer()));
  await gathered(receiver);
  await sender.setRemoteDescription(plain(receiver.localDescription));
  await until(() => [sender, receiver].every((peer) => peer.connectionState === "connected"), 30_000);
  const arrived = { one: [], two: [] };
  const theirs = {};
  receiver.ondatachannel = ({ channel }) => {
    theirs[channel.label] = channel;
    channel.onmessage = ({ data }) => arrived[channel.label]?.push(data);
  };
  const one = sender.createDataChannel("one");
  await until(() => theirs.one && one.readyState === "open", 30_000);
  one.close();
  let said = "not sent";
  try {
    if (late) {
      one.send("late of one");
      said = "no exception";
    }
  } catch {
    said = "an exception";
  }
  await until(() => one.readyState === "closed" && theirs.one.readyState === "closed", 30_000);
  await wait(2000);
  const two = sender.createDataChannel("two");
  const open = await until(() => theirs.two && two.readyState === "open", late ? 10_000 : 30_000);
  if (open) two.send("first of two");
  if (open && said === "no exception") await wait(8000);
  else if (open) await until(() => arrived.two.length, 30_000);
  console.log(`${name}: ${said}; one: ${arrived.one.join(", ") || "nothing"}; two: ${open ? arrived.two.join(", ") : "never open"}`);
  sender.close();
  receiver.close();
}

setTimeout(() => { console.log("nothing in 300 s"); process.exit(1); }, 300_000);
const [W, R, N] = [werift.RTCPeerConnection, wrtc.RTCPeerConnection, polyfill.RTCPeerConnection];
await show("@roamhq/wrtc to werift", R, W);
await show("werift to @roamhq/wrtc", W, R, false);
await show("werift to @roamhq/wrtc", W, R);
await show("werift to node-datachannel", W, N);
await show("werift to werift", W, W, false);
await show("werift to werift", W, W);
process.exit();
JS
cat >expected <<'TEXT'
@roamhq/wrtc to werift: an exception; one: nothing; two: first of two
werift to @roamhq/wrtc: not sent; one: nothing; two: first of two
werift to @roamhq/wrtc: no exception; one: nothing; two: late of one
werift to node-datachannel: no exception; one: nothing; two: late of one
werift to werift: not sent; one: nothing; two: first of two
werift to werift: no exception; one: nothing; two: never open
TEXT
node run.mjs | tee seen
diff expected seen && echo "as described: Node $(node --version)"
