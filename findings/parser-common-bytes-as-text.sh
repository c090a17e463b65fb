#!/usr/bin/env bash
# socketioxide's parser (socketioxide-parser-common 0.17.3) takes a binary argument for a text whenever its bytes happen to
# be UTF-8, if the handler's type is an untagged enum of both.
#
# Expected: `#[serde(untagged)] enum { Text(String), Binary(Bytes) }`, the usual type for "a text or bytes", tells the two
# apart, since they differ on the wire: a JSON string, and a placeholder with an attachment. Seen: an attachment of bytes
# that are no UTF-8 is `Binary`; one of small numbers or of ASCII is `Text`, and so is an empty one. So a picture comes as
# `Binary` and now and then a chunk of it as `Text`. With `Binary` as the first variant every text is `Binary`: neither order
# tells the two apart.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "decoded"
version = "0.0.0"
edition = "2024"

[dependencies]
bytes = { version = "=1.12.1", features = ["serde"] }
serde = { version = "=1.0.229", features = ["derive"] }
socketioxide-core = "=0.20.0"
socketioxide-parser-common = "=0.17.3"
TOML
cat >src/main.rs <<'RUST'
use std::{collections::VecDeque, fmt::Debug};

use bytes::Bytes;
use serde::{Deserialize, de::DeserializeOwned};
use socketioxide_core::{Value, parser::Parse};
use socketioxide_parser_common::CommonParser;

#[derive(Debug, Deserialize)]
#[serde(untagged)]
#[allow(dead_code)]
enum TextFirst {
    Text(String),
    Binary(Bytes),
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
#[allow(dead_code)]
enum BinaryFirst {
    Binary(Bytes),
    Text(String),
}

fn show<T: Debug + DeserializeOwned>(what: &str, text: &'static str, attachment: Option<&'static [u8]>) {
    let attachments = attachment.map(|bytes| VecDeque::from([Bytes::from_static(bytes)]));
    match CommonParser.decode_value::<T>(&mut Value::Str(text.into(), attachments), true) {
        Ok(argument) => println!("{what}: {argument:?}"),
        Err(error) => println!("{what}: {error:?}"),
    }
}

fn main() {
    let placeholder = r#"["e",{"_placeholder":true,"num":0}]"#;
    show::<TextFirst>("text first, a text", r#"["e","abc"]"#, None);
    show::<TextFirst>("text first, bytes ff fe", placeholder, Some(&[0xff, 0xfe]));
    show::<TextFirst>("text first, bytes 01 02", placeholder, Some(&[1, 2]));
    show::<TextFirst>("text first, no bytes", placeholder, Some(&[]));
    show::<BinaryFirst>("binary first, a text", r#"["e","abc"]"#, None);
    show::<BinaryFirst>("binary first, bytes ff fe", placeholder, Some(&[0xff, 0xfe]));
    show::<BinaryFirst>("binary first, bytes 01 02", placeholder, Some(&[1, 2]));
}
RUST
cat >expected <<'TEXT'
text first, a text: Text("abc")
text first, bytes ff fe: Binary(b"\xff\xfe")
text first, bytes 01 02: Text("\u{1}\u{2}")
text first, no bytes: Text("")
binary first, a text: Binary(b"abc")
binary first, bytes ff fe: Binary(b"\xff\xfe")
binary first, bytes 01 02: Binary(b"\x01\x02")
TEXT
cargo run --quiet | tee seen
diff expected seen && echo "as described: socketioxide-parser-common 0.17.3, socketioxide-core 0.20.0, $(rustc --version | cut -d' ' -f1-2)"
