#!/usr/bin/env bash
# socketioxide's parser (socketioxide-parser-common 0.17.3) gives a field the bytes of another field, if the handler's type
# does not read all attachments of the event.
#
# Expected: a placeholder has a number, and the field gets the attachment of that number; fields that a type does not have are
# skipped, as serde does. Seen: the numbers are not looked at. Each field of bytes that is read takes the next attachment, so
# with `{ thumbnail, image }` on the wire a type that has only `image` gets the bytes of the thumbnail, without an error. It is
# right as long as every attachment is read in the order of the text. Who adds a second attachment to an event changes what old
# handlers read. (What helps: a type that reads all of them.)
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
#[allow(dead_code)]
struct Both {
    thumbnail: Bytes,
    image: Bytes,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
struct Image {
    image: Bytes,
}

// What a handler gets of the arguments of `emit("photo", { thumbnail: small, image: large })`.
fn show<T: Debug + DeserializeOwned>() {
    let text = r#"["photo",{"thumbnail":{"_placeholder":true,"num":0},"image":{"_placeholder":true,"num":1}}]"#;
    let attachments = VecDeque::from(["small", "large"].map(Bytes::from));
    let mut value = Value::Str(text.into(), Some(attachments));
    match CommonParser.decode_value::<T>(&mut value, true) {
        Ok(photo) => println!("{photo:?}"),
        Err(error) => println!("{error:?}"),
    }
}

fn main() {
    show::<Both>();
    show::<Image>();
}
RUST
cat >expected <<'TEXT'
Both { thumbnail: b"small", image: b"large" }
Image { image: b"small" }
TEXT
cargo run --quiet | tee seen
diff expected seen && echo "as described: socketioxide-parser-common 0.17.3, socketioxide-core 0.20.0, $(rustc --version | cut -d' ' -f1-2)"
