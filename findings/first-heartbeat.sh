#!/usr/bin/env bash
# engineioxide 0.17.9 (socketioxide 0.18.9) sends the first heartbeat of a session at once, and the others by its own clock.
#
# Expected: as with socket.io 4.8.4, the first ping comes one `pingInterval` after the session was opened, and each further
# one an interval after the answer to the last. Seen: the first comes with the opening, before or after the answer to CONNECT;
# the others at whole intervals from it, so that a client which answers late has less than an interval until the next. A
# client or a test that takes the first packet after its CONNECT for the answer gets a ping now and then, and one that counts on
# an interval without a ping (a device that sleeps, a mock that answers none) is closed an interval earlier than by socket.io.
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
name = "first-heartbeat"
version = "0.0.0"
edition = "2024"

[dependencies]
axum = "=0.8.9"
engineioxide = "=0.17.9"
socketioxide = "=0.18.9"
tokio = { version = "1", features = ["macros", "net", "rt"] }
TOML
cat >src/main.rs <<'RUST'
use std::time::Duration;

use socketioxide::{SocketIo, extract::SocketRef};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let (layer, io) = SocketIo::builder()
        .ping_interval(Duration::from_secs(6))
        .ping_timeout(Duration::from_secs(30))
        .build_layer();
    io.ns("/", async |_: SocketRef| {});
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap().port());
    axum::serve(listener, axum::Router::new().layer(layer)).await.unwrap();
}
RUST
cat >server.mjs <<'JS'
import { Server } from 'socket.io';
const io = new Server({ pingInterval: 6_000, pingTimeout: 30_000 });
io.listen(0, { host: '127.0.0.1' });
io.httpServer.on('listening', () => console.log(io.httpServer.address().port));
JS
cat >client.mjs <<'JS'
import WebSocket from 'ws';
const [, , name, port] = process.argv;
const socket = new WebSocket(`ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`);
let since;
let pings = 0;
// In thirds of an interval: each answer is one third late.
const thirds = () => Math.round((Date.now() - since) / 2_000);
socket.on('message', (data) => {
  const packet = String(data);
  if (packet.startsWith('0{')) {
    since = Date.now();
    socket.send('40');
  } else if (packet === '2') {
    pings += 1;
    console.log(`${name}, ping ${pings}: after ${thirds()} thirds of an interval`);
    if (pings === 3) process.exit(0);
    setTimeout(() => socket.send('3'), 2_000);
  }
});
JS
npm install --silent --no-audit --no-fund socket.io@4.8.4 ws@8.23.0 >/dev/null
cargo build --quiet --target-dir target
target/debug/first-heartbeat >rust.port &
servers+=($!)
node server.mjs >node.port &
servers+=($!)
until [[ -s rust.port && -s node.port ]]; do sleep 0.1; done
cat >expected <<'TEXT'
socket.io, ping 1: after 3 thirds of an interval
socket.io, ping 2: after 7 thirds of an interval
socket.io, ping 3: after 11 thirds of an interval
socketioxide, ping 1: after 0 thirds of an interval
socketioxide, ping 2: after 3 thirds of an interval
socketioxide, ping 3: after 6 thirds of an interval
TEXT
{
    node client.mjs socket.io "$(<node.port)"
    node client.mjs socketioxide "$(<rust.port)"
} | tee seen
diff expected seen && echo "as described: engineioxide 0.17.9, socketioxide 0.18.9, socket.io 4.8.4, ws 8.23.0, node $(node --version)"
