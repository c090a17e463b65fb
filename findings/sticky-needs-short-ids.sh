#!/usr/bin/env bash
# Behind @socket.io/sticky 2.0.1 clients over polling, and so all with the default transports, get no connection if the server makes ids
# of its own (`io.engine.generateId`, a UUID), or if their query has a parameter whose name ends with "sid".
#
# Expected: the library of Socket.IO that keeps a client with its process works with the option of Socket.IO for ids, and looks at the
# session's id, whatever else is in the URL. Seen: it searches the request for "sid=" and the twenty characters behind it. A longer id
# is cut to twenty and not found, a shorter one does not match; of `?roomsid=…&sid=…` it takes the first. What is not
# found goes to any process, "Session ID unknown" there, again and again. With one process all is right, and so is an id of
# twenty letters and digits. Twenty is what Socket.IO's own ids have.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent \
    socket.io@4.8.4 socket.io-client@4.8.4 @socket.io/sticky@2.0.1 @socket.io/cluster-adapter@0.3.0
cat >server.cjs <<'JS'
const cluster = require("cluster");
const { createServer } = require("http");
const { randomBytes, randomUUID } = require("crypto");
const { createAdapter, setupPrimary: setupAdapter } = require("@socket.io/cluster-adapter");
const { setupPrimary, setupWorker } = require("@socket.io/sticky");
const { Server } = require("socket.io");

const ids = {
  "a UUID": () => randomUUID(),
  "16 digits": () => randomBytes(8).toString("hex"),
  "20 digits": () => randomBytes(10).toString("hex"),
};
const [, , kind] = process.argv;
if (cluster.isPrimary) {
  const http = createServer();
  setupPrimary(http, { loadBalancingMethod: "round-robin" });
  setupAdapter();
  cluster.setupPrimary({ serialization: "advanced" });
  let ready = 0;
  cluster.on("message", (_, message) => {
    if (message !== "ready" || (ready += 1) < 2) return;
    http.listen(0, "127.0.0.1", () => process.send(http.address().port));
  });
  for (let count = 0; count < 2; count += 1) cluster.fork();
  process.on("disconnect", () => {
    for (const worker of Object.values(cluster.workers)) worker.kill();
    process.exit();
  });
} else {
  const server = new Server(createServer());
  server.adapter(createAdapter());
  setupWorker(server);
  if (ids[kind]) server.engine.generateId = ids[kind];
  server.on("connection", (socket) => socket.on("ask", (answer) => answer("connects")));
  process.send("ready");
}
JS
cat >run.mjs <<'JS'
import { fork } from "child_process";
import { io } from "socket.io-client";

const wait = (time) => new Promise((done) => setTimeout(done, time));

// Whether one of five clients, one after another, gets an answer.
async function ask(port, options = {}) {
  for (let count = 0; count < 5; count += 1) {
    const client = io(`http://127.0.0.1:${port}`, { forceNew: true, reconnection: false, ...options });
    const seen = await new Promise((done) => {
      client.emit("ask", done);
      client.on("connect_error", () => done("fails")).on("disconnect", () => done("fails"));
    });
    client.close();
    if (seen === "connects") return seen;
    await wait(1000);
  }
  return "never connects";
}

setTimeout(() => { console.log("nothing in 300 s"); process.exit(1); }, 300_000);
const query = (name) => ({ query: { [name]: "abcdefghij0123456789" } });
for (const kind of ["its own ids", "20 digits", "16 digits", "a UUID"]) {
  const server = fork("server.cjs", [kind]);
  const port = await new Promise((done) => server.once("message", done));
  console.log(`${kind}: ${await ask(port)}`);
  if (kind === "its own ids") {
    for (const name of ["room", "roomsid"]) console.log(`${kind}, ?${name}=…: ${await ask(port, query(name))}`);
  }
  server.disconnect();
}
process.exit();
JS
cat >expected <<'TEXT'
its own ids: connects
its own ids, ?room=…: connects
its own ids, ?roomsid=…: never connects
20 digits: connects
16 digits: never connects
a UUID: never connects
TEXT
node run.mjs | tee seen
diff expected seen && echo "as described: @socket.io/sticky 2.0.1, socket.io 4.8.4, Node $(node --version)"
