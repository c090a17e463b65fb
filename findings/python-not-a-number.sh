#!/usr/bin/env bash
# One NaN that python-socketio 5.18.1 emits ends its connection to socket.io 4.8.4, and one that a Python server emits ends
# socket.io-client's.
#
# Expected: JSON has no NaN and no infinity, so that `emit` raises an error, or sends null, as JavaScript does. Seen: Python's
# json writes the bare words NaN and Infinity. The other end cannot read the packet and closes the whole connection; nothing
# is raised where the value was sent, and what is emitted next is lost or an error about a namespace. A sensor that
# measures nothing for a moment, or the mean of no values (numpy), takes the client off the air. A server of python-socketio
# that emits one to a room loses everybody in it at once; all come back, until the next NaN.
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
import sys

import socketio

client = socketio.Client(reconnection=False)
client.connect(sys.argv[1], wait_timeout=20)
client.emit("value", float(sys.argv[2]))
print("emit returns")
client.sleep(1)
PY
cat >server.py <<'PY'
import asyncio
import sys

import socketio
from aiohttp import web

server = socketio.AsyncServer(async_mode="aiohttp")
application = web.Application()
server.attach(application)


@server.on("tell")
async def tell(sid, text):
    await server.emit("value", float(text))


async def main():
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(site._server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
PY
cat >run.cjs <<'JS'
const { spawn } = require("child_process");
const { createServer } = require("http");
const { Server } = require("socket.io");
const { io } = require("socket.io-client");

const wait = (time) => new Promise((done) => setTimeout(done, time));
const values = ["1.5", "nan", "inf"];

function client(url, value) {
  const program = spawn("python/bin/python", ["client.py", url, value], { stdio: ["ignore", "pipe", "ignore"] });
  return new Promise((done) => program.stdout.on("data", (data) => done(`${data}`.trim())));
}

async function server(value) {
  const program = spawn("python/bin/python", ["server.py"], { stdio: ["ignore", "pipe", "ignore"] });
  const port = await new Promise((done) => program.stdout.once("data", (data) => done(Number(data))));
  const seen = [];
  const clients = [1, 2, 3].map(() => io(`http://127.0.0.1:${port}`, { forceNew: true, reconnection: false }));
  await Promise.all(clients.map((one) => new Promise((done) => one.on("connect", done))));
  for (const one of clients) {
    one.on("value", (number) => seen.push(`gets ${number}`));
    one.on("disconnect", (reason) => seen.push(reason));
  }
  await wait(500);
  clients[0].emit("tell", value);
  while (seen.length < 3) await wait(50);
  const told = seen.join(", ");
  program.kill("SIGKILL");
  return told;
}

setTimeout(() => { console.log("nothing in 60 s"); process.exit(1); }, 60_000);
(async () => {
  const http = createServer();
  const io4 = new Server(http);
  await new Promise((done) => http.listen(0, "127.0.0.1", done));
  for (const value of values) {
    const seen = new Promise((done) => io4.once("connection", (socket) => {
      socket.on("value", (number) => done(`arrives as ${number}`));
      socket.on("disconnect", (reason) => done(`the server sees "${reason}"`));
    }));
    const said = await client(`http://127.0.0.1:${http.address().port}`, value);
    console.log(`a Python client emits ${value}: ${said}, ${await seen}`);
  }
  for (const value of values) console.log(`a Python server emits ${value} to three: ${await server(value)}`);
  process.exit();
})();
JS
cat >expected <<'TEXT'
a Python client emits 1.5: emit returns, arrives as 1.5
a Python client emits nan: emit returns, the server sees "forced close"
a Python client emits inf: emit returns, the server sees "forced close"
a Python server emits 1.5 to three: gets 1.5, gets 1.5, gets 1.5
a Python server emits nan to three: parse error, parse error, parse error
a Python server emits inf to three: parse error, parse error, parse error
TEXT
node run.cjs | tee seen
diff expected seen && echo "as described: python-socketio 5.18.1, socket.io and socket.io-client 4.8.4, Node $(node --version)"
