//! Stock clients against our server: socket.io-client 1.7 to 4.8 and python-socketio, unchanged,
//! over websocket and polling, speaking v1 with each other and with a Rust peer.
//!
//! They are processes, driven by the harness through `v1-peer.mjs` and `python-peer.py`. WebRTC stacks and
//! simple-peer against our data channel: see `partners` and `direct`. Node, `npm ci` in this folder, the packages of
//! `python-requirements.txt` and Debian's Chromium and Firefox are needed; without them these tests fail, they are
//! not skipped.

mod bare;
mod binary;
mod browser;
mod bursts;
mod busy;
mod direct;
mod emits;
mod examples;
mod field;
mod identity;
mod last_words;
mod leaving;
mod mixed;
mod mixed_values;
mod networks;
mod order;
mod pages;
mod pairing;
mod partners;
mod python;
mod reference;
mod refusals;
mod restart;
mod retries;
mod simple_peer;
mod stacks;
mod stock;

/// The result of a story: the first step that failed, with the output of the processes.
type Failed = Box<dyn std::error::Error>;
type Story = Result<(), Failed>;
