#!/usr/bin/env bash
# Where a network lets a websocket begin and cuts it at once, clients of socket.io 4.8.4 stay on polling, and those of socketioxide 0.18.9
# (engineioxide 0.17.9) lose their session again and again.
#
# Expected: the transport is tried beside the polls, so that an upgrade which fails, as behind some proxies and virus scanners, leaves the
# session where it was: this is why Socket.IO begins with polling. Seen: in engineioxide the end of the half-made websocket ends the
# session; the client comes back, tries the same, and so on, and what it asked is not answered. `connected` flickers. A page that is
# told `transports: ["polling"]` works there.
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
name = "upgrade-that-breaks"
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

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let (layer, io) = SocketIo::new_layer();
    io.ns("/", async |socket: SocketRef| {
        socket.on("question", async |answer: AckSender| answer.send(&true).unwrap_or_default());
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap().port());
    axum::serve(listener, axum::Router::new().layer(layer)).await.unwrap();
}
RUST
cat >server.mjs <<'JS'
import { Server } from "socket.io";

const io = new Server();
io.on("connection", (socket) => socket.on("question", (answer) => answer(true)));
io.listen(0, { host: "127.0.0.1" });
io.httpServer.on("listening", () => console.log(io.httpServer.address().port));
JS
cat >client.mjs <<'JS'
import { connect, createServer } from "net";
import { io } from "socket.io-client";

const [, , name, port] = process.argv;
const wait = (time) => new Promise((done) => setTimeout(done, time));
setTimeout(() => { console.log("nothing in 120 s"); process.exit(1); }, 120_000);
// A box that passes everything on, and cuts each connection as soon as a websocket has been agreed upon.
const box = createServer((near) => {
  const far = connect(port, "127.0.0.1");
  near.pipe(far);
  far.on("data", (data) => {
    near.write(data);
    if (data.toString("latin1").startsWith("HTTP/1.1 101")) setTimeout(() => [near, far].forEach((end) => end.destroy()), 0);
  });
  for (const [end, other] of [[near, far], [far, near]]) end.on("error", () => {}).on("close", () => other.destroy());
});
await new Promise((done) => box.listen(0, "127.0.0.1", done));
for (const [what, options] of [["by default", {}], ["polling alone", { transports: ["polling"] }]]) {
  const client = io(`http://127.0.0.1:${box.address().port}`, { forceNew: true, reconnectionDelay: 100, reconnectionDelayMax: 200, ...options });
  let ends = 0;
  client.on("disconnect", () => (ends += 1));
  await new Promise((done) => client.on("connect", done));
  await wait(10_000);
  const kept = ends === 0 ? "its session lives" : ends > 5 ? "its session ends again and again" : "its session ends";
  let answered = 0;
  for (let count = 0; count < 20; count += 1) {
    client.timeout(2000).emit("question", (error) => (answered += !error));
    await wait(200);
  }
  await wait(2500);
  console.log(`${name}, ${what}: ${kept}, ${answered === 20 ? "all" : "not all"} of 20 questions answered`);
  client.close();
}
process.exit();
JS
npm init -y >/dev/null
npm install --ignore-scripts --silent --no-audit --no-fund socket.io@4.8.4 socket.io-client@4.8.4
cargo build --quiet --target-dir target
target/debug/upgrade-that-breaks >rust.port &
servers+=($!)
node server.mjs >node.port &
servers+=($!)
until [[ -s rust.port && -s node.port ]]; do sleep 0.1; done
cat >expected <<'TEXT'
socket.io, by default: its session lives, all of 20 questions answered
socket.io, polling alone: its session lives, all of 20 questions answered
socketioxide, by default: its session ends again and again, not all of 20 questions answered
socketioxide, polling alone: its session lives, all of 20 questions answered
TEXT
{
    node client.mjs socket.io "$(<node.port)"
    node client.mjs socketioxide "$(<rust.port)"
} | tee seen
diff expected seen &&
    echo "as described: socketioxide 0.18.9, engineioxide 0.17.9, axum 0.8.9, socket.io and socket.io-client 4.8.4, Node $(node --version)"
