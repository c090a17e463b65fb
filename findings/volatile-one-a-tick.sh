#!/usr/bin/env bash
# Of ten volatile emits in one loop, socket.io-client 4.8.4 and socket.io 4.8.4 send one, on an idle connection.
#
# Expected: `volatile` drops an event when the connection is down or its buffer is full; ten small ones on an idle
# websocket are far from that. Seen: an event is dropped unless the transport is "writable", which it is not from a write
# to a later turn of the event loop. So of volatile events that are emitted together only the first is sent, and none
# right after any other event in the same turn: a page that emits a position and a volatile one beside it loses the
# second each time. The same over polling, and at the server.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent socket.io@4.8.4 socket.io-client@4.8.4
cat >run.cjs <<'JS'
const { createServer } = require("http");
const { Server } = require("socket.io");
const { io } = require("socket.io-client");

const soon = () => new Promise((done) => setTimeout(done, 500));

async function arrived(transport, by, emits) {
  const http = createServer();
  const server = new Server(http);
  await new Promise((done) => http.listen(0, "127.0.0.1", done));
  const client = io(`http://127.0.0.1:${http.address().port}`, { transports: [transport] });
  const ends = { client };
  const connected = new Promise((done) => client.on("connect", done));
  ends.server = await new Promise((done) => server.on("connection", done));
  await connected;
  await soon();
  let count = 0;
  ends[by === "client" ? "server" : "client"].on("volatile", () => (count += 1));
  emits(ends[by]);
  await soon();
  client.close();
  server.close();
  return count;
}

const ten = (socket) => { for (let number = 0; number < 10; number += 1) socket.volatile.emit("volatile", number); };
const behind = (socket) => { socket.emit("ordinary"); socket.volatile.emit("volatile"); };

setTimeout(() => { console.log("nothing in 60 s"); process.exit(1); }, 60_000);
(async () => {
  for (const transport of ["websocket", "polling"])
    for (const by of ["client", "server"]) {
      console.log(`${by}, ${transport}: ${await arrived(transport, by, ten)} of 10 volatile events arrive`);
      console.log(`${by}, ${transport}: ${await arrived(transport, by, behind)} of 1 behind an ordinary event`);
    }
  process.exit();
})();
JS
for transport in websocket polling; do
    for by in client server; do
        echo "$by, $transport: 1 of 10 volatile events arrive"
        echo "$by, $transport: 0 of 1 behind an ordinary event"
    done
done >expected
node run.cjs | tee seen
diff expected seen && echo "as described: socket.io and socket.io-client 4.8.4, Node $(node --version)"
