#!/usr/bin/env bash
# socket.io-msgpack-parser 3.0.2 sends a typed array that views a part of a buffer as the whole buffer.
#
# Expected: `bytes.subarray(2, 4)` is two bytes, as with the default parser. Seen: everything that lies in the buffer
# behind the view arrives: the two bytes wanted, those before, and those after. A Node `Buffer` is cut as it should be, a
# `Uint8Array`, `Float32Array` or `DataView` is not. So a receiver reads from the wrong offset, and gets what the
# sender did not mean to show, such as the rest of a message that was parsed in place.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent \
    socket.io@4.8.4 socket.io-client@4.8.4 socket.io-msgpack-parser@3.0.2
cat >run.cjs <<'JS'
const { createServer } = require("http");
const { Server } = require("socket.io");
const { io } = require("socket.io-client");

const bytes = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]);
const views = [
  bytes.subarray(2, 4),
  new Uint16Array(bytes.buffer, 2, 1),
  new DataView(bytes.buffer, 2, 2),
  Buffer.from(bytes.buffer, 2, 2),
];

async function arrive(options) {
  const http = createServer();
  const server = new Server(http, options);
  await new Promise((done) => http.listen(0, "127.0.0.1", done));
  const client = io(`http://127.0.0.1:${http.address().port}`, { ...options, transports: ["websocket"] });
  client.emit("views", ...views);
  const seen = await new Promise((done) => {
    server.on("connection", (socket) => socket.on("views", (...all) => done(all)));
  });
  client.close();
  server.close();
  return seen.map((view) => Buffer.from(view).toString("hex"));
}

setTimeout(() => { console.log("nothing in 30 s"); process.exit(1); }, 30_000);
(async () => {
  const json = await arrive({});
  const msgpack = await arrive({ parser: require("socket.io-msgpack-parser") });
  views.forEach((view, index) => {
    console.log(`2 bytes as ${view.constructor.name}: JSON ${json[index]}, msgpack ${msgpack[index]}`);
  });
  process.exit();
})();
JS
cat >expected <<'TEXT'
2 bytes as Uint8Array: JSON 0304, msgpack 0102030405060708
2 bytes as Uint16Array: JSON 0304, msgpack 0102030405060708
2 bytes as DataView: JSON 0304, msgpack 0102030405060708
2 bytes as Buffer: JSON 0304, msgpack 0304
TEXT
node run.cjs | tee seen
diff expected seen && echo "as described: socket.io and socket.io-client 4.8.4, Node $(node --version)"
