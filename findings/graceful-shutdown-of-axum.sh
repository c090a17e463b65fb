#!/usr/bin/env bash
# The graceful shutdown of axum 0.8.9 does not wait for websockets of socketioxide 0.18.9 at all, and for a client over polling up to 25 s.
#
# Expected: `with_graceful_shutdown` lets requests that are under way finish and holds the process as long as clients are connected, or ends
# their connections. Seen: a websocket is no request any more once it is upgraded, so `serve` returns at once, and the end of
# `main` cuts websockets in the middle of what their handlers do: an answer that would take a second is never sent. The waiting
# poll of a client over polling is a request: it is held until something is to be sent, if nothing else until the next ping
# (`pingInterval`, 25 s by default; 10 s here), more than many an orchestrator waits. After `io.close().await` both end at once, and
# unanswered. What is to be finished has to be counted by the application itself.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "graceful-shutdown"
version = "0.0.0"
edition = "2024"

[dependencies]
axum = "=0.8.9"
engineioxide = "=0.17.9"
socketioxide = "=0.18.9"
tokio = { version = "1", features = ["io-std", "io-util", "macros", "net", "rt", "time"] }
TOML
cat >src/main.rs <<'RUST'
use std::{env, time::Duration};

use socketioxide::{
    SocketIo,
    extract::{AckSender, SocketRef},
};
use tokio::io::{AsyncReadExt, stdin};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let (layer, io) = SocketIo::builder().ping_interval(Duration::from_secs(10)).build_layer();
    io.ns("/", async |socket: SocketRef| {
        socket.on("question", async |answer: AckSender| {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let _ = answer.send("an answer");
        });
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap().port());
    let asked = async move {
        let _ = stdin().read_u8().await;
        if env::args().nth(1).as_deref() == Some("close") {
            io.close().await;
        }
    };
    axum::serve(listener, axum::Router::new().layer(layer)).with_graceful_shutdown(asked).await.unwrap();
}
RUST
cat >run.mjs <<'JS'
import { spawn } from "child_process";
import { io } from "socket.io-client";

setTimeout(() => { console.log("nothing in 120 s"); process.exit(1); }, 120_000);
const wait = (time) => new Promise((done) => setTimeout(done, time));
for (const how of ["no close", "close"]) {
  for (const [transport, asks] of [["websocket", false], ["websocket", true], ["polling", false], ["polling", true]]) {
    const server = spawn("target/debug/graceful-shutdown", [how], { stdio: ["pipe", "pipe", "inherit"] });
    const exited = new Promise((done) => server.on("exit", done));
    const port = await new Promise((done) => server.stdout.on("data", (text) => done(Number(text))));
    const client = io(`http://127.0.0.1:${port}`, { transports: [transport], forceNew: true, reconnection: false });
    await new Promise((done) => client.on("connect", done));
    // Past the first ping, which comes with the connection.
    await wait(500);
    const ended = new Promise((done) => client.on("disconnect", done));
    let answered = asks ? ", the question not answered" : "";
    if (asks) client.emit("question", () => (answered = ", the question answered"));
    await wait(300);
    const asked = Date.now();
    server.stdin.write(".");
    await exited;
    const held = Date.now() - asked > 3000 ? "with the next ping" : "at once";
    const reason = await ended;
    console.log(`${how === "close" ? "io.close()" : "nothing else"}, ${transport}: ${asks ? "ends" : `ends ${held}`}, ${reason}${answered}`);
    client.close();
  }
}
process.exit();
JS
npm init -y >/dev/null
npm install --ignore-scripts --silent --no-audit --no-fund socket.io-client@4.8.4
cat >expected <<'TEXT'
nothing else, websocket: ends at once, transport close
nothing else, websocket: ends, transport close, the question not answered
nothing else, polling: ends with the next ping, transport error
nothing else, polling: ends, transport error, the question answered
io.close(), websocket: ends at once, transport close
io.close(), websocket: ends, transport close, the question not answered
io.close(), polling: ends at once, transport close
io.close(), polling: ends, transport close, the question not answered
TEXT
cargo build --quiet --target-dir target
node run.mjs | tee seen
diff expected seen && echo "as described: axum 0.8.9, socketioxide 0.18.9, engineioxide 0.17.9, socket.io-client 4.8.4, Node $(node --version)"
