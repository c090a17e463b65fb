#!/usr/bin/env bash
# In socketioxide's parser (socketioxide-parser-common 0.17.3) an optional last argument is not optional, and an array of a
# fixed size is several arguments.
#
# Expected: a handler of `(String, Option<u64>)` is called for `emit("e", "a")` with `None`, as JavaScript's `undefined` would be;
# a tuple takes no notice of arguments that follow, as a type that is no tuple does; and `[1, 2]` is one argument like `vec![1, 2]`.
# Seen: an argument too few or too many for a tuple is an error, so that the handler is not called, and the page that added an
# argument hears nothing; a type that is no tuple takes the first argument and ignores the rest. `emit("e", &[1, 2])` sends two
# arguments and `&vec![1, 2]` one, a list: for serde an array is a tuple.
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
use std::fmt::Debug;

use serde::{Serialize, de::DeserializeOwned};
use socketioxide_core::{Value, parser::Parse};
use socketioxide_parser_common::CommonParser;

fn gets<T: Debug + DeserializeOwned>(what: &str, text: &'static str) {
    match CommonParser.decode_value::<T>(&mut Value::Str(text.into(), None), true) {
        Ok(argument) => println!("{what} of {text}: {argument:?}"),
        Err(_) => println!("{what} of {text}: an error"),
    }
}

fn sends(what: &str, data: &impl Serialize) {
    let Ok(Value::Str(text, _)) = CommonParser.encode_value(data, Some("e")) else {
        panic!("{what} cannot be encoded");
    };
    println!("{what}: {text}");
}

fn main() {
    gets::<(String, Option<u64>)>("(String, Option<u64>)", r#"["e","a",1]"#);
    gets::<(String, Option<u64>)>("(String, Option<u64>)", r#"["e","a",null]"#);
    gets::<(String, Option<u64>)>("(String, Option<u64>)", r#"["e","a"]"#);
    gets::<(String, Option<u64>)>("(String, Option<u64>)", r#"["e","a",1,2]"#);
    gets::<String>("String", r#"["e","a",1,2]"#);
    gets::<Option<String>>("Option<String>", r#"["e"]"#);
    sends("[1, 2]", &[1, 2]);
    sends("vec![1, 2]", &vec![1, 2]);
}
RUST
cat >expected <<'TEXT'
(String, Option<u64>) of ["e","a",1]: ("a", Some(1))
(String, Option<u64>) of ["e","a",null]: ("a", None)
(String, Option<u64>) of ["e","a"]: an error
(String, Option<u64>) of ["e","a",1,2]: an error
String of ["e","a",1,2]: "a"
Option<String> of ["e"]: an error
[1, 2]: ["e",1,2]
vec![1, 2]: ["e",[1,2]]
TEXT
cargo run --quiet | tee seen
diff expected seen && echo "as described: socketioxide-parser-common 0.17.3, socketioxide-core 0.20.0, $(rustc --version | cut -d' ' -f1-2)"
