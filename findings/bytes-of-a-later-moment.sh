#!/usr/bin/env bash
# socket.io and socket.io-client 4.8.4 read the bytes of an event after `emit` has returned, and an object emitted while offline
# only when the connection is back.
#
# Expected: `emit` takes what it is given as it is at that moment. Seen: for an object that is true while connected, because it
# is made text at once. Bytes are kept by reference until the transport writes: five events with one buffer that is filled
# anew before each arrive as five times the last content, from client and server, over both transports. What is emitted
# offline waits as the object itself: a position that moves on arrives as many times as it was emitted, all of them the last.
# So give each `emit` a copy: of bytes always, of objects whenever the socket may be offline.
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

const wait = (time) => new Promise((done) => setTimeout(done, time));

// Emits five times, changing the same bytes or object before each, and resolves to the values that arrive.
async function five(from, to, what) {
  const seen = [];
  to.on("value", (value) => seen.push(what === "object" ? value.at : value[0]));
  const value = what === "object" ? { at: 0 } : Buffer.alloc(4);
  for (let count = 1; count <= 5; count += 1) {
    value[what === "object" ? "at" : 0] = count;
    from.emit("value", what === "copy" ? Buffer.from(value) : value);
  }
  for (let tries = 0; seen.length < 5 && tries < 400; tries += 1) await wait(25);
  to.removeAllListeners("value");
  return seen.join(" ");
}

async function transport(name) {
  const http = createServer();
  const server = new Server(http);
  await new Promise((done) => http.listen(0, "127.0.0.1", done));
  const connected = () => new Promise((done) => server.once("connection", done));
  let there = connected();
  const client = io(`http://127.0.0.1:${http.address().port}`, { transports: [name] });
  let socket = await there;
  await wait(300);
  console.log(`${name}, client's object: ${await five(client, socket, "object")}`);
  console.log(`${name}, client's bytes: ${await five(client, socket, "bytes")}`);
  console.log(`${name}, client's copies of bytes: ${await five(client, socket, "copy")}`);
  console.log(`${name}, server's object: ${await five(socket, client, "object")}`);
  console.log(`${name}, server's bytes: ${await five(socket, client, "bytes")}`);
  client.disconnect();
  await wait(100);
  const seen = [];
  const position = { at: 0 };
  while ((position.at += 1) <= 5) client.emit("value", position);
  position.at = 99;
  there = connected();
  client.connect();
  socket = await there;
  socket.on("value", (value) => seen.push(value.at));
  while (seen.length < 5) await wait(25);
  console.log(`${name}, client's object while offline: ${seen.join(" ")}`);
  client.close();
  server.close();
}

setTimeout(() => { console.log("nothing in 90 s"); process.exit(1); }, 90_000);
(async () => {
  await transport("websocket");
  await transport("polling");
  process.exit();
})();
JS
for transport in websocket polling; do
    cat <<TEXT
$transport, client's object: 1 2 3 4 5
$transport, client's bytes: 5 5 5 5 5
$transport, client's copies of bytes: 1 2 3 4 5
$transport, server's object: 1 2 3 4 5
$transport, server's bytes: 5 5 5 5 5
$transport, client's object while offline: 99 99 99 99 99
TEXT
done >expected
node run.cjs | tee seen
diff expected seen && echo "as described: socket.io and socket.io-client 4.8.4, Node $(node --version)"
