#!/usr/bin/env bash
# A server of socket.io 4.8.4 that asks a client which then disconnects waits for the whole time limit, or for ever;
# a client that asks a server is told of the lost connection at once.
#
# Expected: `emitWithAck` is one method at both ends; a socket that is gone cannot answer, so the promise is rejected
# when "disconnect" is reported, with and without `timeout`. Seen: so it is in socket.io-client ("socket has been
# disconnected"). At the server the same call without `timeout` never settles, and with it only the time limit rejects,
# seconds after the server itself has reported the disconnect. So handlers that await an answer pile up at a server whose
# clients come and go.
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

async function settled(by, limit) {
  const http = createServer();
  const server = new Server(http);
  await new Promise((done) => http.listen(0, "127.0.0.1", done));
  const client = io(`http://127.0.0.1:${http.address().port}`, { transports: ["websocket"], reconnection: false });
  const connected = new Promise((done) => client.on("connect", done));
  const socket = await new Promise((done) => server.on("connection", done));
  await connected;
  const [asks, leaves] = by === "client" ? [client, socket] : [socket, client];
  let outcome = "still waits";
  (limit ? asks.timeout(limit) : asks).emitWithAck("ask").catch(({ message }) => (outcome = message));
  const gone = new Promise((done) => asks.on("disconnect", done));
  leaves.disconnect(true);
  await gone;
  await new Promise((done) => setTimeout(done, 1000));
  const early = outcome;
  await new Promise((done) => setTimeout(done, 4000));
  client.close();
  server.close();
  return `after 1 s: ${early}; after 5 s: ${outcome}`;
}

setTimeout(() => { console.log("nothing in 60 s"); process.exit(1); }, 60_000);
(async () => {
  for (const by of ["client", "server"])
    for (const limit of [undefined, 3000]) console.log(`${by}, limit ${limit}: ${await settled(by, limit)}`);
  process.exit();
})();
JS
cat >expected <<'TEXT'
client, limit undefined: after 1 s: socket has been disconnected; after 5 s: socket has been disconnected
client, limit 3000: after 1 s: socket has been disconnected; after 5 s: socket has been disconnected
server, limit undefined: after 1 s: still waits; after 5 s: still waits
server, limit 3000: after 1 s: still waits; after 5 s: operation has timed out
TEXT
node run.cjs | tee seen
diff expected seen && echo "as described: socket.io and socket.io-client 4.8.4, Node $(node --version)"
