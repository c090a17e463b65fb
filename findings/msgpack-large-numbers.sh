#!/usr/bin/env bash
# socket.io-msgpack-parser 3.0.2 delivers whole numbers of 2^64 and more as other numbers: 1e20 arrives as
# 7766279631452242000, and 2^64 and 1e300 arrive as 0.
#
# Expected: MessagePack has a double, so every JavaScript number arrives as it was sent; the parser is advertised for
# keeping more than JSON does. Seen: its encoder (notepack.io) takes every number without a fraction for an integer,
# writes 64 bits of it, and drops the rest without an error. The default parser delivers all of them. Amounts in the
# smallest unit of a currency and times in nanoseconds before a multiplication are numbers of this size.
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

const numbers = [2 ** 53, 1e20, -1e20, 2 ** 64, 1e300, 1e20 / 3e10];

async function arrive(options) {
  const http = createServer();
  const server = new Server(http, options);
  await new Promise((done) => http.listen(0, "127.0.0.1", done));
  const client = io(`http://127.0.0.1:${http.address().port}`, { ...options, transports: ["websocket"] });
  client.emit("numbers", ...numbers);
  const seen = await new Promise((done) => {
    server.on("connection", (socket) => socket.on("numbers", (...all) => done(all)));
  });
  client.close();
  server.close();
  return seen.map((number, index) => (number === numbers[index] ? "as sent" : number)).join(", ");
}

setTimeout(() => { console.log("nothing in 30 s"); process.exit(1); }, 30_000);
(async () => {
  console.log(`sent:    ${numbers.join(", ")}`);
  console.log(`JSON:    ${await arrive({})}`);
  console.log(`msgpack: ${await arrive({ parser: require("socket.io-msgpack-parser") })}`);
  process.exit();
})();
JS
cat >expected <<'TEXT'
sent:    9007199254740992, 100000000000000000000, -100000000000000000000, 18446744073709552000, 1e+300, 3333333333.3333335
JSON:    as sent, as sent, as sent, as sent, as sent, as sent
msgpack: as sent, 7766279631452242000, -7766279631452242000, 0, 0, as sent
TEXT
node run.cjs | tee seen
diff expected seen && echo "as described: socket.io and socket.io-client 4.8.4, Node $(node --version)"
