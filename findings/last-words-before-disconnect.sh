#!/usr/bin/env bash
# socket.io 4.8.4 drops an event that arrives together with its sender's `disconnect`: over websocket what socket.io-client
# 4.8.4 emits right before `disconnect()` is lost.
#
# Expected: the connection is ordered and closed politely, so that what was emitted before `disconnect()` is handled before
# `disconnect` is. Seen: the event reaches the server, which hands it out one tick later and only to a socket that is still
# connected; the DISCONNECT packet that came in the same read has ended it by then. No handler runs, `onAny` included. One
# event or five, JavaScript or python-socketio 5.18.1, the default transports included: none arrives. Over polling
# socket.io-client sends the two apart, python-socketio does not. A "bye" or a last save arrives if its acknowledgement is
# awaited before `disconnect()`, or if something takes a moment in between.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent socket.io@4.8.4 socket.io-client@4.8.4
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check \
    python-socketio==5.18.1 aiohttp==3.13.2 requests==2.32.5 websocket-client==1.9.0
cat >client.py <<'PY'
import asyncio
import sys

import socketio

url, transport = sys.argv[1:]


async def main():
    for _ in range(10):
        client = socketio.AsyncClient()
        await client.connect(url, transports=[transport], wait_timeout=20)
        await client.emit("bye")
        await client.disconnect()


asyncio.run(main())
PY
cat >run.cjs <<'JS'
const { spawn } = require("child_process");
const { createServer } = require("http");
const { Server } = require("socket.io");
const { io } = require("socket.io-client");

const wait = (time) => new Promise((done) => setTimeout(done, time));
const http = createServer();
const server = new Server(http);
let arrived = 0;
let left = 0;
server.on("connection", (socket) => {
  socket.on("bye", (answer) => { arrived += 1; answer?.(); });
  socket.on("disconnect", () => (left += 1));
});

// Ten clients, one after the other, each of which says "bye" as often as told and goes.
async function page(url, transports, { times = 1, before = async () => {} }) {
  for (let count = 0; count < 10; count += 1) {
    const client = io(url, { transports, forceNew: true });
    await new Promise((done) => client.on("connect", done));
    while (transports.length === 2 && client.io.engine.transport.name !== "websocket") await wait(20);
    if (transports.length === 2) await wait(300);
    for (let time = 0; time < times; time += 1) client.emit("bye");
    await before(client);
    client.disconnect();
  }
}

const python = (url, transport) => new Promise((done) =>
  spawn("python/bin/python", ["client.py", url, transport], { stdio: ["ignore", "ignore", "inherit"] }).on("close", done));

async function tell(name, of, run) {
  arrived = left = 0;
  await run();
  while (left < 10) await wait(50);
  await wait(300);
  console.log(`${name}: ${arrived} of ${of} arrive`);
}

setTimeout(() => { console.log("nothing in 120 s"); process.exit(1); }, 120_000);
http.listen(0, "127.0.0.1", async () => {
  const url = `http://127.0.0.1:${http.address().port}`;
  await tell("websocket", 10, () => page(url, ["websocket"], {}));
  await tell("websocket, five events", 50, () => page(url, ["websocket"], { times: 5 }));
  await tell("upgraded from polling", 10, () => page(url, ["polling", "websocket"], {}));
  await tell("polling", 10, () => page(url, ["polling"], {}));
  await tell("websocket, 500 ms before disconnect()", 10, () => page(url, ["websocket"], { before: () => wait(500) }));
  await tell("websocket, after an acknowledged one", 20, () =>
    page(url, ["websocket"], { before: (client) => client.emitWithAck("bye") }));
  await tell("python-socketio, websocket", 10, () => python(url, "websocket"));
  await tell("python-socketio, polling", 10, () => python(url, "polling"));
  process.exit();
});
JS
cat >expected <<'TEXT'
websocket: 0 of 10 arrive
websocket, five events: 0 of 50 arrive
upgraded from polling: 0 of 10 arrive
polling: 10 of 10 arrive
websocket, 500 ms before disconnect(): 10 of 10 arrive
websocket, after an acknowledged one: 20 of 20 arrive
python-socketio, websocket: 0 of 10 arrive
python-socketio, polling: 0 of 10 arrive
TEXT
node run.cjs | tee seen
diff expected seen && echo "as described: socket.io and socket.io-client 4.8.4, python-socketio 5.18.1, Node $(node --version)"
