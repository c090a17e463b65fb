#!/usr/bin/env bash
# rust_socketio 0.6.0 emits a text that happens to be JSON as the value that it spells: "42" arrives as a number.
#
# Expected: `emit("chat", "42")` with a `&str` is what `json!("42")` is, the text 42. Seen: a `&str` or `String` is tried as
# JSON first and sent as what it spells; only what is no JSON is sent as a text. So of chat messages or ids "42", "true",
# "null", "1e3" and "[1]" arrive as other types, and `"quoted"` without its marks, while all others are right. A payload of
# `json!(text)` keeps every text.
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
use rust_socketio::asynchronous::ClientBuilder;
use serde_json::json;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let url = std::env::args().nth(1).expect("a URL");
    let client = ClientBuilder::new(url).connect().await.expect("a connection");
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    for text in ["hello", "42", "1e3", "true", "null", "[1]", "\"quoted\"", "4 2"] {
        client.emit("text", text).await.expect("a connection");
        client.emit("json", json!(text)).await.expect("a connection");
    }
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    client.disconnect().await.ok();
}
RUST
cat >run.cjs <<'JS'
const { spawn } = require("child_process");
const { createServer } = require("http");
const { Server } = require("socket.io");

const http = createServer();
new Server(http).on("connection", (socket) => {
  let text;
  socket.on("text", (value) => (text = value));
  socket.on("json", (value) => {
    console.log(`${value} as &str: ${JSON.stringify(text)}, as json!: ${JSON.stringify(value)}`);
  });
});
http.listen(0, "127.0.0.1", () => {
  const client = spawn(process.argv[2], [`http://127.0.0.1:${http.address().port}`], { stdio: "ignore" });
  client.on("exit", () => process.exit());
});
JS
cat >expected <<'TEXT'
hello as &str: "hello", as json!: "hello"
42 as &str: 42, as json!: "42"
1e3 as &str: 1000, as json!: "1e3"
true as &str: true, as json!: "true"
null as &str: null, as json!: "null"
[1] as &str: [1], as json!: "[1]"
"quoted" as &str: "quoted", as json!: "\"quoted\""
4 2 as &str: "4 2", as json!: "4 2"
TEXT
cargo build --quiet
node run.cjs "${CARGO_TARGET_DIR:-target}/debug/client" | tee seen
diff expected seen && echo "as described: rust_socketio 0.6.0, socket.io 4.8.4, $(rustc --version | cut -d' ' -f1-2)"
