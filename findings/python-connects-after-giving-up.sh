#!/usr/bin/env bash
# python-socketio 5.18.1 (asyncio) over polling calls the handler of `connect` for a connection that it has given up, and
# never that of `disconnect`.
#
# Expected: who hears `connect` is connected until it hears `disconnect`. Seen: the library waits for one second for the answer
# to its CONNECT, then closes the session and waits for the end of its poll. If the answer comes with that poll, as it does
# where a round trip takes longer than a second for a moment, the handler of `connect` runs, `emit` raises nothing and sends
# nothing, and its callback is never called, although the client connects again within a second: `connect` twice in a row,
# and no `disconnect` between them. What helps: count what is open by `connect`, not by `disconnect`, or give each call a time limit.
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

client = socketio.AsyncClient(reconnection_delay=0.2, randomization_factor=0)


async def connected():
    print("connect", flush=True)
    await client.emit("ask", callback=lambda: print("answered", flush=True))


async def main():
    client.on("connect", connected)
    client.on("disconnect", lambda reason: print("disconnect", flush=True))
    await client.connect(sys.argv[1], transports=["polling"])
    await asyncio.sleep(60)


asyncio.run(main())
PY
cat >client.cjs <<'JS'
const options = { transports: ["polling"], reconnectionDelay: 200, randomizationFactor: 0 };
const client = require("socket.io-client").io(process.argv[2], options);
client.on("connect", () => {
  console.log("connect");
  client.emit("ask", () => console.log("answered"));
});
client.on("disconnect", () => console.log("disconnect"));
JS
cat >run.cjs <<'JS'
const { spawn } = require("child_process");
const { createServer } = require("http");
const net = require("net");
const { Server } = require("socket.io");

// A network that loses all connections after two seconds, and needs 600 ms each way in the next four.
function bad(port, began) {
  const delay = () => (Date.now() - began > 2000 && Date.now() - began < 6000 ? 600 : 0);
  const open = new Set();
  setTimeout(() => open.forEach((end) => end.destroy()), 2000);
  const carry = (from, to) => {
    open.add(from);
    from.on("data", (bytes) => setTimeout(() => to.write(bytes), delay()));
    from.on("error", () => {});
    from.on("close", () => setTimeout(() => to.destroy(), delay()));
  };
  return net.createServer((near) => {
    const far = net.connect(port, "127.0.0.1");
    carry(near, far);
    carry(far, near);
  });
}

function seen(program, script) {
  return new Promise((done) => {
    const http = createServer();
    const server = new Server(http);
    server.on("connection", (socket) => socket.on("ask", (answer) => answer()));
    http.listen(0, "127.0.0.1", () => {
      let text = "";
      const network = bad(http.address().port, Date.now()).listen(0, "127.0.0.1", () => {
        const client = spawn(program, [script, `http://127.0.0.1:${network.address().port}`], { stdio: ["ignore", "pipe", "ignore"] });
        client.stdout.on("data", (bytes) => (text += bytes));
        setTimeout(() => {
          client.kill();
          server.close();
          network.close();
          done(text.trim().split("\n").join(", "));
        }, 10_000);
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
socket.io-client: connect, answered, disconnect, connect, answered
python-socketio: connect, answered, disconnect, connect, connect, answered
TEXT
node run.cjs | tee seen
diff expected seen && echo "as described: python-socketio 5.18.1, socket.io and socket.io-client 4.8.4, Node $(node --version)"
