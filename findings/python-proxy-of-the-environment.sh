#!/usr/bin/env bash
# python-socketio 5.18.1 asks the proxy that the environment names with its threaded `Client`, and never with its
# `AsyncClient`.
#
# Expected: the two clients of one library reach a server in one way; a program that works behind a company's proxy
# goes on working when it is rewritten for asyncio. Seen: with `http_proxy` set, `Client` connects to a name that only the
# proxy can resolve, over polling and over websocket. `AsyncClient` looks the name up itself and fails with a connection
# error, since aiohttp reads the environment only if asked. For a server on this machine it is the other way round: `Client`
# goes to it through the proxy, also by the name localhost.
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

import socketio

kind, transport, url = sys.argv[1:]
options = {"transports": [transport], "wait_timeout": 5}


def threaded():
    client = socketio.Client(reconnection=False)
    client.connect(url, **options)
    client.disconnect()


async def asynchronous():
    client = socketio.AsyncClient(reconnection=False)
    await client.connect(url, **options)
    await client.disconnect()


try:
    threaded() if kind == "Client" else asyncio.run(asynchronous())
    print("connects")
except socketio.exceptions.ConnectionError:
    print("fails")
PY
cat >run.cjs <<'JS'
const { spawn } = require("child_process");
const { createServer, request } = require("http");
const { connect } = require("net");
const { Server } = require("socket.io");

const listen = (server) => new Promise((done) => server.listen(0, "127.0.0.1", () => done(server.address().port)));

(async () => {
  setTimeout(() => { console.log("nothing in 90 s"); process.exit(1); }, 90_000);
  const http = createServer();
  new Server(http);
  const port = await listen(http);

  // A proxy that brings every name to that server.
  let asked;
  const proxy = createServer((from, to) => {
    asked = true;
    const { pathname, search } = new URL(from.url);
    const { method, headers } = from;
    from.pipe(request({ host: "127.0.0.1", port, path: pathname + search, method, headers }, (response) => {
      to.writeHead(response.statusCode, response.headers);
      response.pipe(to);
    }).on("error", () => to.destroy()));
  });
  proxy.on("connect", (_, client) => {
    asked = true;
    const server = connect(port, "127.0.0.1", () => {
      client.write("HTTP/1.1 200 OK\r\n\r\n");
      server.pipe(client).pipe(server);
    });
    for (const end of [client, server]) end.on("error", () => {});
  });
  const through = `http://127.0.0.1:${await listen(proxy)}`;

  const env = { ...process.env, http_proxy: through, https_proxy: through, no_proxy: "", NO_PROXY: "" };
  for (const host of ["server.invalid", "localhost"])
    for (const kind of ["Client", "AsyncClient"])
      for (const transport of ["polling", "websocket"]) {
        asked = false;
        const stdio = ["ignore", "pipe", "ignore"];
        const args = ["client.py", kind, transport, `http://${host}:${port}`];
        const client = spawn("python/bin/python", args, { env, stdio });
        let said = "";
        client.stdout.on("data", (data) => (said += data));
        await new Promise((done) => client.on("close", done));
        console.log(`${kind} over ${transport} to ${host}: ${said.trim()}, proxy ${asked ? "asked" : "not asked"}`);
      }
  process.exit();
})();
JS
cat >expected <<'TEXT'
Client over polling to server.invalid: connects, proxy asked
Client over websocket to server.invalid: connects, proxy asked
AsyncClient over polling to server.invalid: fails, proxy not asked
AsyncClient over websocket to server.invalid: fails, proxy not asked
Client over polling to localhost: connects, proxy asked
Client over websocket to localhost: connects, proxy asked
AsyncClient over polling to localhost: connects, proxy not asked
AsyncClient over websocket to localhost: connects, proxy not asked
TEXT
node run.cjs | tee seen
diff expected seen && echo "as described: python-socketio 5.18.1, socket.io 4.8.4, Node $(node --version)"
