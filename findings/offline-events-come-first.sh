#!/usr/bin/env bash
# What socket.io-client 2.5.0 and 4.8.4 kept while there was no connection, they send before what the application emits
# in its handler of "connect".
#
# Expected: "connect" is where a client logs in or joins, on each reconnect as well; what was emitted meanwhile goes out
# once it has run. Seen: the buffered events are first on the wire, then those of the handler. So a server for which the
# order matters (register, then use) gets them the wrong way round, and only after a loss of the connection.
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

async function order(name) {
  const http = createServer();
  const server = new Server(http, { allowEIO3: true });
  await new Promise((done) => http.listen(0, "127.0.0.1", done));
  const seen = [];
  const connection = () => new Promise((done) => {
    server.once("connection", (socket) => {
      let count = 0;
      socket.onAny((event) => { seen.push(event); if ((count += 1) === 2) done(); });
    });
  });
  const first = connection();
  const client = require(name)(`http://127.0.0.1:${http.address().port}`, {
    transports: ["websocket"],
    reconnectionDelay: 100,
  });
  client.on("connect", () => client.emit("log in"));
  client.emit("early");
  await first;
  seen.push("(lost)");
  const second = connection();
  const lost = new Promise((done) => client.once("disconnect", done));
  client.io.engine.close();
  await lost;
  client.emit("offline");
  await second;
  client.close();
  server.close();
  return seen.join(", ");
}

setTimeout(() => { console.log("nothing in 30 s"); process.exit(1); }, 30_000);
(async () => {
  for (const name of ["client-2.5.0", "client-4.8.4"]) console.log(`${name}: ${await order(name)}`);
  process.exit();
})();
JS
cat >expected <<'TEXT'
client-2.5.0: early, log in, (lost), offline, log in
client-4.8.4: early, log in, (lost), offline, log in
TEXT
node run.cjs | tee seen
diff expected seen && echo "as described: socket.io 4.8.4, Node $(node --version)"
