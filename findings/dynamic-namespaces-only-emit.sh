#!/usr/bin/env bash
# On a dynamic namespace of socket.io 4.8.4, what `io.of(/^\/room-\d+$/)` returns, `emit` reaches the clients of all its namespaces, and
# `disconnectSockets`, `socketsJoin`, `emitWithAck` and `in(room).fetchSockets` act on none, without an error.
#
# Expected: the object has all methods of a namespace, and they act on all its namespaces, as `emit` does, or throw, as its
# `fetchSockets` does. Seen: to disconnect or to join is a call that does nothing; a question with `emitWithAck` is sent to nobody and
# answered with an empty list, in time, as if nobody were there; and `in(room).fetchSockets()` finds nobody, where without the
# room it throws. So a deployment that sends everybody away, or a count of those who are online, is wrong in silence. What works
# is a loop over the namespaces that exist (the event `new_namespace` names them).
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
const server = new Server(http);
const dynamic = server.of(/^\/room-\d+$/);
dynamic.on("connection", (socket) => socket.join("all"));
const names = [];
server.on("new_namespace", ({ name }) => names.push(name));
await new Promise((done) => http.listen(0, "127.0.0.1", done));
setTimeout(() => { console.log("nothing in 60 s"); process.exit(1); }, 60_000);

let heard = [];
for (const name of ["/room-1", "/room-2"]) {
  const client = io(`http://127.0.0.1:${http.address().port}${name}`, { forceNew: true, reconnection: false });
  client.onAny((event, ...rest) => {
    heard.push(event);
    rest.at(-1)?.("an answer");
  });
  client.on("disconnect", () => heard.push("disconnect"));
  await new Promise((done) => client.on("connect", done));
}
await wait(500);

// What a call comes to, and what the two clients hear.
async function attempt(what, call) {
  heard = [];
  let result;
  try {
    const value = await call();
    result = Array.isArray(value) ? `a list of ${value.length}` : "done";
  } catch (error) {
    result = error.message;
  }
  await wait(1000);
  console.log(`${what}: ${result}, ${heard.length} of 2 hear of it`);
}
const each = (call) => Promise.all(names.map((name) => call(server.of(name)))).then((lists) => lists.flat());
await attempt("emit", () => dynamic.emit("news"));
await attempt("to(room).emit", () => dynamic.to("all").emit("news"));
await attempt("emitWithAck", () => dynamic.timeout(5000).emitWithAck("question"));
await attempt("emitWithAck in a loop", () => each((one) => one.timeout(5000).emitWithAck("question")));
await attempt("fetchSockets", () => dynamic.fetchSockets());
await attempt("in(room).fetchSockets", () => dynamic.in("all").fetchSockets());
await attempt("in(room).fetchSockets in a loop", () => each((one) => one.in("all").fetchSockets()));
await attempt("socketsJoin, to(room).emit", () => {
  dynamic.socketsJoin("late");
  dynamic.to("late").emit("news");
});
await attempt("disconnectSockets", () => dynamic.disconnectSockets());
await attempt("disconnectSockets in a loop", () => each((one) => one.disconnectSockets()).then(() => {}));
process.exit();
JS
cat >expected <<'TEXT'
emit: done, 2 of 2 hear of it
to(room).emit: done, 2 of 2 hear of it
emitWithAck: a list of 0, 0 of 2 hear of it
emitWithAck in a loop: a list of 2, 2 of 2 hear of it
fetchSockets: fetchSockets() is not supported on parent namespaces, 0 of 2 hear of it
in(room).fetchSockets: a list of 0, 0 of 2 hear of it
in(room).fetchSockets in a loop: a list of 2, 0 of 2 hear of it
socketsJoin, to(room).emit: done, 0 of 2 hear of it
disconnectSockets: done, 0 of 2 hear of it
disconnectSockets in a loop: done, 2 of 2 hear of it
TEXT
node run.mjs | tee seen
diff expected seen && echo "as described: socket.io 4.8.4, Node $(node --version)"
