#!/usr/bin/env bash
# socketioxide's parser (socketioxide-parser-common 0.17.3) sends bytes as an attachment, but the same bytes inside an
# `Option` or a newtype as an array of numbers.
#
# Expected: `Option<Bytes>` is for serde the value itself, so a field that may be missing travels as the field that may
# not; a newtype likewise. Seen: a field of `Bytes` becomes a placeholder and one attachment; `Some(bytes)`, a newtype
# struct and a newtype variant around bytes become `[1,2,3]`, without a warning: four times the size for most bytes, and
# a JavaScript client gets an array where it expects a buffer. A tuple or a list around them keeps the attachment.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "optional-bytes"
version = "0.0.0"
edition = "2024"

[dependencies]
bytes = { version = "=1.12.1", features = ["serde"] }
serde = { version = "=1.0.229", features = ["derive"] }
socketioxide-core = "=0.20.0"
socketioxide-parser-common = "=0.17.3"
TOML
cat >src/main.rs <<'RUST'
use bytes::Bytes;
use serde::Serialize;
use socketioxide_core::{Value, parser::Parse};
use socketioxide_parser_common::CommonParser;

#[derive(Serialize)]
struct Field<T> {
    data: T,
}

#[derive(Serialize)]
struct Newtype(Bytes);

#[derive(Serialize)]
enum Variant {
    Data(Bytes),
}

fn show(what: &str, data: &impl Serialize) {
    let Ok(Value::Str(text, attachments)) = CommonParser.encode_value(data, Some("e")) else {
        panic!("{what} cannot be encoded");
    };
    println!("{what}: {text} and {} attachment(s)", attachments.map_or(0, |all| all.len()));
}

fn main() {
    let bytes = || Bytes::from_static(&[1, 2, 3]);
    show("Bytes", &Field { data: bytes() });
    show("a list of Bytes", &Field { data: vec![bytes()] });
    show("Option<Bytes>", &Field { data: Some(bytes()) });
    show("a newtype of Bytes", &Field { data: Newtype(bytes()) });
    show("a variant of Bytes", &Field { data: Variant::Data(bytes()) });
}
RUST
cat >expected <<'TEXT'
Bytes: ["e",{"data":{"_placeholder":true,"num":0}}] and 1 attachment(s)
a list of Bytes: ["e",{"data":[{"_placeholder":true,"num":0}]}] and 1 attachment(s)
Option<Bytes>: ["e",{"data":[1,2,3]}] and 0 attachment(s)
a newtype of Bytes: ["e",{"data":[1,2,3]}] and 0 attachment(s)
a variant of Bytes: ["e",{"data":{"Data":[1,2,3]}}] and 0 attachment(s)
TEXT
cargo run --quiet | tee seen
diff expected seen && echo "as described: socketioxide-parser-common 0.17.3, socketioxide-core 0.20.0, $(rustc --version | cut -d' ' -f1-2)"
