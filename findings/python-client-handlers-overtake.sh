#!/usr/bin/env bash
# python-socketio 5.18.1: the handlers of its threaded `Client` overtake each other.
#
# Expected: as with socket.io-client 4.8.4, a handler that blocks holds up the events behind it, so what events change
# is changed in their order. Seen: `Client` starts a thread for each event, so the second and third event of one
# connection are handled while the first handler still runs. Its order ends at the wire.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent socket.io@4.8.4 socket.io-client@4.8.4
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check \
    python-socketio==5.18.1 requests==2.32.5 websocket-client==1.9.0
cat >client.py <<'PY'
import sys
import time

import socketio

client = socketio.Client()


@client.on("step")
def step(number):
    if number == 1:
        time.sleep(1)
    client.emit("done", number)


client.connect(sys.argv[1], transports=["websocket"])
client.wait()
PY
cat >client.cjs <<'JS'
const client = require("socket.io-client").io(process.argv[2], { transports: ["websocket"] });
client.on("step", (number) => {
  const until = Date.now() + (number === 1 ? 1000 : 0);
  while (Date.now() < until);
  client.emit("done", number);
});
JS
cat >run.cjs <<'JS'
const { spawn } = require("child_process");
const { createServer } = require("http");
const { Server } = require("socket.io");

function order(program, script) {
  return new Promise((done) => {
    const http = createServer();
    const server = new Server(http);
    http.listen(0, "127.0.0.1", () => {
      const url = `http://127.0.0.1:${http.address().port}`;
      const client = spawn(program, [script, url], { stdio: "ignore" });
      server.on("connection", (socket) => {
        const seen = [];
        socket.on("done", (number) => {
          if (seen.push(number) < 3) return;
          client.kill();
          server.close();
          done(seen.join(", "));
        });
        for (const number of [1, 2, 3]) socket.emit("step", number);
      });
    });
  });
}

setTimeout(() => { console.log("nothing in 30 s"); process.exit(1); }, 30_000);
(async () => {
  console.log("socket.io-client handles", await order("node", "client.cjs"));
  console.log("python-socketio handles", (await order("python/bin/python", "client.py")).endsWith("1") ? "1 last" : "1 earlier");
  process.exit();
})();
JS
cat >expected <<'TEXT'
socket.io-client handles 1, 2, 3
python-socketio handles 1 last
TEXT
node run.cjs | tee seen
diff expected seen && echo "as described: python-socketio 5.18.1 with threads, socket.io and socket.io-client 4.8.4"
