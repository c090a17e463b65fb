#!/usr/bin/env bash
# Behind HAProxy 2.6.12 (Debian 12) with two servers and a cookie that keeps a client with one of them, python-socketio's
# `AsyncClient` 5.18.1 connects to http://localhost and not to http://127.0.0.1; socket.io-client 4.8.4 in Node connects to neither
# unless it has `withCredentials`.
#
# Expected: cookies of the load balancer go back with every request of the session, as with pages and python-socketio's threaded
# `Client`, or are an option; the name or the number of the host makes no difference. Seen: aiohttp, below `AsyncClient`, drops
# cookies of hosts that are named by a number. So a bot that was tried with a name fails with the address of a machine or of
# a container: its requests go to both servers in turn, and one of them does not know the session ("Unexpected connection error").
# socket.io-client in Node keeps no cookie by default, and one with `withCredentials: true`, which in a page is about other
# origins. With `transports: ["websocket"]` none is needed.
#
# Needs Debian 12 with its package lists (apt-get update); HAProxy is unpacked in a temporary folder.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent socket.io@4.8.4 socket.io-client@4.8.4
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check \
    python-socketio==5.18.1 aiohttp==3.13.2 requests==2.32.5 websocket-client==1.9.0
apt-get download -qq haproxy liblua5.3-0 libopentracing-c-wrapper0 libopentracing1 2>apt || { cat apt; exit 1; }
for package in *.deb; do dpkg-deb -x "$package" system; done
cat >client.py <<'PY'
import asyncio
import sys

import socketio

kind, url = sys.argv[1:]


def threaded():
    client = socketio.Client(reconnection=False)
    client.connect(url, wait_timeout=20)
    print(client.call("ask"))
    client.disconnect()


async def asynchronous():
    client = socketio.AsyncClient(reconnection=False)
    await client.connect(url, wait_timeout=20)
    print(await client.call("ask"))
    await client.disconnect()


try:
    threaded() if kind == "Client" else asyncio.run(asynchronous())
except (socketio.exceptions.ConnectionError, socketio.exceptions.DisconnectedError):
    print("fails")
PY
cat >run.mjs <<'JS'
import { spawn } from "child_process";
import { readdirSync, writeFileSync } from "fs";
import { createServer, get } from "http";
import { Server } from "socket.io";
import { io } from "socket.io-client";

const wait = (time) => new Promise((done) => setTimeout(done, time));
const listen = (server) => new Promise((done) => server.listen(0, "127.0.0.1", () => done(server.address().port)));

async function freePort() {
  const server = createServer();
  const port = await listen(server);
  await new Promise((done) => server.close(done));
  return port;
}

const ports = [];
for (let count = 0; count < 2; count += 1) {
  const http = createServer((_, response) => response.end("a page"));
  new Server(http).on("connection", (socket) => socket.on("ask", (answer) => answer("connects")));
  ports.push(await listen(http));
}
const port = await freePort();
writeFileSync("haproxy.cfg", [
  "defaults", " mode http", " timeout connect 10s", " timeout client 60s", " timeout server 60s", " timeout tunnel 1h",
  "frontend front", ` bind 127.0.0.1:${port}`, " default_backend servers",
  "backend servers", " balance roundrobin", " cookie SERVER insert indirect nocache",
  ...ports.map((behind) => ` server s${behind} 127.0.0.1:${behind} cookie s${behind}`), "",
].join("\n"));
const libraries = `system/usr/lib/${readdirSync("system/usr/lib").find((name) => name.endsWith("-linux-gnu"))}`;
const proxy = spawn("system/usr/sbin/haproxy", ["-db", "-f", "haproxy.cfg"],
  { stdio: "ignore", env: { ...process.env, LD_LIBRARY_PATH: libraries } });
process.on("exit", () => proxy.kill());
setTimeout(() => { console.log("nothing in 600 s"); process.exit(1); }, 600_000);
const answers = () => new Promise((done) =>
  get({ host: "127.0.0.1", port, path: "/page" }, (response) => done(response.resume().statusCode === 200))
    .on("error", () => done(false)));
while (!(await answers())) await wait(100);

const script = (options) => (url) => new Promise((done) => {
  const client = io(url, { forceNew: true, reconnection: false, ...options });
  const tell = (what) => {
    done(what);
    client.close();
  };
  for (const event of ["connect_error", "disconnect"]) client.on(event, () => tell("fails"));
  client.emit("ask", tell);
});
const python = (kind) => (url) => new Promise((done) => {
  const client = spawn("python/bin/python", ["client.py", kind, url], { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  client.stdout.on("data", (data) => (text += data));
  client.on("close", () => done(text.trim()));
});
const clients = {
  "socket.io-client": script({}),
  "socket.io-client, withCredentials": script({ withCredentials: true }),
  "socket.io-client, websocket": script({ transports: ["websocket"] }),
  "python-socketio, Client": python("Client"),
  "python-socketio, AsyncClient": python("AsyncClient"),
};
for (const [name, connect] of Object.entries(clients)) {
  for (const host of ["localhost", "127.0.0.1"]) {
    await wait(1500);
    console.log(`${name}, ${host}: ${await connect(`http://${host}:${port}`)}`);
  }
}
process.exit();
JS
cat >expected <<'TEXT'
socket.io-client, localhost: fails
socket.io-client, 127.0.0.1: fails
socket.io-client, withCredentials, localhost: connects
socket.io-client, withCredentials, 127.0.0.1: connects
socket.io-client, websocket, localhost: connects
socket.io-client, websocket, 127.0.0.1: connects
python-socketio, Client, localhost: connects
python-socketio, Client, 127.0.0.1: connects
python-socketio, AsyncClient, localhost: connects
python-socketio, AsyncClient, 127.0.0.1: fails
TEXT
node run.mjs | tee seen
diff expected seen &&
    echo "as described: haproxy $(dpkg-deb -f haproxy_*.deb Version), python-socketio 5.18.1, aiohttp 3.13.2, Node $(node --version)"
