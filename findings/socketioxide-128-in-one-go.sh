#!/usr/bin/env bash
# Of 1,000 events that a handler of socketioxide 0.18.9 emits in one loop the first 128 go out, also with `io.emit(…).await`.
#
# Expected: what is emitted waits until it can be sent, as in socket.io, or the `await` of `io.emit` waits for room. Seen: each client has
# room for 128 packets (`max_buffer_size`). Beyond that `emit` is an error at once and the event is gone; the connection stays, and
# the client misses some in the middle of what it gets. `.ok()` behind an emit hides it. `io.emit(…).await` does not wait, and its
# error is easily taken for "nobody was there". What helps: a larger `max_buffer_size`, one event with a list, or
# to try an event again when its emit failed.
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
name = "in-one-go"
version = "0.0.0"
edition = "2024"

[dependencies]
axum = "=0.8.9"
bytes = "1"
engineioxide = "=0.17.9"
socketioxide = "=0.18.9"
tokio = { version = "1", features = ["net", "rt", "time"] }
TOML
cat >src/main.rs <<'RUST'
use std::{env, time::Duration};

use bytes::Bytes;
use socketioxide::{
    SocketIo,
    extract::{AckSender, SocketRef},
};

async fn connected(socket: SocketRef, io: SocketIo) {
    socket.on("loop", async |socket: SocketRef| {
        let sent = (0..1000).filter(|number| socket.emit("number", number).is_ok()).count();
        say(&socket, sent).await;
    });
    socket.on("to all", async move |socket: SocketRef| {
        let mut sent = 0;
        for number in 0..1000 {
            sent += usize::from(io.emit("number", &number).await.is_ok());
        }
        say(&socket, sent).await;
    });
    socket.on("bytes", async |socket: SocketRef| {
        let bytes = Bytes::from_static(b"12");
        let sent = (0..1000).filter(|_| socket.emit("number", &bytes).is_ok()).count();
        say(&socket, sent).await;
    });
    socket.on("again", async |socket: SocketRef| {
        for number in 0..1000 {
            while socket.emit("number", &number).is_err() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        say(&socket, 1000).await;
    });
    socket.on("ready", async |answer: AckSender| answer.send(&true).unwrap());
}

async fn say(socket: &SocketRef, sent: usize) {
    while socket.emit("sent", &sent).is_err() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let size = env::args().nth(1).map_or(128, |size| size.parse().unwrap());
    let (layer, io) = SocketIo::builder().max_buffer_size(size).build_layer();
    io.ns("/", connected);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap().port());
    axum::serve(listener, axum::Router::new().layer(layer)).await.unwrap();
}
RUST
cat >client.mjs <<'JS'
import { io } from "socket.io-client";

const [, , name, port, ...events] = process.argv;
setTimeout(() => { console.log("nothing in 120 s"); process.exit(1); }, 120_000);
for (const transport of ["websocket", "polling"]) {
  const client = io(`http://127.0.0.1:${port}`, { transports: [transport], forceNew: true });
  await new Promise((done) => client.on("connect", done));
  let arrived = 0;
  client.on("number", () => (arrived += 1));
  for (const event of events) {
    await client.emitWithAck("ready");
    await new Promise((done) => setTimeout(done, 500));
    arrived = 0;
    const sent = await new Promise((done) => {
      client.once("sent", done);
      client.emit(event);
    });
    console.log(`${name}, ${transport}, ${event}: ${sent} of 1000 emits succeed, ${arrived} arrive, connected ${client.connected}`);
  }
  client.close();
}
process.exit();
JS
npm init -y >/dev/null
npm install --ignore-scripts --silent --no-audit --no-fund socket.io-client@4.8.4
cargo build --quiet --target-dir target
for size in 128 4096; do
    target/debug/in-one-go "$size" >"$size.port" &
    servers+=($!)
    until [[ -s $size.port ]]; do sleep 0.1; done
done
cat >expected <<'TEXT'
room for 128, websocket, loop: 128 of 1000 emits succeed, 128 arrive, connected true
room for 128, websocket, to all: 128 of 1000 emits succeed, 128 arrive, connected true
room for 128, websocket, bytes: 128 of 1000 emits succeed, 128 arrive, connected true
room for 128, websocket, again: 1000 of 1000 emits succeed, 1000 arrive, connected true
room for 128, polling, loop: 128 of 1000 emits succeed, 128 arrive, connected true
room for 128, polling, to all: 128 of 1000 emits succeed, 128 arrive, connected true
room for 128, polling, bytes: 128 of 1000 emits succeed, 128 arrive, connected true
room for 128, polling, again: 1000 of 1000 emits succeed, 1000 arrive, connected true
room for 4096, websocket, loop: 1000 of 1000 emits succeed, 1000 arrive, connected true
room for 4096, websocket, to all: 1000 of 1000 emits succeed, 1000 arrive, connected true
room for 4096, websocket, bytes: 1000 of 1000 emits succeed, 1000 arrive, connected true
room for 4096, polling, loop: 1000 of 1000 emits succeed, 1000 arrive, connected true
room for 4096, polling, to all: 1000 of 1000 emits succeed, 1000 arrive, connected true
room for 4096, polling, bytes: 1000 of 1000 emits succeed, 1000 arrive, connected true
TEXT
{
    node client.mjs "room for 128" "$(<128.port)" loop "to all" bytes again
    node client.mjs "room for 4096" "$(<4096.port)" loop "to all" bytes
} | tee seen
diff expected seen &&
    echo "as described: socketioxide 0.18.9, engineioxide 0.17.9, axum 0.8.9, socket.io-client 4.8.4, Node $(node --version)"
