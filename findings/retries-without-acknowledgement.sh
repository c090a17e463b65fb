#!/usr/bin/env bash
# With the option `retries` of socket.io-client 4.8.4, an event that is emitted without a callback is executed several
# times by a handler that does not acknowledge it; without `ackTimeout` beside it, no later event is ever sent.
#
# Expected: `retries` repeats what was lost, on a websocket that stands nothing is, and who gives no callback waits for
# nothing. Seen: the client asks for an acknowledgement of each event by itself. With `retries: 2` and `ackTimeout: 500`
# a handler that takes one argument and acknowledges nothing, as is usual for such events, runs three times for each of
# two events, and the second waits for the last try of the first. With `retries: 2` alone the first event is the only
# one that arrives, for ever: the queue waits for its acknowledgement, and no time limit is set.
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

// The events that a handler gets within six seconds, if a client emits two.
async function executed(options, acknowledges) {
  const http = createServer();
  const server = new Server(http);
  await new Promise((done) => http.listen(0, "127.0.0.1", done));
  const got = [];
  server.on("connection", (socket) => {
    socket.on("x", (name, acknowledge) => {
      got.push(name);
      if (acknowledges) acknowledge?.();
    });
  });
  const client = io(`http://127.0.0.1:${http.address().port}`, {
    transports: ["websocket"],
    reconnection: false,
    ...options,
  });
  await new Promise((done) => client.on("connect", done));
  for (const name of ["a", "b"]) client.emit("x", name);
  await new Promise((done) => setTimeout(done, 6000));
  client.close();
  server.close();
  return got.join(" ");
}

(async () => {
  const runs = [
    [{}, false],
    [{ ackTimeout: 500 }, false],
    [{ retries: 2, ackTimeout: 500 }, true],
    [{ retries: 2, ackTimeout: 500 }, false],
    [{ retries: 2 }, false],
  ];
  const seen = await Promise.all(runs.map((run) => executed(...run)));
  runs.forEach(([options, acknowledges], at) => {
    const handler = acknowledges ? "acknowledged" : "not acknowledged";
    console.log(`${JSON.stringify(options)}, ${handler}: ${seen[at]}`);
  });
  process.exit();
})();
JS
cat >expected <<'TEXT'
{}, not acknowledged: a b
{"ackTimeout":500}, not acknowledged: a b
{"retries":2,"ackTimeout":500}, acknowledged: a b
{"retries":2,"ackTimeout":500}, not acknowledged: a a a b b b
{"retries":2}, not acknowledged: a
TEXT
node run.cjs | tee seen
diff expected seen && echo "as described: socket.io and socket.io-client 4.8.4, Node $(node --version)"
