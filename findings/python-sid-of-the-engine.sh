#!/usr/bin/env bash
# The attribute `sid` of a python-socketio client 5.18.1 is another id than the one that the server and JavaScript clients know
# it by.
#
# Expected: `client.sid` is what `socket.id` is at both ends of a JavaScript connection, so that a client tells it to others
# and they, or the server by `io.to(id)`, reach it. Seen: it is the id of the Engine.IO session below; what is sent to it
# reaches nobody, without an error. `client.get_sid()` is the right one, per namespace. The two look alike.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent socket.io@4.8.4 socket.io-client@4.8.4
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check python-socketio==5.18.1 aiohttp==3.13.2
cat >client.py <<'PY'
import asyncio
import sys

import socketio


async def main():
    client = socketio.AsyncClient()
    await client.connect(sys.argv[1], transports=["websocket"])
    await client.emit("me", {"sid": client.sid, "get_sid()": client.get_sid()})
    client.on("hello", lambda to: client.start_background_task(client.emit, "heard", to))
    await client.wait()


asyncio.run(main())
PY
cat >client.cjs <<'JS'
const client = require("socket.io-client").io(process.argv[2], { transports: ["websocket"] });
client.on("connect", () => client.emit("me", { id: client.id }));
client.on("hello", (to) => client.emit("heard", to));
JS
cat >run.cjs <<'JS'
const { spawn } = require("child_process");
const { createServer } = require("http");
const { Server } = require("socket.io");

async function ids(program, script) {
  const http = createServer();
  const server = new Server(http);
  await new Promise((done) => http.listen(0, "127.0.0.1", done));
  const client = spawn(program, [script, `http://127.0.0.1:${http.address().port}`], { stdio: "ignore" });
  const socket = await new Promise((done) => server.on("connection", done));
  const own = await new Promise((done) => socket.on("me", done));
  const heard = new Set();
  socket.on("heard", (name) => heard.add(name));
  await new Promise((done) => setTimeout(done, 500));
  for (const [name, id] of Object.entries(own)) server.to(id).emit("hello", name);
  await new Promise((done) => setTimeout(done, 1000));
  client.kill();
  server.close();
  const which = (id) => (id === socket.id ? "the socket's" : id === socket.conn.id ? "Engine.IO's" : "unknown");
  return Object.entries(own)
    .map(([name, id]) => `${name} is ${which(id)}, ${heard.has(name) ? "is reached by it" : "is not reached by it"}`)
    .join("; ");
}

setTimeout(() => { console.log("nothing in 30 s"); process.exit(1); }, 30_000);
(async () => {
  console.log("socket.io-client:", await ids("node", "client.cjs"));
  console.log("python-socketio:", await ids("python/bin/python", "client.py"));
  process.exit();
})();
JS
cat >expected <<'TEXT'
socket.io-client: id is the socket's, is reached by it
python-socketio: sid is Engine.IO's, is not reached by it; get_sid() is the socket's, is reached by it
TEXT
node run.cjs | tee seen
diff expected seen && echo "as described: python-socketio 5.18.1, socket.io and socket.io-client 4.8.4, Node $(node --version)"
