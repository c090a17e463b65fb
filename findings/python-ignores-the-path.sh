#!/usr/bin/env bash
# One URL brings socket.io-client 4.8.4 into a namespace and python-socketio 5.18.1 into another one: the path is the
# namespace for the first, and nothing for the second.
#
# Expected: `http://host/chat` means for a client of Socket.IO the namespace /chat, as the documentation of Socket.IO
# says; a library that reads the URL otherwise says so or fails. Seen: python-socketio connects to "/" without a word, with
# the query of the URL, and what it emits goes to handlers of another namespace or of none. It takes the namespace only by
# the argument `namespaces`, and then each `on` and `emit` must name it, too. Neither does its path become a prefix of
# Engine.IO's: a server that is mounted below a path is not found by its URL.
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

import socketio

client = socketio.Client()
client.connect(sys.argv[1], namespaces=sys.argv[2:] or None)
client.wait()
PY
cat >client.cjs <<'JS'
require("socket.io-client").io(process.argv[2]);
JS
cat >run.cjs <<'JS'
const { spawn } = require("child_process");
const { createServer } = require("http");
const { Server } = require("socket.io");

async function seen(program, ...args) {
  const http = createServer();
  const server = new Server(http);
  await new Promise((done) => http.listen(0, "127.0.0.1", done));
  let path;
  http.on("request", ({ url }) => (path ??= url.split("?")[0]));
  const url = `http://127.0.0.1:${http.address().port}/chat?id=7`;
  const client = spawn(program, [args[0], url, ...args.slice(1)], { stdio: "ignore" });
  const { nsp, handshake } = await new Promise((done) => {
    server.on("connection", (socket) => socket.nsp.name === "/" && done(socket));
    server.of("/chat").on("connection", done);
  });
  client.kill();
  server.close();
  return `namespace ${nsp.name}, id ${handshake.query.id}, requests to ${path}`;
}

setTimeout(() => { console.log("nothing in 30 s"); process.exit(1); }, 30_000);
(async () => {
  console.log("URL with /chat and ?id=7");
  console.log("socket.io-client:", await seen("node", "client.cjs"));
  console.log("python-socketio:", await seen("python/bin/python", "client.py"));
  console.log("python-socketio, namespaces=['/chat']:", await seen("python/bin/python", "client.py", "/chat"));
  process.exit();
})();
JS
cat >expected <<'TEXT'
URL with /chat and ?id=7
socket.io-client: namespace /chat, id 7, requests to /socket.io/
python-socketio: namespace /, id 7, requests to /socket.io/
python-socketio, namespaces=['/chat']: namespace /chat, id 7, requests to /socket.io/
TEXT
node run.cjs | tee seen
diff expected seen && echo "as described: python-socketio 5.18.1, socket.io and socket.io-client 4.8.4, Node $(node --version)"
