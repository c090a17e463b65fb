#!/usr/bin/env bash
# A connection between socket.io and socket.io-client 4.8.4 ends with "ping timeout" while it carries data, up or down, in large messages or
# in small ones.
#
# Expected: the heartbeat finds connections on which nothing comes, so that one which delivers all the time lives. Seen: the server
# counts answers to its pings alone, and ping and answer wait behind what was sent before them. What takes a slow link longer than
# pingTimeout (20 s by default; 1 s here) ends the connection: one message of 1 MB, the default limit, at less than 0.4 Mbit/s;
# a hundred messages of 10 kB that were sent in one loop as well, of which those arrive that come before the end. `retries` and
# applications that send again begin anew each time. Helps: a longer `pingTimeout`, or to go on only when the other end has answered.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent socket.io@4.8.4 socket.io-client@4.8.4
cat >run.mjs <<'JS'
import { createServer } from "http";
import { connect, createServer as createProxy } from "net";
import { Server } from "socket.io";
import { io } from "socket.io-client";

const wait = (time) => new Promise((done) => setTimeout(done, time));
const listen = (server) => new Promise((done) => server.listen(0, "127.0.0.1", () => done(server.address().port)));
setTimeout(() => { console.log("nothing in 300 s"); process.exit(1); }, 300_000);

// A link of about 100 kB/s in each direction that loses nothing and never stands still.
const slowLink = (port) => createProxy((near) => {
  const far = connect(port, "127.0.0.1");
  const pump = async (from, to) => {
    try {
      for await (const piece of from) {
        for (let at = 0; at < piece.length; at += 2000) {
          to.write(piece.subarray(at, at + 2000));
          await wait(20);
        }
      }
    } catch {
      // The other end has gone.
    }
    to.destroy();
  };
  for (const end of [near, far]) end.on("error", () => {});
  pump(near, far);
  pump(far, near);
});

async function attempt(way, count, size, transport, options) {
  const http = createServer();
  const server = new Server(http, { pingInterval: 1000, pingTimeout: 1000, ...options });
  const link = slowLink(await listen(http));
  const client = io(`http://127.0.0.1:${await listen(link)}`, { transports: [transport], forceNew: true, reconnection: false });
  const [socket] = await Promise.all([
    new Promise((done) => server.on("connection", done)),
    new Promise((done) => client.on("connect", done)),
  ]);
  const [from, to] = way === "up" ? [client, socket] : [socket, client];
  const ended = new Promise((done) => socket.on("disconnect", (reason) => done(reason)));
  let arrived = 0;
  const all = new Promise((done) => to.on("piece", () => (arrived += 1) === count && done("goes on")));
  for (let piece = 0; piece < count; piece += 1) from.emit("piece", "x".repeat(size));
  const outcome = await Promise.race([ended, all]);
  const part = arrived === count ? "all" : arrived ? "some" : "none";
  console.log(`${way}, ${transport}, ${count} of ${size}${options ? ", pingTimeout 60 s" : ""}: ${part} arrived, ${outcome}`);
  client.close();
  server.close();
  link.close();
}
for (const way of ["up", "down"]) {
  await attempt(way, 1, 10_000, "websocket");
  await attempt(way, 1, 600_000, "websocket");
  await attempt(way, 60, 10_000, "websocket");
  await attempt(way, 1, 600_000, "polling");
}
await attempt("up", 1, 600_000, "websocket", { pingTimeout: 60_000 });
process.exit();
JS
cat >expected <<'TEXT'
up, websocket, 1 of 10000: all arrived, goes on
up, websocket, 1 of 600000: none arrived, ping timeout
up, websocket, 60 of 10000: some arrived, ping timeout
up, polling, 1 of 600000: none arrived, ping timeout
down, websocket, 1 of 10000: all arrived, goes on
down, websocket, 1 of 600000: none arrived, ping timeout
down, websocket, 60 of 10000: some arrived, ping timeout
down, polling, 1 of 600000: none arrived, ping timeout
up, websocket, 1 of 600000, pingTimeout 60 s: all arrived, goes on
TEXT
node run.mjs | tee seen
diff expected seen && echo "as described: socket.io and socket.io-client 4.8.4, Node $(node --version)"
