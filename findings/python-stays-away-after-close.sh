#!/usr/bin/env bash
# python-socketio 5.18.1 (client) over polling never comes back after the server closed its session politely.
#
# Expected: `socket.conn.close()` of socket.io 4.8.4 is "transport close" at a client, which then reconnects, whatever
# its transport. Seen: so it is with socket.io-client 4.8.4, and with python-socketio over websocket, where the server
# closes the websocket without a packet. Over polling the server sends Engine.IO's packet CLOSE, after which
# python-socketio neither reconnects, in spite of `reconnection=True`, nor ends: `wait()` waits on.
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
    client = socketio.AsyncClient(reconnection=True, reconnection_delay=0.2, reconnection_delay_max=0.5)
    await client.connect(sys.argv[1], transports=[sys.argv[2]])
    await client.wait()


asyncio.run(main())
PY
cat >client.cjs <<'JS'
const [, , url, transport] = process.argv;
require("socket.io-client").io(url, {
  transports: [transport],
  reconnectionDelay: 200,
  reconnectionDelayMax: 500,
});
JS
cat >run.cjs <<'JS'
const { spawn } = require("child_process");
const { createServer } = require("http");
const { Server } = require("socket.io");

// The first connection is closed; the others are counted until there is a second one, or for 10 s.
function returns(program, script, transport) {
  return new Promise((done) => {
    const http = createServer();
    const server = new Server(http);
    http.listen(0, "127.0.0.1", () => {
      const url = `http://127.0.0.1:${http.address().port}`;
      const client = spawn(program, [script, url, transport], { stdio: "ignore" });
      let ended = false;
      client.on("exit", () => (ended = true));
      const finish = (seen) => {
        client.kill();
        server.close();
        done(seen);
      };
      let count = 0;
      server.on("connection", (socket) => {
        count += 1;
        if (count > 1) return finish("comes back");
        setTimeout(() => socket.conn.close(), 500);
        setTimeout(() => count === 1 && finish(ended ? "ends" : "stays away"), 10_500);
      });
    });
  });
}

setTimeout(() => { console.log("nothing in 60 s"); process.exit(1); }, 60_000);
(async () => {
  for (const transport of ["websocket", "polling"]) {
    console.log(`${transport}, socket.io-client:`, await returns("node", "client.cjs", transport));
    console.log(`${transport}, python-socketio:`, await returns("python/bin/python", "client.py", transport));
  }
  process.exit();
})();
JS
cat >expected <<'TEXT'
websocket, socket.io-client: comes back
websocket, python-socketio: comes back
polling, socket.io-client: comes back
polling, python-socketio: stays away
TEXT
node run.cjs | tee seen
diff expected seen && echo "as described: python-socketio 5.18.1, socket.io and socket.io-client 4.8.4"
