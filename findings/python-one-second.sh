#!/usr/bin/env bash
# `Client` and `AsyncClient` of python-socketio 5.18.1 give up after one second if the server's middleware takes longer.
#
# Expected: a client waits for the answer to its CONNECT as long as socket.io-client 4.8.4 does, which has no limit of its own
# there, or some 20 s. Seen: with a middleware that takes 1.5 s (a token that is checked elsewhere, a busy server, a slow link)
# `connect` closes the connection and raises ConnectionError, also with `reconnection=True`, which is the default and means
# connections that were there. `SimpleClient` of the same library waits 5 s. The argument is `wait_timeout`.
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
import time

import socketio

kind, url = sys.argv[1:3]
options = {"wait_timeout": int(sys.argv[3])} if len(sys.argv) > 3 else {}


async def asynchronous():
    client = socketio.AsyncClient()
    await client.connect(url, **options)
    await client.disconnect()


try:
    if kind == "AsyncClient":
        asyncio.run(asynchronous())
    else:
        client = getattr(socketio, kind)()
        client.connect(url, **options)
        client.disconnect()
    print("connects")
except socketio.exceptions.ConnectionError:
    print("ConnectionError")
PY
cat >client.cjs <<'JS'
const client = require("socket.io-client").io(process.argv[3], { reconnection: false });
client.on("connect", () => { console.log("connects"); client.close(); });
client.on("connect_error", () => console.log("connect_error"));
JS
cat >run.cjs <<'JS'
const { spawn } = require("child_process");
const { createServer } = require("http");
const { Server } = require("socket.io");

const http = createServer();
const server = new Server(http);
let wait;
server.use((_, next) => setTimeout(next, wait));

const run = (program, ...args) => new Promise((done) => {
  const client = spawn(program, args, { stdio: ["ignore", "pipe", "ignore"] });
  let said = "";
  client.stdout.on("data", (data) => (said += data));
  client.on("close", () => done(said.trim()));
});

setTimeout(() => { console.log("nothing in 60 s"); process.exit(1); }, 60_000);
http.listen(0, "127.0.0.1", async () => {
  const url = `http://127.0.0.1:${http.address().port}`;
  for (wait of [200, 1500]) {
    console.log(`${wait} ms, socket.io-client: ${await run("node", "client.cjs", "-", url)}`);
    for (const kind of ["Client", "AsyncClient", "SimpleClient"])
      console.log(`${wait} ms, ${kind}: ${await run("python/bin/python", "client.py", kind, url)}`);
  }
  console.log(`${wait} ms, Client, wait_timeout 10: ${await run("python/bin/python", "client.py", "Client", url, "10")}`);
  process.exit();
});
JS
cat >expected <<'TEXT'
200 ms, socket.io-client: connects
200 ms, Client: connects
200 ms, AsyncClient: connects
200 ms, SimpleClient: connects
1500 ms, socket.io-client: connects
1500 ms, Client: ConnectionError
1500 ms, AsyncClient: ConnectionError
1500 ms, SimpleClient: connects
1500 ms, Client, wait_timeout 10: connects
TEXT
node run.cjs | tee seen
diff expected seen && echo "as described: python-socketio 5.18.1, socket.io and socket.io-client 4.8.4, Node $(node --version)"
