#!/usr/bin/env bash
# rust_socketio 0.6.0 calls nobody when an acknowledgement does not come in time.
#
# Expected: the callback of `emit_with_ack(event, data, limit, callback)` is called with an error when the limit is over, or
# the future fails, as with socket.io-client's `timeout`. Seen: the future is ready with `Ok` as soon as the event is
# written, and the callback is called for an answer within the limit only. A late answer is dropped, a missing one is
# silence: a program that waits for the callback waits for ever. So the caller needs a clock of its own beside the limit.
#
# Builds rust_socketio, which needs OpenSSL's headers; CARGO_TARGET_DIR keeps the build for the next run.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent socket.io@4.8.4
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "client"
version = "0.0.0"
edition = "2024"

[dependencies]
futures-util = "0.3"
rust_socketio = { version = "=0.6.0", features = ["async"] }
serde_json = "1"
tokio = { version = "1", features = ["macros", "rt", "time"] }

[profile.dev]
debug = false
TOML
cat >src/main.rs <<'RUST'
use std::time::Duration;

use futures_util::FutureExt;
use rust_socketio::{
    Payload,
    asynchronous::{Client, ClientBuilder},
};
use serde_json::json;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let url = std::env::args().nth(1).expect("a URL");
    let client = ClientBuilder::new(url).connect().await.expect("a connection");
    tokio::time::sleep(Duration::from_millis(500)).await;
    for (wait, limit) in [(100, 2000), (1500, 300), (0, 300)] {
        let what = if wait == 0 { "no answer".to_owned() } else { format!("an answer after {wait} ms") };
        let told = format!("{what}, limit {limit} ms: the callback is called");
        let callback = move |_: Payload, _: Client| {
            println!("{told}");
            async {}.boxed()
        };
        let sent = client.emit_with_ack("ask", json!(wait), Duration::from_millis(limit), callback).await;
        println!("{what}, limit {limit} ms: {sent:?}");
    }
    tokio::time::sleep(Duration::from_secs(4)).await;
    println!("nothing more within 4 s");
    client.disconnect().await.ok();
}
RUST
cat >run.cjs <<'JS'
const { spawn } = require("child_process");
const { createServer } = require("http");
const { Server } = require("socket.io");

const http = createServer();
new Server(http).on("connection", (socket) => {
  socket.on("ask", (wait, answer) => wait && setTimeout(answer, wait));
});
http.listen(0, "127.0.0.1", () => {
  const url = `http://127.0.0.1:${http.address().port}`;
  const client = spawn(process.argv[2], [url], { stdio: ["ignore", "inherit", "ignore"] });
  client.on("exit", () => process.exit());
});
JS
cat >expected <<'TEXT'
an answer after 100 ms, limit 2000 ms: Ok(())
an answer after 1500 ms, limit 300 ms: Ok(())
no answer, limit 300 ms: Ok(())
an answer after 100 ms, limit 2000 ms: the callback is called
nothing more within 4 s
TEXT
cargo build --quiet
node run.cjs "${CARGO_TARGET_DIR:-target}/debug/client" | tee seen
diff expected seen && echo "as described: rust_socketio 0.6.0, socket.io 4.8.4, $(rustc --version | cut -d' ' -f1-2)"
