#!/usr/bin/env bash
# Behind a proxy that asks for a name and a password, a URL `http://name:password@host` means three things for three
# clients: socket.io-client 4.8.4 drops them, python-socketio's AsyncClient 5.18.1 sends them with each request, and its
# threaded `Client` with those of polling only.
#
# Expected: a client sends them (Basic authentication) with every request, or refuses the URL. Seen: socket.io-client
# in Node connects without them and gets 401 for ever ("xhr poll error"). With `Client` the polling requests have them
# and a websocket never has: its upgrade is refused, and the client stays with polling without a word; with
# `transports=["websocket"]` it does not connect. What helps all three is the header `Authorization` by `extraHeaders` or
# `headers`.
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

import socketio

kind, transport, url = sys.argv[1:]
transports = None if transport == "both" else [transport]


async def asynchronous():
    client = socketio.AsyncClient(reconnection=False)
    await client.connect(url, transports=transports)
    await client.wait()


if kind == "Client":
    client = socketio.Client(reconnection=False)
    client.connect(url, transports=transports)
    client.wait()
else:
    asyncio.run(asynchronous())
PY
cat >client.cjs <<'JS'
const transports = process.argv[3] === "both" ? ["polling", "websocket"] : [process.argv[3]];
require("socket.io-client").io(process.argv[4], { transports, reconnection: false });
JS
cat >run.cjs <<'JS'
const { spawn } = require("child_process");
const { createServer } = require("http");
const { Server } = require("socket.io");

const WANTED = `Basic ${Buffer.from("name:password").toString("base64")}`;

// The server and its proxy in one: what lacks the password gets 401.
async function seen(program, script, kind, transport) {
  const http = createServer();
  const server = new Server(http, { transports: ["polling", "websocket"] });
  const lacks = { polling: false, websocket: false };
  const came = { polling: false, websocket: false };
  for (const [event, transport] of [["request", "polling"], ["upgrade", "websocket"]]) {
    const inner = http.listeners(event);
    http.removeAllListeners(event);
    http.on(event, (request, reply, ...rest) => {
      came[transport] = true;
      if (request.headers.authorization === WANTED) return inner.forEach((each) => each(request, reply, ...rest));
      lacks[transport] = true;
      if (event === "request") reply.writeHead(401).end();
      else reply.end("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    });
  }
  await new Promise((done) => http.listen(0, "127.0.0.1", done));
  let connects = false;
  server.on("connection", () => (connects = true));
  const url = `http://name:password@127.0.0.1:${http.address().port}`;
  const client = spawn(program, [script, kind, transport, url], { stdio: "ignore" });
  await new Promise((done) => setTimeout(done, 4000));
  client.kill();
  server.close();
  const each = Object.keys(came).filter((transport) => came[transport]);
  const told = each.map((transport) => `${transport} ${lacks[transport] ? "without" : "with"} them`);
  return `${told.join(", ") || "no request"}, ${connects ? "connects" : "does not connect"}`;
}

setTimeout(() => { console.log("nothing in 60 s"); process.exit(1); }, 60_000);
(async () => {
  console.log("socket.io-client, both:", await seen("node", "client.cjs", "-", "both"));
  for (const kind of ["AsyncClient", "Client"])
    for (const transport of ["both", "websocket"])
      console.log(`${kind}, ${transport}: ${await seen("python/bin/python", "client.py", kind, transport)}`);
  process.exit();
})();
JS
cat >expected <<'TEXT'
socket.io-client, both: polling without them, does not connect
AsyncClient, both: polling with them, websocket with them, connects
AsyncClient, websocket: websocket with them, connects
Client, both: polling with them, websocket without them, connects
Client, websocket: websocket without them, does not connect
TEXT
node run.cjs | tee seen
diff expected seen && echo "as described: python-socketio 5.18.1, socket.io and socket.io-client 4.8.4, Node $(node --version)"
