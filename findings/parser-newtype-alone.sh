#!/usr/bin/env bash
# An event whose only argument is a newtype leaves socketioxide's parsers (socketioxide-parser-common 0.17.3 and -msgpack 0.17.4) without
# its name: clients of JavaScript cannot read it, or take it for another event.
#
# Expected: for serde `struct Celsius(f64)` is its number, so that `emit("temperature", &Celsius(20.5))` is what `&20.5` is, and a handler
# of `Celsius` reads it. Seen: the parsers take a newtype for a tuple of arguments but write it without the list that holds
# them. What arrives is "invalid payload", over which a client ends its connection; a newtype of a list of texts is the event that its first
# text names. A handler of `Celsius` is not called for `emit("temperature", 20.5)`. The compiler accepts it, `emit` reports
# nothing. In a struct, a tuple or a list the same newtype is right, and so is one that is `#[serde(transparent)]`.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent socket.io-msgpack-parser@3.0.2 socket.io-parser@4.2.7
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "encoded"
version = "0.0.0"
edition = "2024"

[dependencies]
serde = { version = "=1.0.229", features = ["derive"] }
socketioxide-core = "=0.20.0"
socketioxide-parser-common = "=0.17.3"
socketioxide-parser-msgpack = "=0.17.4"
TOML
cat >src/main.rs <<'RUST'
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use socketioxide_core::{Value, packet::Packet, parser::Parse};
use socketioxide_parser_common::CommonParser;
use socketioxide_parser_msgpack::MsgPackParser;

#[derive(Deserialize, Serialize)]
struct Celsius(f64);

#[derive(Deserialize, Serialize)]
#[serde(transparent)]
struct Transparent(f64);

#[derive(Serialize)]
struct Names(Vec<&'static str>);

#[derive(Serialize)]
struct Report {
    outside: Celsius,
}

fn send(what: &str, parser: &str, encode: impl Parse, data: &impl Serialize) {
    let value = encode.encode_value(data, Some("temperature")).expect("a value");
    let bytes = match encode.encode(Packet::event("/", value)) {
        Value::Str(text, _) => text.as_bytes().to_vec(),
        Value::Bytes(bytes) => bytes.to_vec(),
    };
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    println!("{what}\t{parser}\t{hex}");
}

fn sends(what: &str, data: &impl Serialize) {
    send(what, "common", CommonParser, data);
    send(what, "msgpack", MsgPackParser, data);
}

// Whether a handler of this type is called for the event with 20.5.
fn reads<T: DeserializeOwned>(what: &str) {
    let called = |called: bool| if called { "is called" } else { "is not called" };
    let mut common = CommonParser.encode_value(&20.5, Some("temperature")).expect("a value");
    let mut msgpack = MsgPackParser.encode_value(&20.5, Some("temperature")).expect("a value");
    let common = called(CommonParser.decode_value::<T>(&mut common, true).is_ok());
    let msgpack = called(MsgPackParser.decode_value::<T>(&mut msgpack, true).is_ok());
    println!("a handler of {what}\t{common}\t{msgpack}");
}

fn main() {
    reads::<f64>("f64");
    reads::<Celsius>("Celsius");
    reads::<Transparent>("Transparent");
    sends("20.5", &20.5);
    sends("Celsius(20.5)", &Celsius(20.5));
    sends("Transparent(20.5)", &Transparent(20.5));
    sends("Names(vec![\"a\", \"b\"])", &Names(vec!["a", "b"]));
    sends("(Celsius(20.5),)", &(Celsius(20.5),));
    sends("vec![Celsius(20.5)]", &vec![Celsius(20.5)]);
    sends("Report { outside: Celsius(20.5) }", &Report { outside: Celsius(20.5) });
}
RUST
cat >decode.mjs <<'JS'
import { readFileSync } from "fs";
import msgpack from "socket.io-msgpack-parser";
import * as common from "socket.io-parser";

// What JavaScript makes of each packet.
for (const line of readFileSync("packets", "utf8").trim().split("\n")) {
  const [what, parser, hex] = line.split("\t");
  if (!{ common, msgpack }[parser]) {
    console.log(`${what}: common ${parser}, msgpack ${hex}`);
    continue;
  }
  const bytes = Buffer.from(hex, "hex");
  const decoder = new { common, msgpack }[parser].Decoder();
  let seen;
  decoder.on("decoded", ({ data }) => (seen = JSON.stringify(data)));
  try {
    decoder.add(parser === "common" ? bytes.toString() : bytes);
  } catch (error) {
    seen = error.message;
  }
  console.log(`${parser}, ${what}: ${seen}`);
}
JS
cat >expected <<'TEXT'
a handler of f64: common is called, msgpack is called
a handler of Celsius: common is not called, msgpack is not called
a handler of Transparent: common is called, msgpack is called
common, 20.5: ["temperature",20.5]
msgpack, 20.5: ["temperature",20.5]
common, Celsius(20.5): invalid payload
msgpack, Celsius(20.5): invalid payload
common, Transparent(20.5): ["temperature",20.5]
msgpack, Transparent(20.5): ["temperature",20.5]
common, Names(vec!["a", "b"]): ["a","b"]
msgpack, Names(vec!["a", "b"]): ["a","b"]
common, (Celsius(20.5),): ["temperature",20.5]
msgpack, (Celsius(20.5),): ["temperature",20.5]
common, vec![Celsius(20.5)]: ["temperature",[20.5]]
msgpack, vec![Celsius(20.5)]: ["temperature",[20.5]]
common, Report { outside: Celsius(20.5) }: ["temperature",{"outside":20.5}]
msgpack, Report { outside: Celsius(20.5) }: ["temperature",{"outside":20.5}]
TEXT
cargo run --quiet >packets
node decode.mjs | tee seen
diff expected seen &&
    echo "as described: socketioxide-core 0.20.0, $(rustc --version | cut -d' ' -f1-2), Node $(node --version)"
