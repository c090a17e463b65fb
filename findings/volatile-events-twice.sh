#!/usr/bin/env bash
# With @socket.io/redis-streams-adapter 0.3.1 and connection state recovery a volatile event that a client has got arrives a second
# time after it was away, and so do those that were emitted meanwhile.
#
# Expected: a volatile event is one that may be lost, and recovery brings what is not volatile and was missed, as without an
# adapter (socket.io 4.8.4). Seen: every event is written to the stream, and recovery reads there from the last event whose number
# the client knows. A volatile one brings no number, so that it does not count as received: all volatile events since the last
# ordinary one are delivered again, in front of newer ones. A position or a key that is pressed happens twice, the
# older the later. What `io.local.emit` sent meanwhile is recovered without the adapter and not with it.
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
    @socket.io/redis-streams-adapter@0.3.1
apt-get download -qq redis-server redis-tools liblzf1 liblua5.1-0 lua-cjson lua-bitop libjemalloc2 libatomic1 2>apt ||
    { cat apt; exit 1; }
for package in *.deb; do dpkg-deb -x "$package" system; done
LD_LIBRARY_PATH=$(echo "$folder"/system/usr/lib/*-linux-gnu) system/usr/bin/redis-server \
    --port 0 --unixsocket "$folder/redis" --save "" >/dev/null &
redis=$!
until [[ -S redis ]]; do sleep 0.1; done
cat >run.mjs <<'JS'
import { createServer } from "http";
import { createAdapter } from "@socket.io/redis-streams-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";
import { io } from "socket.io-client";

const wait = (time) => new Promise((done) => setTimeout(done, time));
const redis = await createClient({ socket: { path: "redis" }, RESP: 2 }).connect();

setTimeout(() => { console.log("nothing in 60 s"); process.exit(1); }, 60_000);
for (const [name, adapter] of [["no adapter", undefined], ["redis-streams-adapter", createAdapter(redis)]]) {
  const http = createServer();
  const server = new Server(http, { adapter, connectionStateRecovery: {} });
  await new Promise((done) => http.listen(0, "127.0.0.1", done));
  const connection = new Promise((done) => server.once("connection", done));
  const client = io(`http://127.0.0.1:${http.address().port}`, { forceNew: true, transports: ["websocket"] });
  const socket = await connection;
  const heard = [];
  client.onAny((event, number) => heard.push(`${event} ${number}`));
  const tell = (when) => console.log(`${name}, ${when}: ${heard.splice(0).join(", ")}`);
  const emit = async (to, event, number) => {
    to.emit(event, number);
    await wait(500);
  };
  await wait(1000);
  await emit(server, "ordinary", 1);
  await emit(server.volatile, "volatile to all", 1);
  await emit(socket.volatile, "volatile to one", 1);
  tell("connected");

  const away = new Promise((done) => server.once("connection", done));
  client.io.engine.close();
  server.volatile.emit("volatile to all", 2);
  server.local.emit("local", 2);
  server.emit("ordinary", 2);
  await away;
  await wait(1500);
  tell(client.recovered ? "recovered" : "not recovered");
  client.close();
}
process.exit();
JS
cat >expected <<'TEXT'
no adapter, connected: ordinary 1, volatile to all 1, volatile to one 1
no adapter, recovered: local 2, ordinary 2
redis-streams-adapter, connected: ordinary 1, volatile to all 1, volatile to one 1
redis-streams-adapter, recovered: volatile to all 1, volatile to one 1, volatile to all 2, ordinary 2
TEXT
node run.mjs | tee seen
diff expected seen &&
    echo "as described: redis-server $(dpkg-deb -f redis-server_*.deb Version), socket.io 4.8.4, Node $(node --version)"
