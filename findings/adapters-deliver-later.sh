#!/usr/bin/env bash
# With the sharded adapter of @socket.io/redis-adapter 8.3.0, or with @socket.io/redis-streams-adapter 0.3.1, what a server emits to
# a room goes to those who are in it a moment later: who leaves in the next line misses it, who joins in the next line gets it.
#
# Expected: an adapter adds other servers; for the server's own clients `io.to(room).emit` means those in the room at that moment, and
# one client's events keep their order, as without an adapter and with the classic one of redis-adapter. Seen: the event is handed
# to Redis first and to the server's own clients when that has answered. "You are out" before `leave` or `disconnect` never arrives,
# the newcomer sees its own "somebody joined", and an event to the room is overtaken by one to the socket. With
# `connectionStateRecovery` also `socket.emit` goes this way, so that an acknowledgement overtakes what its handler emitted
# before. A test with one server shows none of it as long as it has no adapter.
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
import { createAdapter, createShardedAdapter } from "@socket.io/redis-adapter";
import { createAdapter as createStreams } from "@socket.io/redis-streams-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";
import { io } from "socket.io-client";

const wait = (time) => new Promise((done) => setTimeout(done, time));
const redis = () => createClient({ socket: { path: "redis" }, RESP: 2 }).connect();
const adapters = {
  "no adapter": async () => undefined,
  "redis-adapter": async () => createAdapter(await redis(), await redis()),
  "its sharded one": async () => createShardedAdapter(await redis(), await redis()),
  "redis-streams-adapter": async () => createStreams(await redis()),
};

setTimeout(() => { console.log("nothing in 120 s"); process.exit(1); }, 120_000);
for (const [name, create] of Object.entries(adapters)) {
  const server = new Server(createServer(), { adapter: await create() });
  const recovering = new Server(createServer(), { adapter: await create(), connectionStateRecovery: {} });
  for (const [here, what] of [[server, name], [recovering, `${name} and recovery`]]) {
    await new Promise((done) => here.httpServer.listen(0, "127.0.0.1", done));
    const connection = new Promise((done) => here.on("connection", done));
    const client = io(`http://127.0.0.1:${here.httpServer.address().port}`, { forceNew: true, transports: ["websocket"] });
    const socket = await connection;
    const heard = [];
    client.onAny((event) => heard.push(event));
    await wait(1000);
    const tell = async (about) => {
      await wait(1500);
      console.log(`${what}, ${about}: ${heard.splice(0).join(", ") || "nothing"}`);
    };
    if (here === server) {
      socket.join("room");
      here.to("room").emit("bye");
      socket.leave("room");
      await tell("bye to a room that is left then");
      here.to("room").emit("joined");
      socket.join("room");
      await tell("joined to a room that is entered then");
      here.to("room").emit("first");
      socket.emit("second");
      await tell("first to the room, second to the socket");
    } else {
      socket.on("ask", (answer) => {
        socket.emit("news");
        answer();
      });
      client.emit("ask", () => heard.push("the answer"));
      await tell("news before the answer");
    }
    here.to(socket.id).emit("bye");
    socket.disconnect();
    await tell("bye before the disconnect");
  }
}
process.exit();
JS
cat >expected <<'TEXT'
no adapter, bye to a room that is left then: bye
no adapter, joined to a room that is entered then: nothing
no adapter, first to the room, second to the socket: first, second
no adapter, bye before the disconnect: bye
no adapter and recovery, news before the answer: news, the answer
no adapter and recovery, bye before the disconnect: bye
redis-adapter, bye to a room that is left then: bye
redis-adapter, joined to a room that is entered then: nothing
redis-adapter, first to the room, second to the socket: first, second
redis-adapter, bye before the disconnect: bye
redis-adapter and recovery, news before the answer: news, the answer
redis-adapter and recovery, bye before the disconnect: bye
its sharded one, bye to a room that is left then: nothing
its sharded one, joined to a room that is entered then: joined
its sharded one, first to the room, second to the socket: second, first
its sharded one, bye before the disconnect: nothing
its sharded one and recovery, news before the answer: the answer, news
its sharded one and recovery, bye before the disconnect: nothing
redis-streams-adapter, bye to a room that is left then: nothing
redis-streams-adapter, joined to a room that is entered then: joined
redis-streams-adapter, first to the room, second to the socket: second, first
redis-streams-adapter, bye before the disconnect: nothing
redis-streams-adapter and recovery, news before the answer: the answer, news
redis-streams-adapter and recovery, bye before the disconnect: nothing
TEXT
node run.mjs | tee seen
diff expected seen &&
    echo "as described: redis-server $(dpkg-deb -f redis-server_*.deb Version), socket.io 4.8.4, Node $(node --version)"
