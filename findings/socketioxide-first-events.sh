#!/usr/bin/env bash
# socketioxide 0.18.9 on tokio's threads loses what a client emits right when it is connected, if the connect handler is an `async` closure
# or function, as its documentation writes it.
#
# Expected: handlers that the connect handler registers before its first `await` are there when the client hears that it is connected.
# Seen: the client is told first, and the handler is started as a task of its own, on any thread. An event that comes at once, such as one
# that the page emitted while it was connecting, finds no handler, and is dropped without a word; on a
# `current_thread` runtime none was. Two ways that lose nothing: a closure that registers and then returns a future
# (`|s: SocketRef| { s.on(…); async {} }`), since that part runs before the next packet is read, or a middleware that registers.
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
name = "first-events"
version = "0.0.0"
edition = "2024"

[dependencies]
axum = "=0.8.9"
engineioxide = "=0.17.9"
socketioxide = "=0.18.9"
tokio = { version = "1", features = ["net", "rt-multi-thread"] }
TOML
cat >src/main.rs <<'RUST'
use std::{convert::Infallible, env, future::ready};

use socketioxide::{
    SocketIo,
    extract::{AckSender, SocketRef},
    handler::ConnectHandler,
};
use tokio::runtime::Builder;

fn register(socket: &SocketRef) {
    socket.on("hello", async |answer: AckSender| {
        let _ = answer.send("heard");
    });
}

async fn registers(socket: SocketRef) -> Result<(), Infallible> {
    register(&socket);
    Ok(())
}

async fn serve() {
    let (layer, io) = SocketIo::new_layer();
    io.ns("/async", async |socket: SocketRef| register(&socket));
    io.ns("/closure", |socket: SocketRef| {
        register(&socket);
        ready(())
    });
    io.ns("/middleware", (async || {}).with(registers));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap().port());
    axum::serve(listener, axum::Router::new().layer(layer)).await.unwrap();
}

fn main() {
    let mut builder = match env::args().nth(1).as_deref() {
        Some("threads") => Builder::new_multi_thread(),
        _ => Builder::new_current_thread(),
    };
    builder.worker_threads(4).enable_all().build().unwrap().block_on(serve());
}
RUST
cat >client.mjs <<'JS'
import { io } from "socket.io-client";

const [, , runtime, port, ...namespaces] = process.argv;
setTimeout(() => { console.log("nothing in 300 s"); process.exit(1); }, 300_000);

// Whether an event that is emitted while its client connects gets its answer.
async function heard(namespace) {
  const client = io(`http://127.0.0.1:${port}${namespace}`, { forceNew: true, reconnection: false, transports: ["websocket"] });
  const answered = await new Promise((done) => {
    client.emit("hello", () => done(true));
    // The answer to an event that comes later says that there is none to come for the first.
    client.on("connect", async () => {
      for (;;) {
        await new Promise((next) => setTimeout(next, 100));
        if (await client.timeout(1000).emitWithAck("hello").catch(() => false)) return done(false);
      }
    });
  });
  client.close();
  return answered;
}
for (const namespace of namespaces) {
  let lost = 0;
  let tries = 0;
  for (; tries < (namespace === "/async" && runtime === "threads" ? 3000 : 300) && !lost; tries += 1) lost += !(await heard(namespace));
  console.log(`${runtime}, ${namespace}: ${lost ? "events are lost" : "all events are heard"}`);
}
process.exit();
JS
npm init -y >/dev/null
npm install --ignore-scripts --silent --no-audit --no-fund socket.io-client@4.8.4
cargo build --quiet --target-dir target
for runtime in threads one-thread; do
    target/debug/first-events "$runtime" >"$runtime.port" &
    servers+=($!)
    until [[ -s $runtime.port ]]; do sleep 0.1; done
done
cat >expected <<'TEXT'
threads, /async: events are lost
threads, /closure: all events are heard
threads, /middleware: all events are heard
one-thread, /async: all events are heard
TEXT
{
    node client.mjs threads "$(<threads.port)" /async /closure /middleware
    node client.mjs one-thread "$(<one-thread.port)" /async
} | tee seen
diff expected seen &&
    echo "as described: socketioxide 0.18.9, engineioxide 0.17.9, axum 0.8.9, socket.io-client 4.8.4, Node $(node --version)"
