#!/usr/bin/env bash
# python-socketio 5.18.1 (asyncio) over polling silently loses what a lost answer carried: aiohttp repeats the request.
#
# Expected: as with socket.io-client 4.8.4, a connection that breaks while a poll is answered is the end of the session:
# "transport error", then a new one. Polls are not idempotent, since the server has forgotten what it sent. Seen: aiohttp
# 3.13.2 repeats a GET whose connection ended before its head was read, with its defaults, so the session goes on without
# the messages of the lost answer, and neither end is told.
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
    client.on("count", lambda number: print(number, flush=True))
    client.on("disconnect", lambda reason: print(reason, flush=True))
    await client.connect(sys.argv[1], transports=["polling"])
    await client.wait()


asyncio.run(main())
PY
cat >client.cjs <<'JS'
const client = require("socket.io-client").io(process.argv[2], { transports: ["polling"] });
client.on("count", (number) => console.log(number));
client.on("disconnect", (reason) => console.log(reason));
JS
cat >run.cjs <<'JS'
const { spawn } = require("child_process");
const { createServer } = require("http");
const net = require("net");
const { Server } = require("socket.io");

// A network that loses the answer with the third message, and its connection with it.
function lossy(port) {
  let isLost = false;
  return net.createServer((near) => {
    const far = net.connect(port, "127.0.0.1");
    for (const end of [near, far]) end.on("error", () => {});
    near.pipe(far);
    far.on("data", (bytes) => {
      if (isLost || !bytes.includes('["count",3]')) return near.write(bytes);
      isLost = true;
      near.destroy();
      far.destroy();
    });
    far.on("close", () => near.destroy());
  });
}

function seen(program, script) {
  return new Promise((done) => {
    const http = createServer();
    const server = new Server(http);
    http.listen(0, "127.0.0.1", () => {
      const network = lossy(http.address().port).listen(0, "127.0.0.1", () => {
        const client = spawn(program, [script, `http://127.0.0.1:${network.address().port}`]);
        let text = "";
        client.stdout.on("data", (bytes) => (text += bytes));
        server.once("connection", (socket) => {
          let number = 0;
          const timer = setInterval(() => {
            socket.emit("count", (number += 1));
            if (number < 5 && socket.connected) return;
            clearInterval(timer);
            setTimeout(() => {
              client.kill();
              server.close();
              network.close();
              done(text.trim().split("\n").join(", "));
            }, 1000);
          }, 500);
        });
      });
    });
  });
}

setTimeout(() => { console.log("nothing in 60 s"); process.exit(1); }, 60_000);
(async () => {
  console.log("socket.io-client:", await seen("node", "client.cjs"));
  console.log("python-socketio:", await seen("python/bin/python", "client.py"));
  process.exit();
})();
JS
cat >expected <<'TEXT'
socket.io-client: 1, 2, transport error
python-socketio: 1, 2, 4, 5
TEXT
node run.cjs | tee seen
diff expected seen && echo "as described: python-socketio 5.18.1 with aiohttp 3.13.2, socket.io and socket.io-client 4.8.4"
