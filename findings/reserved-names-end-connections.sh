#!/usr/bin/env bash
# An event that python-socketio 5.18.1 sends as "disconnecting", "connect_error" or "newListener" costs it its connection to
# socket.io 4.8.4.
#
# Expected: what a JavaScript client may not name an event, it refuses to emit; a server that gets such a name from another
# client has no handler for it and goes on. Seen: the Python client emits any name without a word; the server calls the
# packet invalid and ends the connection ("transport error" at the client, "forced close" at the server), over an
# application's event called "disconnecting", say, or "newListener". The names are six: "connect", "connect_error", "disconnect",
# "disconnecting", "newListener", "removeListener"; the last two are those of Node's own emitter. "error" passes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent socket.io@4.8.4
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check python-socketio==5.18.1 aiohttp==3.13.2
cat >client.py <<'PY'
import asyncio
import sys

import socketio


async def main():
    client = socketio.AsyncClient(reconnection=False)
    await client.connect(sys.argv[1], transports=["websocket"])
    await client.emit(sys.argv[2], "of the application")
    await client.wait()


asyncio.run(main())
PY
cat >run.cjs <<'JS'
const { spawn } = require("child_process");
const { createServer } = require("http");
const { Server } = require("socket.io");

async function seen(name) {
  const http = createServer();
  const server = new Server(http);
  await new Promise((done) => http.listen(0, "127.0.0.1", done));
  const what = new Promise((done) => {
    server.on("connection", (socket) => {
      socket.on("error", () => {});
      socket.on("disconnect", (reason) => done(`connection ended: ${reason}`));
      socket.onAny(() => done("arrives"));
    });
  });
  const url = `http://127.0.0.1:${http.address().port}`;
  const client = spawn("python/bin/python", ["client.py", url, name], { stdio: "ignore" });
  const outcome = await what;
  client.kill();
  server.close();
  return outcome;
}

setTimeout(() => { console.log("nothing in 30 s"); process.exit(1); }, 30_000);
(async () => {
  for (const name of ["disconnecting", "connect_error", "newListener", "removeListener", "error", "listener"])
    console.log(`${name}: ${await seen(name)}`);
  process.exit();
})();
JS
cat >expected <<'TEXT'
disconnecting: connection ended: forced close
connect_error: connection ended: forced close
newListener: connection ended: forced close
removeListener: connection ended: forced close
error: arrives
listener: arrives
TEXT
node run.cjs | tee seen
diff expected seen && echo "as described: python-socketio 5.18.1, socket.io 4.8.4, Node $(node --version)"
