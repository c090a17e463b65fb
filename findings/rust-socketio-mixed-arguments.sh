#!/usr/bin/env bash
# In rust_socketio 0.6.0 the handler of an event is not called if bytes and anything else are among its arguments, or if it
# has no arguments at all.
#
# Expected: `.on("photo", …)` is called for `emit("photo", "a.png", bytes)`, with both, and `.on("ready", …)` for
# `emit("ready")`. Seen: of an event with attachments the name is taken to be all that is left of its text, such as
# `photo,a.png`: no handler of "photo" is called, `on_any` gets that name, one attachment, and nothing of a second one. An
# event without arguments is taken for the event "message" whose argument is its name. Bytes alone, and any
# arguments without bytes, arrive. A JavaScript client that meets a Rust one puts bytes into an event of their own.
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
use futures_util::FutureExt;
use rust_socketio::{
    Event, Payload,
    asynchronous::{Client, ClientBuilder},
};

fn shown(payload: &Payload) -> String {
    match payload {
        Payload::Binary(bytes) => format!("{} byte(s)", bytes.len()),
        Payload::Text(values) => serde_json::to_string(values).unwrap_or_default(),
        _ => String::new(),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let url = std::env::args().nth(1).expect("a URL");
    let mut builder = ClientBuilder::new(url).on_any(|event: Event, payload: Payload, _: Client| {
        println!("on_any: {event} with {}", shown(&payload));
        async {}.boxed()
    });
    for event in ["text", "bytes", "photo", "two", "ready"] {
        builder = builder.on(event, move |payload: Payload, _: Client| {
            println!("handler of {event}: {}", shown(&payload));
            async {}.boxed()
        });
    }
    let client = builder.connect().await.expect("a connection");
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    client.disconnect().await.ok();
}
RUST
cat >run.cjs <<'JS'
const { spawn } = require("child_process");
const { createServer } = require("http");
const { Server } = require("socket.io");

const http = createServer();
new Server(http).on("connection", (socket) => {
  setTimeout(() => {
    socket.emit("text", "a.png", 7);
    socket.emit("bytes", Buffer.from([1]));
    socket.emit("photo", "a.png", Buffer.from([1]));
    socket.emit("two", Buffer.from([1]), Buffer.from([2, 2]));
    socket.emit("ready");
  }, 500);
});
http.listen(0, "127.0.0.1", () => {
  const url = `http://127.0.0.1:${http.address().port}`;
  const client = spawn(process.argv[2], [url], { stdio: ["ignore", "inherit", "ignore"] });
  client.on("exit", () => process.exit());
});
JS
cat >expected <<'TEXT'
handler of text: ["a.png",7]
on_any: text with ["a.png",7]
handler of bytes: 1 byte(s)
on_any: bytes with 1 byte(s)
on_any: photo,a.png with 1 byte(s)
on_any: two,,{_placeholder:true,num:1} with 1 byte(s)
on_any: message with ["ready"]
TEXT
cargo build --quiet
node run.cjs "${CARGO_TARGET_DIR:-target}/debug/client" | tee seen
diff expected seen && echo "as described: rust_socketio 0.6.0, socket.io 4.8.4, $(rustc --version | cut -d' ' -f1-2)"
