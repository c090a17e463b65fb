#!/usr/bin/env bash
# `receive()` of python-socketio's `SimpleClient` and `AsyncSimpleClient` (5.18.1) waits for ever when the server has disconnected the client.
#
# Expected: `receive` raises `DisconnectedError`, which it does for a client that is disconnected, and the loop that reads events
# ends. Seen: it looks once, when it begins. A call that waits already, where such a loop nearly always is, is not woken: the
# process lives, `connected` is False, and nothing comes any more. The same when the connection is cut and reconnecting is off. With
# `receive(timeout=…)` it raises `TimeoutError`, as if there were just no news, and the next call raises `DisconnectedError`.
# A connection that is cut and comes back is no trouble: the call returns the next event.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent socket.io@4.8.4
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check \
    python-socketio==5.18.1 aiohttp==3.13.2 requests==2.32.5 websocket-client==1.9.0
cat >client.py <<'PY'
import asyncio
import sys
import threading
import time

import socketio

URL = sys.argv[1]
# How long a call waits before it is called a hang; the server disconnects after half a second.
PATIENCE = 10


def outcome(call):
    try:
        return f"returns {call()}"
    except Exception as error:
        return f"raises {type(error).__name__}"


def threaded(what, how, options={}):
    client = socketio.SimpleClient(**options)
    client.connect(URL, wait_timeout=20)
    client.emit(how)
    seen = []
    thread = threading.Thread(target=lambda: seen.append(outcome(client.receive)), daemon=True)
    thread.start()
    thread.join(PATIENCE)
    first = seen[0] if seen else f"waits on, connected {client.connected}"
    print(f"SimpleClient, {what}: receive() {first}")
    if not seen:
        print(f"SimpleClient, {what}: another receive() {outcome(client.receive)}")


def with_a_limit():
    client = socketio.SimpleClient()
    client.connect(URL, wait_timeout=20)
    client.emit("send away")
    print(f"SimpleClient, sent away: receive(timeout=5) {outcome(lambda: client.receive(timeout=5))}")
    print(f"SimpleClient, sent away: receive(timeout=5) again {outcome(lambda: client.receive(timeout=5))}")


async def asynchronous():
    client = socketio.AsyncSimpleClient()
    await client.connect(URL, wait_timeout=20)
    await client.emit("send away")
    call = asyncio.ensure_future(client.receive())
    done, _ = await asyncio.wait([call], timeout=PATIENCE)
    print(f"AsyncSimpleClient, sent away: receive() {'ends' if done else f'waits on, connected {client.connected}'}")
    call.cancel()


threaded("sent away", "send away")
threaded("cut off, without reconnection", "cut off", {"reconnection": False})
threaded("cut off, comes back, an event", "cut off, come back")
with_a_limit()
asyncio.run(asynchronous())
PY
cat >run.mjs <<'JS'
import { spawn } from "child_process";
import { createServer } from "http";
import { Server } from "socket.io";

const http = createServer();
let comesBack = false;
new Server(http).on("connection", (socket) => {
  if (comesBack) setTimeout(() => socket.emit("news"), 500);
  comesBack = false;
  socket.on("send away", () => setTimeout(() => socket.disconnect(), 500));
  socket.on("cut off", () => setTimeout(() => socket.conn.close(), 500));
  socket.on("cut off, come back", () => setTimeout(() => {
    comesBack = true;
    socket.conn.close();
  }, 500));
});
await new Promise((done) => http.listen(0, "127.0.0.1", done));
const client = spawn("python/bin/python", ["client.py", `http://127.0.0.1:${http.address().port}`], { stdio: "inherit" });
setTimeout(() => { console.log("nothing in 150 s"); client.kill(); process.exit(1); }, 150_000);
client.on("exit", (code) => process.exit(code ?? 1));
JS
cat >expected <<'TEXT'
SimpleClient, sent away: receive() waits on, connected False
SimpleClient, sent away: another receive() raises DisconnectedError
SimpleClient, cut off, without reconnection: receive() waits on, connected False
SimpleClient, cut off, without reconnection: another receive() raises DisconnectedError
SimpleClient, cut off, comes back, an event: receive() returns ['news']
SimpleClient, sent away: receive(timeout=5) raises TimeoutError
SimpleClient, sent away: receive(timeout=5) again raises DisconnectedError
AsyncSimpleClient, sent away: receive() waits on, connected False
TEXT
node run.mjs | tee seen
diff expected seen && echo "as described: python-socketio 5.18.1, socket.io 4.8.4, $(python/bin/python --version), Node $(node --version)"
