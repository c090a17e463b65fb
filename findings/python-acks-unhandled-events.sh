#!/usr/bin/env bash
# python-socketio 5.18.1 (client) acknowledges an event for which it has no handler.
#
# Expected: as with socket.io-client 4.8.4, an event that nobody handles is never acknowledged, and the caller's
# timeout tells. Seen: an empty acknowledgement at once, the same as from a handler that returns None. A handler that
# raises does not acknowledge. So a caller cannot tell "done" from "nobody listens" with such a client.
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

    @client.on("handled")
    async def handled():
        return None

    @client.on("raises")
    async def raises():
        raise ValueError

    await client.connect(sys.argv[1], transports=["websocket"])
    await client.wait()


asyncio.run(main())
PY
cat >client.cjs <<'JS'
const client = require("socket.io-client").io(process.argv[2], { transports: ["websocket"] });
client.on("handled", (answer) => answer());
client.on("raises", () => {});
JS
cat >run.cjs <<'JS'
const { spawn } = require("child_process");
const { createServer } = require("http");
const { Server } = require("socket.io");

function answers(program, script) {
  return new Promise((done) => {
    const http = createServer();
    const server = new Server(http);
    http.listen(0, "127.0.0.1", () => {
      const url = `http://127.0.0.1:${http.address().port}`;
      const client = spawn(program, [script, url], { stdio: "ignore" });
      server.on("connection", async (socket) => {
        const seen = [];
        for (const event of ["handled", "unhandled", "raises"]) {
          const ask = socket.timeout(3000).emitWithAck(event);
          seen.push(`${event}: ${await ask.then((value) => `acknowledged (${value})`, () => "no answer")}`);
        }
        client.kill();
        done(seen.join(", "));
      });
    });
  });
}

setTimeout(() => { console.log("nothing in 60 s"); process.exit(1); }, 60_000);
(async () => {
  console.log("socket.io-client:", await answers("node", "client.cjs"));
  console.log("python-socketio: ", await answers("python/bin/python", "client.py"));
  process.exit();
})();
JS
cat >expected <<'TEXT'
socket.io-client: handled: acknowledged (undefined), unhandled: no answer, raises: no answer
python-socketio:  handled: acknowledged (undefined), unhandled: acknowledged (undefined), raises: no answer
TEXT
node run.cjs | tee seen
diff expected seen && echo "as described: python-socketio 5.18.1, socket.io-client 4.8.4, Node $(node --version)"
