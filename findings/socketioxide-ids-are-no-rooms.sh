#!/usr/bin/env bash
# In socketioxide 0.18.9 `io.to(id).emit(…)`, `socket.to(id)` and `io.within(id).disconnect()` with the id of a socket reach nobody.
#
# Expected: as in socket.io, where each socket is in a room of its own that is named like it: a private message goes `to` the partner's id, and
# a client is told by its id. Seen: a socket is in the rooms that it has joined and in no other; the id is a room without members,
# and an emit to it succeeds. So a server that was ported from JavaScript delivers
# its messages to rooms and none to persons, without an error. `io.get_socket(id)` finds the socket on this server; a
# `socket.join(socket.id.to_string())` in the connect handler makes it as in socket.io.
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
name = "ids-are-no-rooms"
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
    extract::{AckSender, Data, SocketRef},
    socket::Sid,
};

async fn connected(socket: SocketRef, io: SocketIo) {
    let all = io.clone();
    socket.on("io.to(id)", async move |Data::<String>(id), answer: AckSender| {
        let _ = answer.send(&all.to(id).emit("note", "io.to(id)").await.is_ok());
    });
    socket.on("socket.to(id)", async |socket: SocketRef, Data::<String>(id), answer: AckSender| {
        let _ = answer.send(&socket.to(id).emit("note", "socket.to(id)").await.is_ok());
    });
    let all = io.clone();
    socket.on("members", async move |Data::<String>(id), answer: AckSender| {
        let _ = answer.send(&all.within(id).sockets().len());
    });
    let all = io.clone();
    socket.on("by its id", async move |Data::<Sid>(id), answer: AckSender| {
        let sent = all.get_socket(id).is_some_and(|other| other.emit("note", "by its id").is_ok());
        let _ = answer.send(&sent);
    });
    let all = io.clone();
    socket.on("send away", async move |Data::<String>(id), answer: AckSender| {
        let _ = answer.send(&all.within(id).disconnect().await.is_ok());
    });
    socket.on("join", async |socket: SocketRef, answer: AckSender| {
        socket.join(socket.id.to_string());
        let _ = answer.send(&true);
    });
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let (layer, io) = SocketIo::new_layer();
    io.ns("/", connected);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap().port());
    axum::serve(listener, axum::Router::new().layer(layer)).await.unwrap();
}
RUST
cat >server.mjs <<'JS'
import { Server } from "socket.io";

const io = new Server();
io.on("connection", (socket) => {
  socket.on("io.to(id)", (id, answer) => answer(io.to(id).emit("note", "io.to(id)")));
  socket.on("socket.to(id)", (id, answer) => answer(socket.to(id).emit("note", "socket.to(id)")));
  socket.on("members", async (id, answer) => answer((await io.in(id).fetchSockets()).length));
  socket.on("by its id", (id, answer) => answer(io.sockets.sockets.get(id).emit("note", "by its id")));
  socket.on("send away", (id, answer) => answer((io.in(id).disconnectSockets(), true)));
  socket.on("join", (answer) => answer((socket.join(socket.id), true)));
});
io.listen(0, { host: "127.0.0.1" });
io.httpServer.on("listening", () => console.log(io.httpServer.address().port));
JS
cat >client.mjs <<'JS'
import { io } from "socket.io-client";

const [, , name, port] = process.argv;
setTimeout(() => { console.log("nothing in 60 s"); process.exit(1); }, 60_000);
const connect = async () => {
  const client = io(`http://127.0.0.1:${port}`, { forceNew: true, reconnection: false, transports: ["websocket"] });
  await new Promise((done) => client.on("connect", done));
  return client;
};
const [one, other] = [await connect(), await connect()];
// Handlers are in place when this is answered.
for (const client of [one, other]) while ((await client.timeout(1000).emitWithAck("members", "nobody").catch(() => -1)) !== 0);
const notes = [];
other.on("note", (note) => notes.push(note));
other.on("disconnect", () => notes.push("disconnect"));
let what = name;
const attempt = async (event) => {
  const succeeds = await one.emitWithAck(event, other.id);
  await new Promise((done) => setTimeout(done, 500));
  console.log(`${what}, ${event}: ${succeeds ? "succeeds" : "fails"}, the other hears ${notes.splice(0).join() || "nothing"}`);
};
console.log(`${name}: the id as a room has ${await one.emitWithAck("members", other.id)} members`);
for (const event of ["io.to(id)", "socket.to(id)", "send away"].slice(0, name === "socketioxide" ? 3 : 2)) await attempt(event);
await attempt("by its id");
await other.emitWithAck("join");
what = `${name}, joined a room of its id`;
for (const event of ["io.to(id)", "socket.to(id)", "send away"]) await attempt(event);
process.exit();
JS
npm init -y >/dev/null
npm install --ignore-scripts --silent --no-audit --no-fund socket.io@4.8.4 socket.io-client@4.8.4
cargo build --quiet --target-dir target
target/debug/ids-are-no-rooms >rust.port &
servers+=($!)
node server.mjs >node.port &
servers+=($!)
until [[ -s rust.port && -s node.port ]]; do sleep 0.1; done
cat >expected <<'TEXT'
socket.io: the id as a room has 1 members
socket.io, io.to(id): succeeds, the other hears io.to(id)
socket.io, socket.to(id): succeeds, the other hears socket.to(id)
socket.io, by its id: succeeds, the other hears by its id
socket.io, joined a room of its id, io.to(id): succeeds, the other hears io.to(id)
socket.io, joined a room of its id, socket.to(id): succeeds, the other hears socket.to(id)
socket.io, joined a room of its id, send away: succeeds, the other hears disconnect
socketioxide: the id as a room has 0 members
socketioxide, io.to(id): succeeds, the other hears nothing
socketioxide, socket.to(id): succeeds, the other hears nothing
socketioxide, send away: succeeds, the other hears nothing
socketioxide, by its id: succeeds, the other hears by its id
socketioxide, joined a room of its id, io.to(id): succeeds, the other hears io.to(id)
socketioxide, joined a room of its id, socket.to(id): succeeds, the other hears socket.to(id)
socketioxide, joined a room of its id, send away: succeeds, the other hears disconnect
TEXT
{
    node client.mjs socket.io "$(<node.port)"
    node client.mjs socketioxide "$(<rust.port)"
} | tee seen
diff expected seen &&
    echo "as described: socketioxide 0.18.9, engineioxide 0.17.9, axum 0.8.9, socket.io and socket.io-client 4.8.4, Node $(node --version)"
