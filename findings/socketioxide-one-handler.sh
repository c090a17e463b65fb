#!/usr/bin/env bash
# In socketioxide 0.18.9 a second handler for the same event, for the end of a socket or for a namespace replaces the first, without a word.
#
# Expected: as in socket.io, where `on` adds a handler and all of them run, so that two parts of an application, say presence and a
# log, each look at `disconnect`, or two modules at `io.on("connection")`; or an error where one is to be had only once. Seen: `socket.on`,
# `socket.on_disconnect` and `io.ns` each keep the last. The part that was set up first is silent: a map of who is online never
# loses anybody once another module has its own `on_disconnect`. What runs for all has to be called by one handler; what has to
# happen at the end of a socket in any case can be a value in `socket.extensions` that does it when it is dropped.
set -euo pipefail
folder=$(mktemp -d)
servers=()
finish() {
    for server in "${servers[@]}"; do kill "$server" 2>/dev/null || true; done
    rm -rf "$folder"
}
trap finish EXIT
cd "$folder"
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "one-handler"
version = "0.0.0"
edition = "2024"

[dependencies]
axum = "=0.8.9"
engineioxide = "=0.17.9"
socketioxide = "=0.18.9"
tokio = { version = "1", features = ["macros", "net", "rt"] }
TOML
cat >src/main.rs <<'RUST'
use socketioxide::{
    SocketIo,
    extract::{AckSender, SocketRef},
};

async fn connected(socket: SocketRef, io: SocketIo) {
    socket.on("event", async |socket: SocketRef| socket.emit("ran", "first of event").unwrap());
    socket.on("event", async |socket: SocketRef| socket.emit("ran", "second of event").unwrap());
    let all = io.clone();
    socket.on_disconnect(async move || {
        let _ = all.emit("ran", "first of the end").await;
    });
    socket.on_disconnect(async move || {
        let _ = io.emit("ran", "second of the end").await;
    });
    socket.on("ready", async |answer: AckSender| answer.send(&true).unwrap());
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let (layer, io) = SocketIo::new_layer();
    io.ns("/", connected);
    io.ns("/twice", async |socket: SocketRef| socket.emit("ran", "first of a namespace").unwrap());
    io.ns("/twice", async |socket: SocketRef| socket.emit("ran", "second of a namespace").unwrap());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap().port());
    axum::serve(listener, axum::Router::new().layer(layer)).await.unwrap();
}
RUST
cat >server.mjs <<'JS'
import { Server } from "socket.io";

const io = new Server();
io.on("connection", (socket) => {
  for (const one of ["first", "second"]) {
    socket.on("event", () => socket.emit("ran", `${one} of event`));
    socket.on("disconnect", () => io.emit("ran", `${one} of the end`));
  }
  socket.on("ready", (answer) => answer(true));
});
for (const one of ["first", "second"]) io.of("/twice").on("connection", (socket) => socket.emit("ran", `${one} of a namespace`));
io.listen(0, { host: "127.0.0.1" });
io.httpServer.on("listening", () => console.log(io.httpServer.address().port));
JS
cat >client.mjs <<'JS'
import { io } from "socket.io-client";

const [, , name, port] = process.argv;
setTimeout(() => { console.log("nothing in 60 s"); process.exit(1); }, 60_000);
const ran = [];
const connect = async (namespace) => {
  const client = io(`http://127.0.0.1:${port}${namespace}`, { forceNew: true, reconnection: false, transports: ["websocket"] });
  client.on("ran", (what) => ran.push(what));
  await new Promise((done) => client.on("connect", done));
  if (namespace === "/") while (!(await client.timeout(1000).emitWithAck("ready").catch(() => false)));
  return client;
};
const say = async (what) => {
  await new Promise((done) => setTimeout(done, 1000));
  console.log(`${name}, ${what}: ${ran.splice(0).join(", ") || "nothing"}`);
};
await connect("/twice");
await say("a namespace");
const one = await connect("/");
one.emit("event");
await say("an event");
const other = await connect("/");
other.close();
await say("the end of a socket");
process.exit();
JS
npm init -y >/dev/null
npm install --ignore-scripts --silent --no-audit --no-fund socket.io@4.8.4 socket.io-client@4.8.4
cargo build --quiet --target-dir target
target/debug/one-handler >rust.port &
servers+=($!)
node server.mjs >node.port &
servers+=($!)
until [[ -s rust.port && -s node.port ]]; do sleep 0.1; done
cat >expected <<'TEXT'
socket.io, a namespace: first of a namespace, second of a namespace
socket.io, an event: first of event, second of event
socket.io, the end of a socket: first of the end, second of the end
socketioxide, a namespace: second of a namespace
socketioxide, an event: second of event
socketioxide, the end of a socket: second of the end
TEXT
{
    node client.mjs socket.io "$(<node.port)"
    node client.mjs socketioxide "$(<rust.port)"
} | tee seen
diff expected seen &&
    echo "as described: socketioxide 0.18.9, engineioxide 0.17.9, axum 0.8.9, socket.io and socket.io-client 4.8.4, Node $(node --version)"
