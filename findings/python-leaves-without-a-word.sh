#!/usr/bin/env bash
# python-socketio 5.18.1 over polling (python-engineio 4.15.1) leaves without a word if `disconnect` comes while a request is
# under way.
#
# Expected: the server learns that the client has left, as from socket.io-client 4.8.4. Seen: the DISCONNECT and the CLOSE
# are never sent, because the task that writes ends as soon as the state is no longer `connected`. `disconnect` returns with
# the server's next ping (up to 25 s by default), and the server takes the client for connected until the timeout of that
# ping: it cannot connect anew under a name that is in use. A pause of a round trip before `disconnect` avoids it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent socket.io@4.8.4 socket.io-client@4.8.4
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check \
    python-socketio==5.18.1 python-engineio==4.15.1 aiohttp==3.13.2 requests==2.32.5 websocket-client==1.9.0
cat >client.py <<'PY'
import asyncio
import sys
import time

import socketio

kind, url, pause = sys.argv[1], sys.argv[2], float(sys.argv[3]) / 1000


async def asynchronous():
    client = socketio.AsyncClient()
    await client.connect(url, transports=["polling"], wait_timeout=10)
    await asyncio.sleep(1)
    await client.emit("event")
    await asyncio.sleep(pause)
    await client.disconnect()


def threaded():
    client = socketio.Client()
    client.connect(url, transports=["polling"], wait_timeout=10)
    time.sleep(1)
    client.emit("event")
    time.sleep(pause)
    client.disconnect()


if kind == "AsyncClient":
    asyncio.run(asynchronous())
else:
    threaded()
PY
cat >client.cjs <<'JS'
const client = require("socket.io-client").io(process.argv[3], { transports: ["polling"] });
client.on("connect", () => setTimeout(() => {
  client.emit("event");
  setTimeout(() => client.disconnect(), 50);
}, 1000));
JS
cat >run.cjs <<'JS'
const { spawn } = require("child_process");
const { createServer } = require("http");
const { Server } = require("socket.io");

const http = createServer();
const server = new Server(http, { pingInterval: 4000, pingTimeout: 1000 });
// A request takes a while on its way, as on a slow link.
server.engine.use((request, _, next) => (request.method === "POST" ? setTimeout(next, 300) : next()));

const run = (program, ...args) => new Promise((done) => {
  server.once("connection", (socket) => socket.on("disconnect", done));
  spawn(program, args, { stdio: "ignore" });
});

setTimeout(() => { console.log("nothing in 60 s"); process.exit(1); }, 60_000);
http.listen(0, "127.0.0.1", async () => {
  const url = `http://127.0.0.1:${http.address().port}`;
  console.log(`socket.io-client: ${await run("node", "client.cjs", "-", url)}`);
  for (const kind of ["AsyncClient", "Client"])
    console.log(`${kind}: ${await run("python/bin/python", "client.py", kind, url, "50")}`);
  console.log(`AsyncClient, after a pause: ${await run("python/bin/python", "client.py", "AsyncClient", url, "1000")}`);
  process.exit();
});
JS
cat >expected <<'TEXT'
socket.io-client: client namespace disconnect
AsyncClient: ping timeout
Client: ping timeout
AsyncClient, after a pause: transport close
TEXT
node run.cjs | tee seen
diff expected seen && echo "as described: python-socketio 5.18.1, socket.io and socket.io-client 4.8.4, Node $(node --version)"
