#!/usr/bin/env bash
# On tokio's threads the `async` handlers of socketioxide 0.18.9 begin in another order than their events arrived in.
#
# Expected: as in socket.io, events of one client begin to be handled in their order, and only what a handler does after an `await` may
# be overtaken. Seen: each handler is a task of its own from its first line on, and threads take tasks from each other. Of numbers
# that a client sends in order and a handler only pushes to a list, some are in the list before their predecessors: of key presses, lines
# of a stroke, or `start` and `stop`, now and then two change places, more often the busier the machine is. On a `current_thread`
# runtime none did. In order on any runtime: a closure that does its work, or hands it to a queue, and then returns a future.
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
name = "overtake"
version = "0.0.0"
edition = "2024"

[dependencies]
axum = "=0.8.9"
engineioxide = "=0.17.9"
socketioxide = "=0.18.9"
tokio = { version = "1", features = ["net", "rt-multi-thread"] }
TOML
cat >src/main.rs <<'RUST'
use std::{
    env,
    future::ready,
    mem::take,
    sync::{Arc, Mutex},
};

use socketioxide::{
    SocketIo,
    extract::{AckSender, Data, SocketRef},
};
use tokio::runtime::Builder;

fn register(socket: SocketRef) {
    let list = Arc::new(Mutex::new(Vec::<u32>::new()));
    let (by_task, by_closure) = (list.clone(), list.clone());
    socket.on("task", async move |Data::<u32>(number)| by_task.lock().unwrap().push(number));
    socket.on("closure", move |Data::<u32>(number)| {
        by_closure.lock().unwrap().push(number);
        ready(())
    });
    socket.on("list", async move |Data::<usize>(length), answer: AckSender| {
        let mut list = list.lock().unwrap();
        if list.len() < length {
            let _ = answer.send(&false);
        } else {
            let _ = answer.send(&[take(&mut *list)]);
        }
    });
}

async fn serve() {
    let (layer, io) = SocketIo::new_layer();
    io.ns("/", |socket: SocketRef| ready(register(socket)));
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

const [, , runtime, port] = process.argv;
const wait = (time) => new Promise((done) => setTimeout(done, time));
setTimeout(() => { console.log("nothing in 120 s"); process.exit(1); }, 120_000);
const client = io(`http://127.0.0.1:${port}`, { transports: ["websocket"] });
await new Promise((done) => client.on("connect", done));
for (const event of ["task", "closure"]) {
  let mixed = false;
  for (let round = 0; round < 100 && !mixed; round += 1) {
    for (let number = 0; number < 1000; number += 1) client.emit(event, number);
    let list;
    while (!(list = await client.emitWithAck("list", 1000))) await wait(20);
    const numbers = list.flat();
    mixed = numbers.some((number, index) => number !== index);
    if (numbers.length !== 1000 || new Set(numbers).size !== 1000) throw new Error(`${numbers.length} numbers`);
  }
  console.log(`${runtime}, ${event === "task" ? "async handler" : "closure"}: 1000 numbers ${mixed ? "mixed" : "in order"}`);
}
process.exit();
JS
npm init -y >/dev/null
npm install --ignore-scripts --silent --no-audit --no-fund socket.io-client@4.8.4
cargo build --quiet --target-dir target
for runtime in threads one-thread; do
    target/debug/overtake "$runtime" >"$runtime.port" &
    servers+=($!)
    until [[ -s $runtime.port ]]; do sleep 0.1; done
done
cat >expected <<'TEXT'
threads, async handler: 1000 numbers mixed
threads, closure: 1000 numbers in order
one-thread, async handler: 1000 numbers in order
one-thread, closure: 1000 numbers in order
TEXT
{
    node client.mjs threads "$(<threads.port)"
    node client.mjs one-thread "$(<one-thread.port)"
} | tee seen
diff expected seen &&
    echo "as described: socketioxide 0.18.9, engineioxide 0.17.9, axum 0.8.9, socket.io-client 4.8.4, Node $(node --version)"
