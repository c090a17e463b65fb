#!/usr/bin/env bash
# With `instrument(io)` of @socket.io/admin-ui 0.5.1 a `Map`, a `Set` or an object of a class with private fields can no longer be
# used once it is in `socket.data`, and no object in it is the one that was put there.
#
# Expected: an observer changes nothing for the application. Seen: in the mode "development", which is the default unless NODE_ENV is
# set, every object that the application assigns to an attribute of `socket.data`, or that a middleware has put there, is replaced
# by a Proxy, so that the observer hears of changes. The methods of `Map`, `Set` and classes with private fields refuse a proxy
# as `this`: "incompatible receiver", in code that worked before the line was added. `socket.data.user === user` is false, and
# a `WeakMap` or a `Set` of users does not find it. Plain objects and lists work. `mode: "production"` changes nothing.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent socket.io@4.8.4 socket.io-client@4.8.4 @socket.io/admin-ui@0.5.1
cat >run.mjs <<'JS'
import { createServer } from "http";
import { instrument } from "@socket.io/admin-ui";
import { Server } from "socket.io";
import { io } from "socket.io-client";

class User {
  #name = "Ada";
  greet() { return `I am ${this.#name}`; }
}
const uses = {
  "a list": [[1], (list) => list.length],
  "a Map": [new Map([["read", true]]), (map) => map.get("read")],
  "a Set": [new Set(["read"]), (set) => set.has("read")],
  "a user": [new User(), (user) => user.greet()],
};
const attempt = (use, value) => {
  try {
    return use(value);
  } catch (error) {
    return error.constructor.name;
  }
};

setTimeout(() => { console.log("nothing in 60 s"); process.exit(1); }, 60_000);
for (const mode of ["none", undefined, "production"]) {
  const http = createServer();
  const server = new Server(http);
  if (mode !== "none") instrument(server, { auth: false, ...(mode && { mode }) });
  const what = { none: "without", production: "with, for production" }[mode] ?? "with";
  server.use((socket, next) => {
    socket.data.early = new Map([["read", true]]);
    next();
  });
  const connection = new Promise((done) => server.on("connection", done));
  await new Promise((done) => http.listen(0, "127.0.0.1", done));
  const client = io(`http://127.0.0.1:${http.address().port}`, { forceNew: true });
  const socket = await connection;
  console.log(`${what}, a Map of a middleware: ${attempt((map) => map.get("read"), socket.data.early)}`);
  for (const [name, [value, use]] of Object.entries(uses)) {
    socket.data.value = value;
    const same = socket.data.value === value ? "the same" : "another one";
    console.log(`${what}, ${name}: ${attempt(use, socket.data.value)}, ${same}`);
  }
  client.close();
}
process.exit();
JS
cat >expected <<'TEXT'
without, a Map of a middleware: true
without, a list: 1, the same
without, a Map: true, the same
without, a Set: true, the same
without, a user: I am Ada, the same
with, a Map of a middleware: TypeError
with, a list: 1, another one
with, a Map: TypeError, another one
with, a Set: TypeError, another one
with, a user: TypeError, another one
with, for production, a Map of a middleware: true
with, for production, a list: 1, the same
with, for production, a Map: true, the same
with, for production, a Set: true, the same
with, for production, a user: I am Ada, the same
TEXT
env -u NODE_ENV node run.mjs | tee seen
diff expected seen && echo "as described: @socket.io/admin-ui 0.5.1, socket.io 4.8.4, Node $(node --version)"
