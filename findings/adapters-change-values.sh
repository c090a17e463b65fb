#!/usr/bin/env bash
# With @socket.io/redis-adapter 8.3.0 or @socket.io/redis-streams-adapter 0.3.1 the clients at the server that emits get other values
# than those at the other servers.
#
# Expected: what `io.emit` sends to a room is the same for everybody in it, whichever server they are connected to. Seen: the server
# that emits encodes for its own clients, and for the others an adapter with a codec of its own. redis-adapter sends of a
# `Uint16Array` the low byte of each element, 1e21 arrives as 3875820019684212736, 2^64 as 0, and `Object(5)` as {}. redis-streams-adapter
# makes an `ArrayBuffer` an empty object, and of an object beside bytes, whose class has a `toJSON`, its fields. With one
# server, as in most tests, all is right. `Buffer` and plain JSON pass everywhere.
#
# Needs Debian 12 with its package lists (apt-get update); Redis is unpacked in a temporary folder.
set -euo pipefail
folder=$(mktemp -d)
redis=
finish() {
    [[ -z $redis ]] || kill "$redis" 2>/dev/null || true
    rm -rf "$folder"
}
trap finish EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent socket.io@4.8.4 socket.io-client@4.8.4 redis@6.3.1 \
    @socket.io/redis-adapter@8.3.0 @socket.io/redis-streams-adapter@0.3.1
apt-get download -qq redis-server redis-tools liblzf1 liblua5.1-0 lua-cjson lua-bitop libjemalloc2 libatomic1 2>apt ||
    { cat apt; exit 1; }
for package in *.deb; do dpkg-deb -x "$package" system; done
LD_LIBRARY_PATH=$(echo "$folder"/system/usr/lib/*-linux-gnu) system/usr/bin/redis-server \
    --port 0 --unixsocket "$folder/redis" --save "" >/dev/null &
redis=$!
until [[ -S redis ]]; do sleep 0.1; done
cat >run.mjs <<'JS'
import { createServer } from "http";
import { createAdapter } from "@socket.io/redis-adapter";
import { createAdapter as createStreams } from "@socket.io/redis-streams-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";
import { io } from "socket.io-client";

const wait = (time) => new Promise((done) => setTimeout(done, time));
const redis = () => createClient({ socket: { path: "redis" }, RESP: 2 }).connect();
const adapters = {
  "redis-adapter": async () => createAdapter(await redis(), await redis()),
  "redis-streams-adapter": async () => createStreams(await redis()),
};

class Amount {
  cents = 150;
  toJSON() { return "1.50"; }
}
const values = {
  "a Buffer": Buffer.from([1, 2]),
  "a Uint16Array": new Uint16Array([0x0102, 0x0304]),
  "an ArrayBuffer": new Uint8Array([1, 2]).buffer,
  "1e21": 1e21,
  "2 ** 64": 2 ** 64,
  "Object(5)": Object(5),
  "an amount": new Amount(),
  "an amount beside bytes": { amount: new Amount(), bytes: Buffer.from([1]) },
};
const show = (value) => JSON.stringify(value, (_, inner) =>
  (inner?.type === "Buffer" ? `bytes ${inner.data.join(" ")}` : inner));

async function server(adapter) {
  const http = createServer();
  const server = new Server(http, { adapter });
  await new Promise((done) => http.listen(0, "127.0.0.1", done));
  const client = io(`http://127.0.0.1:${http.address().port}`, { forceNew: true, transports: ["websocket"] });
  await new Promise((done) => client.on("connect", done));
  return { server, client };
}

setTimeout(() => { console.log("nothing in 60 s"); process.exit(1); }, 60_000);
for (const [name, create] of Object.entries(adapters)) {
  const [here, there] = [await server(await create()), await server(await create())];
  await wait(1000);
  for (const [kind, value] of Object.entries(values)) {
    const seen = [here, there].map(({ client }) => new Promise((done) => client.once("value", (got) => done(show(got)))));
    here.server.emit("value", value);
    const [own, other] = await Promise.all(seen);
    console.log(`${name}, ${kind}: ${own}${own === other ? " for both" : ` at its own server, ${other} at the other`}`);
  }
}
process.exit();
JS
cat >expected <<'TEXT'
redis-adapter, a Buffer: "bytes 1 2" for both
redis-adapter, a Uint16Array: "bytes 2 1 4 3" at its own server, "bytes 2 4" at the other
redis-adapter, an ArrayBuffer: "bytes 1 2" for both
redis-adapter, 1e21: 1e+21 at its own server, 3875820019684212700 at the other
redis-adapter, 2 ** 64: 18446744073709552000 at its own server, 0 at the other
redis-adapter, Object(5): 5 at its own server, {} at the other
redis-adapter, an amount: "1.50" for both
redis-adapter, an amount beside bytes: {"amount":"1.50","bytes":"bytes 1"} for both
redis-streams-adapter, a Buffer: "bytes 1 2" for both
redis-streams-adapter, a Uint16Array: "bytes 2 1 4 3" for both
redis-streams-adapter, an ArrayBuffer: "bytes 1 2" at its own server, {} at the other
redis-streams-adapter, 1e21: 1e+21 for both
redis-streams-adapter, 2 ** 64: 18446744073709552000 for both
redis-streams-adapter, Object(5): 5 for both
redis-streams-adapter, an amount: "1.50" for both
redis-streams-adapter, an amount beside bytes: {"amount":"1.50","bytes":"bytes 1"} at its own server, {"amount":{"cents":150},"bytes":"bytes 1"} at the other
TEXT
node run.mjs | tee seen
diff expected seen &&
    echo "as described: redis-server $(dpkg-deb -f redis-server_*.deb Version), socket.io 4.8.4, Node $(node --version)"
