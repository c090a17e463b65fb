#!/usr/bin/env bash
# PeerServer (peer 1.0.2) never says OPEN to a peer that comes back before its old connection has ended: PeerJS waits for ever.
#
# Expected: a client that has lost its network and calls `reconnect()`, with the id and the token that it had, is let in and told so,
# or told that the id is taken. Seen: the new connection replaces the old one without a word. No OPEN comes, so that PeerJS 1.5.5 fires
# no `open`, stays without `peer.open` and has no time limit for it; the server routes to the new connection all the same. Once the
# server has noticed that the old one is gone (up to `alive_timeout`, 90 s), the same reconnect works. With another token it
# is ID-TAKEN.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent peer@1.0.2 ws@8.23.0
cat >run.mjs <<'JS'
import { PeerServer } from "peer";
import WebSocket from "ws";

const wait = (time) => new Promise((done) => setTimeout(done, time));
const port = await new Promise((done) =>
  PeerServer({ host: "127.0.0.1", port: 0, path: "/" }, (server) => done(server.address().port)));

// A connection as PeerJS makes it, and what it hears.
async function connect(id, token) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/peerjs?key=peerjs&id=${id}&token=${token}&version=1.5.5`);
  socket.heard = [];
  socket.on("message", (data) => socket.heard.push(JSON.parse(data).type));
  await new Promise((done) => socket.on("open", done));
  return socket;
}
const hears = async (socket, time = 3000) => {
  for (let passed = 0; socket.heard.length === 0 && passed < time; passed += 50) await wait(50);
  return socket.heard.splice(0).join(", ") || "nothing";
};

setTimeout(() => { console.log("nothing in 60 s"); process.exit(1); }, 60_000);
const other = await connect("bob", "b");
console.log(`a partner hears ${await hears(other)}`);
const first = await connect("alice", "a");
console.log(`the first connection hears ${await hears(first)}`);
const again = await connect("alice", "a");
console.log(`the same client, while the first is there, hears ${await hears(again)}`);
other.send(JSON.stringify({ type: "OFFER", dst: "alice", payload: {} }));
console.log(`an offer to it reaches the new connection: ${await hears(again)}; the old one: ${await hears(first, 500)}`);
console.log(`with another token: ${await hears(await connect("alice", "c"))}`);
first.terminate();
again.terminate();
await wait(1000);
console.log(`the same client, when both have ended, hears ${await hears(await connect("alice", "a"))}`);
process.exit();
JS
cat >expected <<'TEXT'
a partner hears OPEN
the first connection hears OPEN
the same client, while the first is there, hears nothing
an offer to it reaches the new connection: OFFER; the old one: nothing
with another token: ID-TAKEN
the same client, when both have ended, hears OPEN
TEXT
node run.mjs | tee seen
diff expected seen && echo "as described: peer 1.0.2, Node $(node --version)"
