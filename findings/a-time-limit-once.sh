#!/usr/bin/env bash
# In socket.io and socket.io-client 4.8.4 `const asker = socket.timeout(5000)` limits the next question only, asked by whomever.
#
# Expected: `timeout()` returns a socket with a limit, as `to(room)` returns an operator that can be kept and used again. Seen: it sets a
# mark on the socket itself and returns that; the next `emit` takes the mark away. So of three questions to a kept `asker` the
# first has a limit and a callback with the error first, the others wait for ever, and their callback finds the answer
# where it expects the error. A limit that is set before an `await` goes to what another function emits meanwhile, whose callback gets
# `null` as its answer. With `io.to(room).timeout(5000)` all questions have their limit.
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
await new Promise((done) => http.listen(0, "127.0.0.1", done));
setTimeout(() => { console.log("nothing in 60 s"); process.exit(1); }, 60_000);
const client = io(`http://127.0.0.1:${http.address().port}`, { transports: ["websocket"] });
const [socket] = await Promise.all([
  new Promise((done) => server.on("connection", done)),
  new Promise((done) => client.on("connect", done)),
]);
for (const end of [socket, client]) {
  end.on("question", (answer) => answer("yes"));
  end.on("silent", () => {});
}

// What the callback of a question gets.
const ask = (asker, event = "question") => new Promise((done) => {
  asker.emit(event, (...given) => done(`(${given.map((one) => String(one?.message ?? one)).join(", ")})`));
  setTimeout(() => done("is never called"), 3000);
});

for (const [name, end] of [["server", socket], ["client", client], ["io.to(room)", server.to(socket.id)]]) {
  const asker = end.timeout(1000);
  for (let count = 1; count <= 3; count += 1) console.log(`${name}, question ${count}: callback${await ask(asker)}`);
}
for (const [name, end] of [["server", socket], ["client", client]]) {
  const asker = end.timeout(1000);
  console.log(`${name}, without an answer, question 1: callback${await ask(asker, "silent")}`);
  console.log(`${name}, without an answer, question 2: callback ${await ask(asker, "silent")}`);

  // One function sets a limit and is not yet ready to ask when another one asks.
  const careful = async () => {
    const limited = end.timeout(1000);
    await wait(100);
    return ask(limited);
  };
  const pending = careful();
  const other = await ask(end);
  console.log(`${name}, another function meanwhile: callback${other}; the one with the limit: callback${await pending}`);
}
process.exit();
JS
cat >expected <<'TEXT'
server, question 1: callback(null, yes)
server, question 2: callback(yes)
server, question 3: callback(yes)
client, question 1: callback(null, yes)
client, question 2: callback(yes)
client, question 3: callback(yes)
io.to(room), question 1: callback(null, yes)
io.to(room), question 2: callback(null, yes)
io.to(room), question 3: callback(null, yes)
server, without an answer, question 1: callback(operation has timed out)
server, without an answer, question 2: callback is never called
server, another function meanwhile: callback(null, yes); the one with the limit: callback(yes)
client, without an answer, question 1: callback(operation has timed out)
client, without an answer, question 2: callback is never called
client, another function meanwhile: callback(null, yes); the one with the limit: callback(yes)
TEXT
node run.mjs | tee seen
diff expected seen && echo "as described: socket.io and socket.io-client 4.8.4, Node $(node --version)"
