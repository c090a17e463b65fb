#!/usr/bin/env bash
# socket.io-client 2.5.0 over polling loses its connection to socket.io 4.8.4 when it emits 100 events of 16 KiB in one
# loop; socket.io-client 4.8.4, and 2.5.0 over websocket, deliver all of them.
#
# Expected: `maxHttpBufferSize` (1 MB by default) bounds a message, and 16 KiB are far below it. Seen: over polling a 2.x
# client puts all that it has collected since its last request into one, and the server ends the connection ("transport
# close" at the client) over the size of the whole request: the first event, whose request went out at once, is the only
# one that arrives. Clients since 4.5 split what waits by the limit that the server states; the server that takes 2.x
# clients in (`allowEIO3`) states it to them as well, and they do not know it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent socket.io@4.8.4 \
    client-2.5.0@npm:socket.io-client@2.5.0 client-4.8.4@npm:socket.io-client@4.8.4
cat >run.cjs <<'JS'
const { createServer } = require("http");
const { Server } = require("socket.io");

const COUNT = 100;

async function emitted(name, transport) {
  const http = createServer();
  const server = new Server(http, { allowEIO3: true });
  await new Promise((done) => http.listen(0, "127.0.0.1", done));
  const client = require(name)(`http://127.0.0.1:${http.address().port}`, {
    transports: [transport],
    reconnection: false,
  });
  let arrived = 0;
  const end = await new Promise((done) => {
    server.on("connection", (socket) => {
      socket.on("x", () => { if ((arrived += 1) === COUNT) done("connected"); });
    });
    client.on("disconnect", done);
    client.on("connect", () => {
      for (let number = 0; number < COUNT; number += 1) client.emit("x", "x".repeat(16 * 1024));
    });
  });
  client.close();
  server.close();
  return `${arrived === COUNT ? "all" : arrived < 2 ? "at most the first" : "some"} of ${COUNT} arrive, ${end}`;
}

setTimeout(() => { console.log("nothing in 60 s"); process.exit(1); }, 60_000);
(async () => {
  for (const name of ["client-2.5.0", "client-4.8.4"])
    for (const transport of ["polling", "websocket"])
      console.log(`${name} over ${transport}: ${await emitted(name, transport)}`);
  process.exit();
})();
JS
cat >expected <<'TEXT'
client-2.5.0 over polling: at most the first of 100 arrive, transport close
client-2.5.0 over websocket: all of 100 arrive, connected
client-4.8.4 over polling: all of 100 arrive, connected
client-4.8.4 over websocket: all of 100 arrive, connected
TEXT
node run.cjs | tee seen
diff expected seen && echo "as described: socket.io 4.8.4, Node $(node --version)"
