//! Two-process harness: starts a server and its peers as processes of their own, and talks to them.
//!
//! A peer is any program that speaks one JSON object a line: commands on its stdin, events on its
//! stdout. The example `peer` of this workspace is one; a program in another language is driven the
//! same way. Nothing here waits without a limit, and whatever was started is ended by its process
//! id: politely by [`Server::stop`] and [`Peer::quit`], by force when the value is dropped.
//!
//! ```no_run
//! use serde_json::json;
//! use socketio_p2p_harness::{Peer, Server};
//!
//! # async fn story() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Server::start().await?;
//! let mut a = Peer::start(&server, "A").await?;
//! let mut b = Peer::start(&server, "B").await?;
//!
//! a.register("B").await?;
//! b.wait_for("paired").await?;
//! let reply = a.emit2("chat", json!(["hello"])).await?;
//!
//! assert_eq!(reply.value, json!({"echo": ["hello"]}));
//! assert_eq!(b.wait_for("incoming").await?["from"], "A");
//! assert!(b.quit().await?.is_empty(), "B was told more than this story expects");
//! server.stop().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Which events a wait sees
//!
//! [`Peer::expect`] and all that builds on it take the *oldest* unread event that matches, and leave
//! the others unread, so the order in which a story asks does not matter. What nobody asked for is
//! what [`Peer::quit`] returns: the way to show that something happened once and no more, without
//! waiting for nothing to happen.
//!
//! # Where the programs are found
//!
//! `SOCKETIO_P2P_SERVER` and `SOCKETIO_P2P_PEER` name the two executables; without them the harness
//! takes `examples/server` and `examples/peer` of the build that the running test belongs to.
//! `cargo test --workspace` builds them; for a single package run `cargo build --workspace
//! --examples` first.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

pub mod bench;
mod companion;
mod error;
mod event;
pub mod fault_proxy;
mod output;
pub mod panics;
mod peer;
mod peer_builder;
mod process;
mod program;
mod requests;
mod server;
mod turn;
mod udp_weather;

pub use companion::Companion;
pub use error::{Emit2Error, RegisterError, StartError, Transcript, WaitError};
pub use event::Event;
pub use fault_proxy::FaultProxy;
pub use peer::Peer;
pub use peer_builder::PeerBuilder;
pub use process::DEFAULT_LIMIT;
pub use program::Program;
pub use requests::{Outcome, Reply};
pub use server::{HeldPort, Server, ServerBuilder};
pub use turn::TurnServer;
pub use udp_weather::{UdpCounts, UdpWeather};

#[cfg(test)]
mod scripted;
