#!/usr/bin/env bash
# With connection state recovery in socket.io 4.8.4, one volatile event whose last argument is a string costs a client
# its recovery.
#
# Expected: a volatile event is not kept for a client that was away, and otherwise has no part in recovery. Seen: the
# client takes the last argument of each event for the number of the last packet that it has got, if it is a string. Only
# events that are kept carry such a number; from a volatile one the client takes the application's own string. With that
# it asks to be recovered, and the server, which does not know the number, gives it a new session: `recovered` is false,
# the id and rooms are others, what was sent meanwhile is lost. A volatile event that ends with a number does no harm.
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

const arrives = (socket, event) => new Promise((done) => socket.once(event, done));

async function recovered(last) {
  const http = createServer();
  const server = new Server(http, { connectionStateRecovery: {} });
  await new Promise((done) => http.listen(0, "127.0.0.1", done));
  const client = io(`http://127.0.0.1:${http.address().port}`, { transports: ["websocket"], reconnectionDelay: 100 });
  const connected = arrives(client, "connect");
  const socket = await new Promise((done) => server.once("connection", done));
  await connected;
  const kept = arrives(client, "kept");
  socket.emit("kept", 1);
  await kept;
  await new Promise((done) => setTimeout(done, 200));
  const volatile = arrives(client, "volatile");
  if (last !== undefined) {
    socket.volatile.emit("volatile", last);
    await volatile;
  }
  const lost = arrives(client, "disconnect");
  const back = lost.then(() => arrives(client, "connect"));
  client.io.engine.close();
  await back;
  const outcome = client.recovered;
  client.close();
  server.close();
  return outcome;
}

setTimeout(() => { console.log("nothing in 30 s"); process.exit(1); }, 30_000);
(async () => {
  console.log(`no volatile event: recovered ${await recovered()}`);
  console.log(`one that ends with a number: recovered ${await recovered(22.5)}`);
  console.log(`one that ends with a string: recovered ${await recovered("22.5 °C")}`);
  process.exit();
})();
JS
cat >expected <<'TEXT'
no volatile event: recovered true
one that ends with a number: recovered true
one that ends with a string: recovered false
TEXT
node run.cjs | tee seen
diff expected seen && echo "as described: socket.io and socket.io-client 4.8.4, Node $(node --version)"
