#!/usr/bin/env bash
# Servers of socketioxide 0.18.9 that socketioxide-redis 0.4.4 joins do not hear each other any more after a restart of Redis, and while it
# is away `emit` to a room does not even reach the own server's clients.
#
# Expected: the drivers connect anew and subscribe again, and what is for the own clients does not need Redis. Seen: an emit asks Redis
# first and reaches nobody without it; with the driver `redis` it is an error, with `fred` it waits. When Redis is back both
# are as before (seen for a minute, ten seconds here). With fred and a policy for reconnecting the emit is a success and reaches the
# own clients, and the other server does not hear it: the connection is new and has no subscriptions. So an update of Redis needs a
# restart of all servers. `socket.local()` and `io.local()` reach the own clients all the time.
#
# Needs Debian 12 with its package lists (apt-get update); Redis is unpacked in a temporary folder.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent socket.io-client@4.8.4
apt-get download -qq redis-server redis-tools liblzf1 liblua5.1-0 lua-cjson lua-bitop libjemalloc2 libatomic1 2>apt ||
    { cat apt; exit 1; }
for package in *.deb; do dpkg-deb -x "$package" system; done
libraries=$(echo "$folder"/system/usr/lib/*-linux-gnu)
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "redis-restart"
version = "0.0.0"
edition = "2024"

[dependencies]
axum = "=0.8.9"
engineioxide = "=0.17.9"
socketioxide = "=0.18.9"
socketioxide-redis = { version = "=0.4.4", features = ["fred"] }
tokio = { version = "1", features = ["macros", "net", "rt"] }
TOML
cat >src/main.rs <<'RUST'
use std::env;

use socketioxide::{
    SocketIo,
    adapter::Adapter,
    extract::{AckSender, SocketRef},
};
use socketioxide_redis::{
    FredAdapter, RedisAdapter, RedisAdapterCtr,
    drivers::{
        fred::fred_client::{prelude::*, types::RespVersion},
        redis::redis_client::Client,
    },
};

async fn connected<A: Adapter>(socket: SocketRef<A>) {
    socket.join("room");
    socket.on("to the room", async |socket: SocketRef<A>, answer: AckSender<A>| {
        let _ = answer.send(&socket.within("room").emit("news", "text").await.is_ok());
    });
    socket.on("to the room here", async |socket: SocketRef<A>, answer: AckSender<A>| {
        let _ = answer.send(&socket.local().within("room").emit("news", "text").await.is_ok());
    });
}

macro_rules! serve {
    ($adapter:ty, $state:expr) => {{
        let (layer, io) = SocketIo::builder().with_adapter::<$adapter>($state).build_layer();
        io.ns("/", connected).await.unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap().port());
        axum::serve(listener, axum::Router::new().layer(layer)).await.unwrap();
    }};
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let url = env::args().nth(2).unwrap();
    if env::args().nth(1).as_deref() == Some("redis") {
        let client = Client::open(format!("{url}?protocol=resp3")).unwrap();
        serve!(RedisAdapter<_>, RedisAdapterCtr::new_with_redis(&client).await.unwrap());
    } else {
        let mut config = Config::from_url(&url).unwrap();
        config.version = RespVersion::RESP3;
        let mut builder = Builder::from_config(config);
        if env::args().nth(1).as_deref() == Some("fred with a policy") {
            builder.set_policy(ReconnectPolicy::new_constant(0, 100));
        }
        let client = builder.build_subscriber_client().unwrap();
        serve!(FredAdapter<_>, RedisAdapterCtr::new_with_fred(client).await.unwrap());
    }
}
RUST
cat >run.mjs <<'JS'
import { spawn } from "child_process";
import { connect, createServer } from "net";
import { io } from "socket.io-client";

const wait = (time) => new Promise((done) => setTimeout(done, time));
setTimeout(() => { console.log("nothing in 300 s"); process.exit(1); }, 300_000);
const running = new Set();
process.on("exit", () => running.forEach((one) => one.kill("SIGKILL")));
const start = (command, args, options) => {
  const one = spawn(command, args, options);
  running.add(one);
  one.ended = new Promise((done) => one.on("exit", () => done(running.delete(one))));
  return one;
};
const end = (one) => (one.kill("SIGKILL"), one.ended);
const listens = (port) => new Promise((done) =>
  connect(port, "127.0.0.1", function () { this.end(); done(true); }).on("error", () => done(false)));
const redis = async (port) => {
  const one = start("system/usr/bin/redis-server", ["--port", String(port), "--bind", "127.0.0.1", "--save", ""], {
    stdio: "ignore", env: { ...process.env, LD_LIBRARY_PATH: process.argv[2] },
  });
  while (!(await listens(port))) await wait(100);
  return one;
};

for (const driver of ["redis", "fred", "fred with a policy"]) {
  const free = createServer();
  const port = await new Promise((done) => free.listen(0, "127.0.0.1", () => done(free.address().port)));
  await new Promise((done) => free.close(done));
  let store = await redis(port);
  const servers = [];
  const clients = [];
  for (let count = 0; count < 2; count += 1) {
    const server = start("target/debug/redis-restart", [driver, `redis://127.0.0.1:${port}`], { stdio: ["ignore", "pipe", "inherit"] });
    servers.push(server);
    const own = await new Promise((done) => server.stdout.on("data", (text) => done(Number(text))));
    const client = io(`http://127.0.0.1:${own}`, { forceNew: true, transports: ["websocket"] });
    client.heard = 0;
    client.on("news", () => (client.heard += 1));
    await new Promise((done) => client.on("connect", done));
    clients.push(client);
  }
  await wait(1000);
  const attempt = async (when, event) => {
    for (const client of clients) client.heard = 0;
    const ok = await clients[0].timeout(3000).emitWithAck(event).catch(() => "none within 3 s");
    await wait(500);
    const [own, other] = clients.map(({ heard }) => (heard ? "hears" : "hears nothing"));
    console.log(`${driver}, ${when}, ${event}: success ${ok}, the own server's client ${own}, the other's ${other}`);
  };
  await attempt("before", "to the room");
  await end(store);
  await wait(2000);
  await attempt("without Redis", "to the room");
  await attempt("without Redis", "to the room here");
  store = await redis(port);
  await wait(10_000);
  await attempt("10 s after Redis is back", "to the room");
  await attempt("10 s after Redis is back", "to the room here");
  for (const client of clients) client.close();
  for (const one of [...servers, store]) await end(one);
}
process.exit();
JS
cat >expected <<'TEXT'
redis, before, to the room: success true, the own server's client hears, the other's hears
redis, without Redis, to the room: success false, the own server's client hears nothing, the other's hears nothing
redis, without Redis, to the room here: success true, the own server's client hears, the other's hears nothing
redis, 10 s after Redis is back, to the room: success false, the own server's client hears nothing, the other's hears nothing
redis, 10 s after Redis is back, to the room here: success true, the own server's client hears, the other's hears nothing
fred, before, to the room: success true, the own server's client hears, the other's hears
fred, without Redis, to the room: success none within 3 s, the own server's client hears nothing, the other's hears nothing
fred, without Redis, to the room here: success true, the own server's client hears, the other's hears nothing
fred, 10 s after Redis is back, to the room: success none within 3 s, the own server's client hears nothing, the other's hears nothing
fred, 10 s after Redis is back, to the room here: success true, the own server's client hears, the other's hears nothing
fred with a policy, before, to the room: success true, the own server's client hears, the other's hears
fred with a policy, without Redis, to the room: success none within 3 s, the own server's client hears nothing, the other's hears nothing
fred with a policy, without Redis, to the room here: success true, the own server's client hears, the other's hears nothing
fred with a policy, 10 s after Redis is back, to the room: success true, the own server's client hears, the other's hears nothing
fred with a policy, 10 s after Redis is back, to the room here: success true, the own server's client hears, the other's hears nothing
TEXT
cargo build --quiet --target-dir target
node run.mjs "$libraries" | tee seen
diff expected seen &&
    echo "as described: socketioxide-redis 0.4.4, socketioxide 0.18.9, redis-server $(dpkg-deb -f redis-server_*.deb Version), Node $(node --version)"
