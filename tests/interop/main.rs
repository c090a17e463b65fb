//! Stock JavaScript clients against our server: socket.io-client 2.5 and 4.x, unchanged, over
//! websocket and polling, speaking v1 with each other and with a Rust peer.
//!
//! They are processes, driven by the harness through `v1-peer.mjs`. Node and `npm ci` in this folder
//! are needed; without them these tests fail, they are not skipped.

mod binary;
mod emits;
mod identity;
mod leaving;
mod mixed;
mod mixed_values;
mod order;
mod pairing;
mod refusals;
mod simple_peer;
mod stock;

/// What a story returns: the first step that failed, with what the processes had said.
type Story = Result<(), Box<dyn std::error::Error>>;
