#!/usr/bin/env bash
# socketioxide's parser for MessagePack (socketioxide-parser-msgpack 0.17.4) refuses an event of JavaScript (socket.io-msgpack-parser
# 3.0.2) if a field that it reads is `undefined`, a date or a typed array.
#
# Expected: the two are each other's counterpart, so that `{ id: 1, note: undefined }` is what it is with the default parsers, a struct
# whose `Option` is `None`, and a `Uint8Array` is `Bytes`. Seen: JavaScript's encoder writes them as an extension of its own, which
# none of serde's usual types reads: the handler is not called, and the sender hears nothing. A `serde_json::Value` fails over one such
# field anywhere in it, though nobody wants that field; a struct that has no such field reads the rest. The default
# parsers pass all of them to the same types. `null`, an absent field and a Node `Buffer` arrive.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent socket.io-msgpack-parser@3.0.2 socket.io-parser@4.2.7
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "decoded"
version = "0.0.0"
edition = "2024"

[dependencies]
bytes = { version = "=1.12.1", features = ["serde"] }
serde = { version = "=1.0.229", features = ["derive"] }
serde_json = "=1.0.151"
socketioxide-core = "=0.20.0"
socketioxide-parser-common = "=0.17.3"
socketioxide-parser-msgpack = "=0.17.4"
TOML
cat >encode.mjs <<'JS'
import msgpack from "socket.io-msgpack-parser";
import * as common from "socket.io-parser";

// Each event as both parsers of JavaScript write it, frame by frame.
const bytes = new Uint8Array([1, 2]);
const events = {
  "absent": { id: 1 },
  "null": { id: 1, note: null },
  "undefined": { id: 1, note: undefined },
  "a date": { id: 1, note: new Date(0) },
  "a Buffer": { id: 1, note: Buffer.from(bytes) },
  "a Uint8Array": { id: 1, note: bytes },
};
for (const [parser, { Encoder }] of Object.entries({ common, msgpack })) {
  for (const [name, data] of Object.entries(events)) {
    const frames = new Encoder().encode({ type: 2, nsp: "/", data: ["e", data] });
    console.log([parser, name, ...frames.map((frame) => Buffer.from(frame).toString("hex"))].join("\t"));
  }
}
JS
cat >src/main.rs <<'RUST'
use std::io::stdin;

use bytes::Bytes;
use serde::{Deserialize, de::DeserializeOwned};
use socketioxide_core::{
    Value,
    packet::{Packet, PacketData},
    parser::{Parse, ParseConfig, ParserState},
};
use socketioxide_parser_common::CommonParser;
use socketioxide_parser_msgpack::MsgPackParser;

#[derive(Deserialize)]
struct Alone {
    #[allow(dead_code)]
    id: u32,
}

#[derive(Deserialize)]
struct Noted<T> {
    #[allow(dead_code)]
    id: u32,
    #[allow(dead_code)]
    note: T,
}

fn value(packet: Packet) -> Value {
    match packet.inner {
        PacketData::Event(value, _) | PacketData::BinaryEvent(value, _) => value,
        _ => panic!("no event"),
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex")).collect()
}

fn read<T: DeserializeOwned>(parser: &str, frames: &[&str]) -> &'static str {
    let (config, state) = (ParseConfig::default(), ParserState::default());
    let read = if parser == "msgpack" {
        let packet = MsgPackParser.decode_bin(&config, &state, bytes(frames[0]).into()).expect("a packet");
        MsgPackParser.decode_value::<T>(&mut value(packet), true).is_ok()
    } else {
        let text = String::from_utf8(bytes(frames[0])).expect("a text");
        let packet = match frames.get(1) {
            None => CommonParser.decode_str(&config, &state, text.into()).expect("a packet"),
            Some(frame) => {
                let _ = CommonParser.decode_str(&config, &state, text.into());
                CommonParser.decode_bin(&config, &state, bytes(frame).into()).expect("a packet")
            }
        };
        CommonParser.decode_value::<T>(&mut value(packet), true).is_ok()
    };
    if read { "read" } else { "an error" }
}

fn main() {
    for line in stdin().lines() {
        let line = line.expect("a line");
        let fields: Vec<&str> = line.split('\t').collect();
        let (parser, name, frames) = (fields[0], fields[1], &fields[2..]);
        let noted = match name {
            "a Buffer" | "a Uint8Array" => ("Bytes", read::<Noted<Bytes>>(parser, frames)),
            _ => ("Option<String>", read::<Noted<Option<String>>>(parser, frames)),
        };
        println!(
            "{parser}, {name}: without the field {}, with {} {}, serde_json::Value {}",
            read::<Alone>(parser, frames),
            noted.0,
            noted.1,
            read::<serde_json::Value>(parser, frames),
        );
    }
}
RUST
cat >expected <<'TEXT'
common, absent: without the field read, with Option<String> read, serde_json::Value read
common, null: without the field read, with Option<String> read, serde_json::Value read
common, undefined: without the field read, with Option<String> read, serde_json::Value read
common, a date: without the field read, with Option<String> read, serde_json::Value read
common, a Buffer: without the field read, with Bytes read, serde_json::Value an error
common, a Uint8Array: without the field read, with Bytes read, serde_json::Value an error
msgpack, absent: without the field read, with Option<String> read, serde_json::Value read
msgpack, null: without the field read, with Option<String> read, serde_json::Value read
msgpack, undefined: without the field read, with Option<String> an error, serde_json::Value an error
msgpack, a date: without the field read, with Option<String> an error, serde_json::Value an error
msgpack, a Buffer: without the field read, with Bytes read, serde_json::Value an error
msgpack, a Uint8Array: without the field read, with Bytes an error, serde_json::Value an error
TEXT
node encode.mjs >events
cargo run --quiet <events | tee seen
diff expected seen &&
    echo "as described: socketioxide-parser-msgpack 0.17.4, $(rustc --version | cut -d' ' -f1-2), Node $(node --version)"
