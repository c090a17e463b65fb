#!/usr/bin/env bash
# With socket.io 4.8.4 and `connectionStateRecovery` a client that has heard no event yet is never recovered, one that has only
# been asked questions neither.
#
# Expected: the server keeps the session of every client that drops off, with what it has missed, its rooms and `socket.data`. Seen: the
# client names the last event that it has heard, and the server looks for no session without one. So a client which drops off
# after it has joined, and before the first event, comes back as a new one: it misses the events, has left its rooms, and
# `recovered` is false. An event with a callback does not count, an emit of the client and its answer neither. A page that waits for
# its first message is the usual case. A server mends it by one event in its handler of `connection`.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent socket.io@4.8.4 socket.io-client@4.8.4
cat >run.mjs <<'JS'
import { createServer } from "http";
import { Server } from "socket.io";
import { io } from "socket.io-client";

const wait = (time) => new Promise((done) => setTimeout(done, time));
const http = createServer();
const server = new Server(http, { connectionStateRecovery: {} });
let socket;
server.on("connection", (one) => {
  socket = one;
  socket.on("enter", (answer) => {
    socket.join("room");
    answer("entered");
  });
});
await new Promise((done) => http.listen(0, "127.0.0.1", done));
setTimeout(() => { console.log("nothing in 60 s"); process.exit(1); }, 60_000);

async function attempt(what, before) {
  const client = io(`http://127.0.0.1:${http.address().port}`, { forceNew: true, transports: ["websocket"], reconnectionDelay: 1000 });
  const connected = () => new Promise((done) => client.once("connect", done));
  await connected();
  await client.emitWithAck("enter");
  client.on("question", (answer) => answer("yes"));
  await before(socket);
  await wait(300);
  const gone = new Promise((done) => socket.once("disconnect", done));
  const missed = [];
  client.on("news", (text) => missed.push(text));
  client.io.engine.close();
  await gone;
  const back = connected();
  server.to("room").emit("news", "one");
  server.to("room").emit("news", "two");
  await back;
  await wait(500);
  console.log(`${what}: recovered ${client.recovered}, of 2 events ${missed.length}, in the room ${socket.rooms.has("room")}`);
  client.close();
}
await attempt("no event yet", () => {});
await attempt("a question before", (socket) => socket.timeout(5000).emitWithAck("question"));
await attempt("an event before", (socket) => socket.emit("hello"));
await attempt("an event to the room before", () => server.to("room").emit("hello"));
process.exit();
JS
cat >expected <<'TEXT'
no event yet: recovered false, of 2 events 0, in the room false
a question before: recovered false, of 2 events 0, in the room false
an event before: recovered true, of 2 events 2, in the room true
an event to the room before: recovered true, of 2 events 2, in the room true
TEXT
node run.mjs | tee seen
diff expected seen && echo "as described: socket.io and socket.io-client 4.8.4, Node $(node --version)"
