#!/usr/bin/env bash
# simple-peer 9.11.1 merges messages that its user reads late: three sends are one item of `for await`, or of `read()`.
#
# Expected: a data channel carries messages and simple-peer's `data` event brings each by itself, so that a loop
# `for await (const message of peer)` does as well. Seen: it does as long as the loop waits for each; what arrives while the
# loop is busy with another one, or before it has begun, comes as one Buffer, without a mark between. JSON then fails to
# parse under load and in no test. With `objectMode: true` at the reader each is one, text is text again, and an empty one
# arrives; `data` listeners get each in both modes, also after `pause()`.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent simple-peer@9.11.1 @roamhq/wrtc@0.10.0
cat >run.mjs <<'JS'
import wrtc from "@roamhq/wrtc";
import Peer from "simple-peer";

const wait = (time) => new Promise((done) => setTimeout(done, time));

async function pair(objectMode) {
  const config = { iceServers: [] };
  const sender = new Peer({ initiator: true, wrtc, config });
  const reader = new Peer({ wrtc, config, objectMode });
  sender.on("signal", (signal) => reader.signal(signal));
  reader.on("signal", (signal) => sender.signal(signal));
  await Promise.all([sender, reader].map((peer) => new Promise((done) => peer.on("connect", done))));
  await wait(300);
  return [sender, reader];
}

// Three messages at once, to a loop that takes a moment for each item.
async function loop(objectMode, pause) {
  const [sender, reader] = await pair(objectMode);
  const items = [];
  (async () => {
    for await (const item of reader) {
      items.push(`${item}`);
      await wait(1500);
    }
  })().catch(() => {});
  for (const message of ["one", "two", "three", "four"]) {
    sender.send(message);
    await wait(pause);
  }
  await wait(7000);
  return items.join(" | ");
}

async function listener() {
  const [sender, reader] = await pair(false);
  const items = [];
  for (const message of ["one", "two", "three", "four"]) sender.send(message);
  await wait(500);
  reader.on("data", (item) => items.push(`${item}`));
  await wait(500);
  return items.join(" | ");
}

setTimeout(() => { console.log("nothing in 60 s"); process.exit(1); }, 60_000);
console.log(`for await, a message every 2 s: ${await loop(false, 2000)}`);
console.log(`for await, four at once: ${await loop(false, 0)}`);
console.log(`for await with objectMode, four at once: ${await loop(true, 0)}`);
console.log(`a listener of data, added late: ${await listener()}`);
process.exit();
JS
cat >expected <<'TEXT'
for await, a message every 2 s: one | two | three | four
for await, four at once: one | twothreefour
for await with objectMode, four at once: one | two | three | four
a listener of data, added late: one | two | three | four
TEXT
node run.mjs | tee seen
diff expected seen && echo "as described: simple-peer 9.11.1, Node $(node --version)"
