#!/usr/bin/env bash
# Under Express a proxy of http-proxy-middleware 3.0.11 that is mounted, `app.use("/a", createProxyMiddleware({ target, ws: true }))`, takes
# requests of Socket.IO and none of its websockets, and two of them send each websocket to both servers.
#
# Expected: what is mounted on a path serves that path, requests and websockets alike, as each of them does for requests. Seen:
# Express cuts "/a" off a request's path and has no part in an upgrade, so that the server behind is asked for
# "/a/socket.io/", which it does not have. Each proxy takes all upgrades of the HTTP server, those of the other one included. The default transports hide
# it: clients stay on polling without an error, and with `transports: ["websocket"]` none connects. Before a first
# request has come none is taken as a websocket at all: the first one is passed on as a request and waits in vain. What works is
# `app.use(createProxyMiddleware({ pathFilter: "/a", pathRewrite: { "^/a": "" }, … }))`, from the second request on.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent \
    http-proxy-middleware@3.0.11 express@5.3.0 socket.io@4.8.4 socket.io-client@4.8.4
cat >run.mjs <<'JS'
import express from "express";
import { createServer } from "http";
import { createProxyMiddleware } from "http-proxy-middleware";
import { Server } from "socket.io";
import { io } from "socket.io-client";

const wait = (time) => new Promise((done) => setTimeout(done, time));
const listen = (server) => new Promise((done) => server.listen(0, "127.0.0.1", () => done(server.address().port)));

let upgrades = [];
async function behind(name) {
  const http = createServer();
  http.on("upgrade", ({ url }) => upgrades.push(`${name} is asked for ${url.split("?")[0]}`));
  const server = new Server(http);
  server.on("connection", (socket) => socket.on("who", (answer) => answer(name, socket.conn.transport.name)));
  return `http://127.0.0.1:${await listen(http)}`;
}

async function client(port, path, transports) {
  upgrades = [];
  const socket = io(`http://127.0.0.1:${port}`, {
    path: `${path}/socket.io/`, forceNew: true, reconnection: false, timeout: 8000, ...(transports ? { transports } : {}),
  });
  const connected = await new Promise((done) => {
    socket.on("connect", () => done(true)).on("connect_error", () => done(false));
  });
  if (connected) await wait(3000);
  const [server, transport] = connected ? await new Promise((done) => socket.emit("who", (...answer) => done(answer))) : [];
  socket.close();
  return `${connected ? `${server} by ${transport}` : "no connection"}; upgrades: ${upgrades.sort().join(", ") || "none"}`;
}

setTimeout(() => { console.log("nothing in 180 s"); process.exit(1); }, 180_000);
const [a, b] = [await behind("A"), await behind("B")];
const ways = {
  mounted: (application, path, target) => application.use(path, createProxyMiddleware({ target, ws: true })),
  filtered: (application, path, target) =>
    application.use(createProxyMiddleware({ target, ws: true, pathFilter: path, pathRewrite: { [`^${path}`]: "" } })),
};
for (const [way, put] of Object.entries(ways)) {
  const application = express();
  put(application, "/a", a);
  put(application, "/b", b);
  const port = await listen(createServer(application));
  console.log(`${way}, websocket as the first: ${await client(port, "/a", ["websocket"])}`);
  // Each proxy has had a request.
  for (const path of ["/a", "/b"]) await client(port, path, ["polling"]);
  for (const path of ["/a", "/b"]) console.log(`${way}, ${path}, default: ${await client(port, path)}`);
  for (const path of ["/a", "/b"]) console.log(`${way}, ${path}, websocket: ${await client(port, path, ["websocket"])}`);
}
process.exit();
JS
cat >expected <<'TEXT'
mounted, websocket as the first: no connection; upgrades: A is asked for /socket.io/
mounted, /a, default: A by polling; upgrades: A is asked for /a/socket.io/, B is asked for /a/socket.io/
mounted, /b, default: B by polling; upgrades: A is asked for /b/socket.io/, B is asked for /b/socket.io/
mounted, /a, websocket: no connection; upgrades: A is asked for /a/socket.io/, B is asked for /a/socket.io/
mounted, /b, websocket: no connection; upgrades: A is asked for /b/socket.io/, B is asked for /b/socket.io/
filtered, websocket as the first: no connection; upgrades: A is asked for /socket.io/
filtered, /a, default: A by websocket; upgrades: A is asked for /socket.io/
filtered, /b, default: B by websocket; upgrades: B is asked for /socket.io/
filtered, /a, websocket: A by websocket; upgrades: A is asked for /socket.io/
filtered, /b, websocket: B by websocket; upgrades: B is asked for /socket.io/
TEXT
node run.mjs 2>log | tee seen
diff expected seen && echo "as described: http-proxy-middleware 3.0.11, Express 5.3.0, socket.io 4.8.4, Node $(node --version)"
