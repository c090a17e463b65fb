#!/usr/bin/env bash
# socket.io-client 2.5.0 does not send an event that the application calls "ping", "pong", "error" or "reconnect".
#
# Expected: the names that a client keeps for itself are those that socket.io-client 4.8.4 refuses ("connect",
# "disconnect", …), with an exception; "ping" is what every second example emits. Seen: 13 names are local in a 2.x client:
# `emit("ping", callback)` calls the client's own listeners of "ping", sends nothing, reports nothing, and its callback is
# never called. The other way such events arrive, so a server's "ping" reaches the page and the page's "pong" never the server.
# socket.io-client 4.8.4 sends all of these.
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

const names = ["chat", "ping", "pong", "error", "reconnect", "reconnecting", "connecting"];

async function arrive(name) {
  const http = createServer();
  const server = new Server(http, { allowEIO3: true });
  await new Promise((done) => http.listen(0, "127.0.0.1", done));
  const client = require(name)(`http://127.0.0.1:${http.address().port}`, { transports: ["websocket"] });
  client.on("error", () => {});
  const [there, back] = [[], []];
  for (const each of names) client.on(each, (argument) => argument === "server" && back.push(each));
  const connected = new Promise((done) => client.on("connect", done));
  server.on("connection", (socket) => {
    socket.on("error", () => {});
    socket.onAny((event) => there.push(event));
  });
  await connected;
  for (const each of names) client.emit(each, "client");
  for (const each of names) server.emit(each, "server");
  await new Promise((done) => setTimeout(done, 1000));
  client.close();
  server.close();
  return `to the server ${there.join(", ")}; from it ${back.join(", ")}`;
}

setTimeout(() => { console.log("nothing in 30 s"); process.exit(1); }, 30_000);
(async () => {
  for (const name of ["client-2.5.0", "client-4.8.4"]) console.log(`${name}: ${await arrive(name)}`);
  process.exit();
})();
JS
cat >expected <<'TEXT'
client-2.5.0: to the server chat; from it chat, ping, pong, error, reconnect, reconnecting, connecting
client-4.8.4: to the server chat, ping, pong, error, reconnect, reconnecting, connecting; from it chat, ping, pong, error, reconnect, reconnecting, connecting
TEXT
node run.cjs | tee seen
diff expected seen && echo "as described: socket.io 4.8.4, Node $(node --version)"
