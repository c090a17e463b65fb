#!/usr/bin/env bash
# engineioxide 0.17.9 (socketioxide 0.18.9) ends a session if its websocket is pinged before the upgrade is complete.
#
# Expected: a ping of the websocket (RFC 6455, 5.5.2) may come at any time and is answered below the application; so in
# socket.io 4.8.4. Seen: between the probe and the upgrade packet, and before the probe, socketioxide takes a ping or a
# pong for a violation and ends the session, polling included: `transport close` at the client. Once the session is
# upgraded, pings do no harm. Whoever pings early, a proxy or a library with keep-alive by control frames, loses
# connections now and then, most of all on slow machines.
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
name = "early-ping"
version = "0.0.0"
edition = "2024"

[dependencies]
axum = "=0.8.9"
engineioxide = "=0.17.9"
socketioxide = "=0.18.9"
tokio = { version = "1", features = ["macros", "net", "rt"] }
TOML
cat >src/main.rs <<'RUST'
use socketioxide::{SocketIo, extract::SocketRef};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let (layer, io) = SocketIo::new_layer();
    io.ns("/", async |_: SocketRef| {});
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap().port());
    axum::serve(listener, axum::Router::new().layer(layer)).await.unwrap();
}
RUST
cat >server.mjs <<'JS'
import { Server } from 'socket.io';
const io = new Server();
io.listen(0, { host: '127.0.0.1' });
io.httpServer.on('listening', () => console.log(io.httpServer.address().port));
JS
cat >client.mjs <<'JS'
import WebSocket from 'ws';
const [, , name, port] = process.argv;
const path = `127.0.0.1:${port}/socket.io/?EIO=4&transport=`;

async function upgraded(pingAt) {
  const opened = await (await fetch(`http://${path}polling`)).text();
  const socket = new WebSocket(`ws://${path}websocket&sid=${JSON.parse(opened.slice(1)).sid}`);
  const heard = [];
  const waiting = [];
  const tell = (what) => (waiting.length ? waiting.shift()(what) : heard.push(what));
  // The heartbeat of Engine.IO, whose time is another at either server.
  socket.on('message', (data) => String(data) === '2' || tell(String(data)));
  socket.on('pong', () => tell('pong'));
  for (const end of ['close', 'error']) socket.on(end, () => tell('the session ends'));
  const next = () => (heard.length ? heard.shift() : new Promise((resolve) => waiting.push(resolve)));
  const ping = async (at) => {
    if (at !== pingAt) return null;
    socket.ping();
    // An end is told as well; socket.io answers the ping.
    const answer = await next();
    return answer === 'pong' ? null : answer;
  };
  await new Promise((resolve) => socket.on('open', resolve));
  let end = await ping('before the probe');
  if (!end) {
    socket.send('2probe');
    if ((await next()) !== '3probe') return 'the session ends';
    end = await ping('between probe and upgrade');
  }
  if (!end) {
    socket.send('5');
    end = await ping('after the upgrade');
  }
  if (!end) {
    socket.send('40');
    const answer = await next();
    end = answer.startsWith('40') ? 'connected' : 'the session ends';
  }
  socket.terminate();
  return end;
}

for (const at of ['never', 'before the probe', 'between probe and upgrade', 'after the upgrade']) {
  console.log(`${name}, pinged ${at}: ${await upgraded(at)}`);
}
process.exit(0);
JS
npm install --silent --no-audit --no-fund socket.io@4.8.4 ws@8.23.0 >/dev/null
cargo build --quiet --target-dir target
target/debug/early-ping >rust.port &
servers+=($!)
node server.mjs >node.port &
servers+=($!)
until [[ -s rust.port && -s node.port ]]; do sleep 0.1; done
cat >expected <<'TEXT'
socket.io, pinged never: connected
socket.io, pinged before the probe: connected
socket.io, pinged between probe and upgrade: connected
socket.io, pinged after the upgrade: connected
socketioxide, pinged never: connected
socketioxide, pinged before the probe: the session ends
socketioxide, pinged between probe and upgrade: the session ends
socketioxide, pinged after the upgrade: connected
TEXT
{
    node client.mjs socket.io "$(<node.port)"
    node client.mjs socketioxide "$(<rust.port)"
} | tee seen
diff expected seen && echo "as described: engineioxide 0.17.9, socketioxide 0.18.9, socket.io 4.8.4, ws 8.23.0, node $(node --version)"
