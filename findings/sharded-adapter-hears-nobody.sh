#!/usr/bin/env bash
# The sharded adapter of @socket.io/redis-adapter 8.3.0 hears nothing of @socket.io/redis-emitter 5.1.0, and with ioredis and a
# `keyPrefix` nothing of other servers; the classic adapter of the same package does both.
#
# Expected: `createShardedAdapter` takes the place of `createAdapter`, with the same clients and the same emitter, or says that it
# does not. Seen: the emitter publishes on a channel of the classic kind, in that adapter's own format, which no sharded one
# subscribes to; `emit` of a worker process reaches nobody. ioredis puts the prefix in front of the channels that are subscribed to, and hands
# messages on with it, so that the adapter does not know the channel any more: servers do not hear each other, `fetchSockets`
# of one finds none of the other's, and neither sees an error. Seen with ioredis 5.11.1 and 6.0.0.
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
    @socket.io/redis-adapter@8.3.0 @socket.io/redis-emitter@5.1.0 five@npm:ioredis@5.11.1 six@npm:ioredis@6.0.0
apt-get download -qq redis-server redis-tools liblzf1 liblua5.1-0 lua-cjson lua-bitop libjemalloc2 libatomic1 2>apt ||
    { cat apt; exit 1; }
for package in *.deb; do dpkg-deb -x "$package" system; done
LD_LIBRARY_PATH=$(echo "$folder"/system/usr/lib/*-linux-gnu) system/usr/bin/redis-server \
    --port 0 --unixsocket "$folder/redis" --save "" >/dev/null &
redis=$!
until [[ -S redis ]]; do sleep 0.1; done
cat >run.mjs <<'JS'
import { createServer } from "http";
import { createAdapter, createShardedAdapter } from "@socket.io/redis-adapter";
import { Emitter } from "@socket.io/redis-emitter";
import five from "five";
import { createClient } from "redis";
import six from "six";
import { Server } from "socket.io";
import { io } from "socket.io-client";

const wait = (time) => new Promise((done) => setTimeout(done, time));
const redis = () => createClient({ socket: { path: "redis" }, RESP: 2 }).connect();
const ioredis = (Redis, keyPrefix) => async () => new Redis({ path: "redis", keyPrefix });
const clients = {
  "redis 6.3.1": redis,
  "ioredis 5.11.1": ioredis(five.Redis, ""),
  "ioredis 5.11.1 with a prefix": ioredis(five.Redis, "app:"),
  "ioredis 6.0.0": ioredis(six.Redis, ""),
  "ioredis 6.0.0 with a prefix": ioredis(six.Redis, "app:"),
};
const options = (adapter, name) => (adapter === createAdapter ? { key: name } : { channelPrefix: name });

async function serve(adapter) {
  const http = createServer();
  const server = new Server(http, { adapter });
  await new Promise((done) => http.listen(0, "127.0.0.1", done));
  return { server, url: `http://127.0.0.1:${http.address().port}` };
}

setTimeout(() => { console.log("nothing in 120 s"); process.exit(1); }, 120_000);
for (const [kind, adapter] of [["classic", createAdapter], ["sharded", createShardedAdapter]]) {
  for (const [name, create] of Object.entries(clients)) {
    const make = async () => serve(adapter(await create(), await create(), options(adapter, name)));
    const [here, there] = [await make(), await make()];
    const client = io(there.url, { forceNew: true, transports: ["websocket"] });
    await new Promise((done) => client.on("connect", done));
    const heard = [];
    client.onAny((event) => heard.push(event));
    await wait(1500);
    here.server.emit("of the other server");
    await wait(1000);
    const found = (await here.server.fetchSockets()).length;
    console.log(`${kind}, ${name}: ${heard.join() || "nothing"}; the other server finds ${found}`);
    client.close();
  }
  const { url } = await serve(adapter(await redis(), await redis()));
  const client = io(url, { forceNew: true, transports: ["websocket"] });
  await new Promise((done) => client.on("connect", done));
  const heard = [];
  client.onAny((event) => heard.push(event));
  await wait(1500);
  new Emitter(await redis()).emit("of the emitter");
  await wait(1000);
  console.log(`${kind}, redis-emitter: ${heard.join() || "nothing"}`);
  client.close();
}
process.exit();
JS
cat >expected <<'TEXT'
classic, redis 6.3.1: of the other server; the other server finds 1
classic, ioredis 5.11.1: of the other server; the other server finds 1
classic, ioredis 5.11.1 with a prefix: of the other server; the other server finds 1
classic, ioredis 6.0.0: of the other server; the other server finds 1
classic, ioredis 6.0.0 with a prefix: of the other server; the other server finds 1
classic, redis-emitter: of the emitter
sharded, redis 6.3.1: of the other server; the other server finds 1
sharded, ioredis 5.11.1: of the other server; the other server finds 1
sharded, ioredis 5.11.1 with a prefix: nothing; the other server finds 0
sharded, ioredis 6.0.0: of the other server; the other server finds 1
sharded, ioredis 6.0.0 with a prefix: nothing; the other server finds 0
sharded, redis-emitter: nothing
TEXT
node run.mjs | tee seen
diff expected seen &&
    echo "as described: redis-server $(dpkg-deb -f redis-server_*.deb Version), socket.io 4.8.4, Node $(node --version)"
