#!/usr/bin/env bash
# A client of python-socketio 5.18.1 that asks for three namespaces loses all three if one is refused.
#
# Expected: namespaces are connected and refused one by one, as in socket.io-client 4.8.4, where `connect_error` of one leaves
# the others at work. Seen: `connect(namespaces=[...])` waits for all, raises ConnectionError for one that a middleware refuses
# and ends the whole connection, after the handlers of `connect` of the others have run; it does not try again. So a bot whose
# right to "/admin" has run out is gone from "/" as well. With `wait=False` it keeps the others.
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

client = socketio.Client()
for name in ("/", "/admin", "/news"):
    client.on("connect", lambda name=name: print(f"connect {name}"), namespace=name)
    client.on("connect_error", lambda error, name=name: print(f"connect_error {name}"), namespace=name)
try:
    client.connect(sys.argv[1], namespaces=["/", "/admin", "/news"], wait=sys.argv[2] == "wait", wait_timeout=20)
except socketio.exceptions.ConnectionError as error:
    print(error)
client.sleep(3)
PY
cat >run.cjs <<'JS'
const { spawn } = require("child_process");
const { createServer } = require("http");
const { Server } = require("socket.io");
const { Manager } = require("socket.io-client");

const wait = (time) => new Promise((done) => setTimeout(done, time));
const http = createServer();
const server = new Server(http);
server.of("/news");
server.of("/admin").use((_, next) => next(new Error("no right")));
const online = () => ["/", "/news"].map((name) => `${name} ${server.of(name).sockets.size ? "online" : "gone"}`).join(", ");

async function python(url, how) {
  const program = spawn("python/bin/python", ["client.py", url, how], { stdio: ["ignore", "pipe", "ignore"] });
  let said = "";
  program.stdout.on("data", (data) => (said += data));
  let seen;
  for (let tries = 0; tries < 100 && !seen; tries += 1) {
    await wait(200);
    if (/failed|connect_error/.test(said)) seen = await wait(1500).then(online);
  }
  program.kill("SIGKILL");
  await new Promise((done) => program.on("close", done));
  return `${seen}${/failed/.test(said) ? `; ${said.trim().split("\n").pop()}` : ""}`;
}

async function javascript(url) {
  const manager = new Manager(url);
  const sockets = ["/", "/admin", "/news"].map((name) => manager.socket(name));
  await new Promise((done) => sockets[1].on("connect_error", done));
  await wait(1500);
  const seen = online();
  manager._close();
  return seen;
}

setTimeout(() => { console.log("nothing in 60 s"); process.exit(1); }, 60_000);
http.listen(0, "127.0.0.1", async () => {
  const url = `http://127.0.0.1:${http.address().port}`;
  console.log(`socket.io-client: ${await javascript(url)}`);
  await wait(500);
  console.log(`python-socketio: ${await python(url, "wait")}`);
  await wait(500);
  console.log(`python-socketio, wait=False: ${await python(url, "at once")}`);
  process.exit();
});
JS
cat >expected <<'TEXT'
socket.io-client: / online, /news online
python-socketio: / gone, /news gone; One or more namespaces failed to connect: /admin
python-socketio, wait=False: / online, /news online
TEXT
PYTHONUNBUFFERED=1 node run.cjs | tee seen
diff expected seen && echo "as described: python-socketio 5.18.1, socket.io and socket.io-client 4.8.4, Node $(node --version)"
