#!/usr/bin/env bash
# With socket.io-parser 4.2.7, socket.io and socket.io-client 4.8.4 end a connection over the eleventh binary
# argument of an event; with 4.2.5 the same two packages deliver it.
#
# Expected: a patch release of a dependency keeps what an unchanged client and server exchange, and the number of
# attachments is bounded by the size of a message. Seen: 10 `Buffer`s arrive; with 11 the client disconnects with
# "parse error", and the server drops a client that sends them ("transport close" there). The sender is told nothing.
# Both packages ask for `~4.2.4`, so which of the two happens depends on the day of the installation.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
cat >run.cjs <<'JS'
const { readFileSync } = require("fs");
const { createServer } = require("http");
const { Server } = require("socket.io");
const { io } = require("socket.io-client");

const { version } = JSON.parse(readFileSync("node_modules/socket.io-parser/package.json"));
const buffers = (count) => Array.from({ length: count }, () => Buffer.from([1]));

// An event with this many buffers, from the server or from the client.
async function sent(by, count) {
  const http = createServer();
  const server = new Server(http);
  await new Promise((done) => http.listen(0, "127.0.0.1", done));
  const client = io(`http://127.0.0.1:${http.address().port}`, {
    transports: ["websocket"],
    reconnection: false,
  });
  const seen = await new Promise((done) => {
    const arrives = (...args) => done(`${args.length} arrive`);
    client.on("disconnect", done);
    client.on("x", arrives);
    server.on("connection", (socket) => {
      socket.on("x", arrives);
      if (by === "server") socket.emit("x", ...buffers(count));
    });
    if (by === "client") client.on("connect", () => client.emit("x", ...buffers(count)));
  });
  client.close();
  server.close();
  return seen;
}

setTimeout(() => { console.log("nothing in 30 s"); process.exit(1); }, 30_000);
(async () => {
  for (const by of ["server", "client"])
    for (const count of [10, 11]) console.log(`${version}: ${count} by the ${by}: ${await sent(by, count)}`);
  process.exit();
})();
JS
cat >expected <<'TEXT'
4.2.5: 10 by the server: 10 arrive
4.2.5: 11 by the server: 11 arrive
4.2.5: 10 by the client: 10 arrive
4.2.5: 11 by the client: 11 arrive
4.2.7: 10 by the server: 10 arrive
4.2.7: 11 by the server: parse error
4.2.7: 10 by the client: 10 arrive
4.2.7: 11 by the client: transport close
TEXT
for parser in 4.2.5 4.2.7; do
    npm install --ignore-scripts --no-audit --no-fund --silent \
        socket.io@4.8.4 socket.io-client@4.8.4 "socket.io-parser@$parser"
    node run.cjs
done | tee seen
diff expected seen && echo "as described: socket.io and socket.io-client 4.8.4, Node $(node --version)"
