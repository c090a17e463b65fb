#!/usr/bin/env bash
# In socket.io 4.8.4 a question to a room, or to one socket by its id, "times out" after a millisecond unless it has a time
# limit; the same question to the socket itself waits.
#
# Expected: without `timeout`, `emitWithAck` waits for the answer, however it is addressed: `socket.emitWithAck("ask")` and
# `io.to(socket.id).emitWithAck("ask")` mean the same. Seen: the first gets the answer; the second and `socket.broadcast`
# reject at once with "operation has timed out" and no responses, though the event has been sent, its handlers run, and
# their answers are dropped. The limit that was not given is handed to a timer, for which it is 1 ms.
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

setTimeout(() => { console.log("nothing in 30 s"); process.exit(1); }, 30_000);
(async () => {
  const http = createServer();
  const server = new Server(http);
  await new Promise((done) => http.listen(0, "127.0.0.1", done));
  let handled = 0;
  const sockets = [];
  server.on("connection", (socket) => sockets.push(socket));
  for (const _ of [1, 2]) {
    const client = io(`http://127.0.0.1:${http.address().port}`, { transports: ["websocket"], forceNew: true });
    client.on("ask", (answer) => { handled += 1; setTimeout(() => answer("yes"), 200); });
    await new Promise((done) => client.on("connect", done));
  }
  while (sockets.length < 2) await new Promise((done) => setTimeout(done, 20));
  const [socket] = sockets;
  for (const [name, ask] of Object.entries({
    "the socket": () => socket.emitWithAck("ask"),
    "to its id": () => server.to(socket.id).emitWithAck("ask"),
    "to its id, 5 s": () => server.to(socket.id).timeout(5000).emitWithAck("ask"),
    "broadcast": () => socket.broadcast.emitWithAck("ask"),
  })) {
    handled = 0;
    const outcome = await ask().then(JSON.stringify, ({ message, responses }) => `${message}, responses ${responses.length}`);
    await new Promise((done) => setTimeout(done, 500));
    console.log(`${name}: ${outcome}; handled by ${handled}`);
  }
  process.exit();
})();
JS
cat >expected <<'TEXT'
the socket: "yes"; handled by 1
to its id: operation has timed out, responses 0; handled by 1
to its id, 5 s: ["yes"]; handled by 1
broadcast: operation has timed out, responses 0; handled by 1
TEXT
node run.cjs | tee seen
diff expected seen && echo "as described: socket.io and socket.io-client 4.8.4, Node $(node --version)"
