#!/usr/bin/env bash
# The options of socket.io-client 4.8.4 read a zero in three ways: `reconnectionAttempts: 0` is without end,
# `reconnectionDelay: 0` is a second, and `timeout: 0` lets no connection succeed.
#
# Expected: no attempt to reconnect; an attempt at once; no time limit, as a zero means in Node's own `setTimeout` of
# sockets. Seen: the first two are taken for "not given" and replaced by the defaults, and the third is a limit that has
# passed before any answer can come: "timeout" on each attempt, with a server that answers within milliseconds.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent socket.io@4.8.4 socket.io-client@4.8.4
cat >run.cjs <<'JS'
const { createServer } = require("http");
const { Server } = require("socket.io");
const { io } = require("socket.io-client");

async function listening() {
  const http = createServer();
  const server = new Server(http);
  await new Promise((done) => http.listen(0, "127.0.0.1", done));
  return { server, port: http.address().port };
}

// The attempts of a client whose server has gone, and when the first was made.
async function attempts(options) {
  const { server, port } = await listening();
  const client = io(`http://127.0.0.1:${port}`, { transports: ["websocket"], ...options });
  await new Promise((done) => client.on("connect", done));
  const lost = new Promise((done) => client.on("disconnect", done));
  server.close();
  await lost;
  const times = [];
  const since = Date.now();
  client.io.on("reconnect_attempt", () => times.push(Date.now() - since));
  await new Promise((done) => setTimeout(done, 5000));
  client.close();
  return times;
}

async function connects(timeout) {
  const { server, port } = await listening();
  const client = io(`http://127.0.0.1:${port}`, { timeout, reconnectionDelay: 50, reconnectionDelayMax: 50 });
  const seen = [];
  client.on("connect", () => seen.push("connect"));
  client.on("connect_error", (error) => seen.push(error.message));
  await new Promise((done) => setTimeout(done, 2000));
  client.close();
  server.close();
  return seen[0] === "connect" ? "connects" : `${seen.length > 5 ? "over and over" : "once"}: ${[...new Set(seen)]}`;
}

setTimeout(() => { console.log("nothing in 60 s"); process.exit(1); }, 60_000);
(async () => {
  const fast = { reconnectionDelay: 50, reconnectionDelayMax: 50 };
  const one = await attempts({ ...fast, reconnectionAttempts: 1 });
  console.log(`reconnectionAttempts 1: ${one.length} in 5 s`);
  const none = await attempts({ ...fast, reconnectionAttempts: 0 });
  console.log(`reconnectionAttempts 0: ${none.length > 10 ? "more than 10" : none.length} in 5 s`);
  const [first] = await attempts({ reconnectionDelay: 0 });
  console.log(`reconnectionDelay 0: the first after ${first < 400 ? "less" : "more"} than 0.4 s`);
  console.log(`timeout 10000: ${await connects(10_000)}`);
  console.log(`timeout 0: ${await connects(0)}`);
  process.exit();
})();
JS
cat >expected <<'TEXT'
reconnectionAttempts 1: 1 in 5 s
reconnectionAttempts 0: more than 10 in 5 s
reconnectionDelay 0: the first after more than 0.4 s
timeout 10000: connects
timeout 0: over and over: timeout
TEXT
node run.cjs | tee seen
diff expected seen && echo "as described: socket.io and socket.io-client 4.8.4, Node $(node --version)"
