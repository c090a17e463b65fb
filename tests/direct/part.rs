//! A part of the benchmark in a process of its own, driven by lines of JSON: an end of a bare
//! connection (`end.rs`; `node/end.js` on simple-peer) or a client (`client.rs`).
//!
//! ```text
//! in   {"of":1,"order":"open"}                              out  {"of":1,"signal":…}
//!      {"of":1,"signal":…}                                       {"of":1,"event":"open","ms":…}
//!      {"of":1,"order":"trips","count":…}                        {"of":1,"p50":…,"p99":…}, in µs
//!      {"of":1,"order":"expect","bytes":…}                       {"of":1,"ready":true}
//!      {"of":1,"order":"bulk","bytes":…,"chunk":…}               {"of":1,"seconds":…}
//!      {"of":1,"order":"close"}                                  {"of":1,"event":"closed"}
//!      {"order":"udp"}                                           {"udp":"127.0.0.1:…"}
//!      {"order":"udp-trips","to":…,"count":…}                    {"p50":…,"p99":…}
//!      {"order":"look"}                                          {"tasks":…,"files":…}
//! only of a bare end:                                            {"of":1,"event":"silent"}
//! only of a client:                                              {"event":"connected"}
//!                                                                {"of":1,"event":"away"}
//!                                                                {"of":1,"event":"left"}
//! ```

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum;
use serde::Deserialize;
use serde_json::{Value, json};
use socketio_p2p_client::direct::DirectConfig;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines, Stdin};
use tokio_util::task::TaskTracker;

use crate::{client, end};

/// Bytes of a message that is sent back.
pub(crate) const SMALL: usize = 64;

/// The role of an end. A client that is the offerer registers.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Role {
    Offerer,
    Answerer,
}

/// The runtime and the kind of an end.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, ValueEnum)]
pub(crate) enum Setup {
    /// A runtime of one thread.
    OneThread,
    /// A runtime with a thread a core.
    Threads,
}

/// A direct connection over loopback.
pub(crate) fn config() -> DirectConfig {
    let mut config = DirectConfig::default();
    config.bind = vec![(Ipv4Addr::LOCALHOST, 0).into()];
    config.mdns = false;
    config
}

/// A line that comes in.
#[derive(Debug, Deserialize)]
pub(crate) struct Line {
    #[serde(default)]
    pub(crate) of: u32,
    pub(crate) signal: Option<Value>,
    #[serde(flatten)]
    pub(crate) order: Option<Order>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "order", rename_all = "kebab-case")]
pub(crate) enum Order {
    Open,
    Close,
    Trips { count: usize },
    Expect { bytes: usize },
    Bulk { bytes: usize, chunk: usize },
    Udp,
    UdpTrips { to: SocketAddr, count: usize },
    Look,
}

/// Runs until stdin ends: a client at `server`, or a bare end without one.
pub(crate) fn be(role: Role, setup: Setup, server: Option<SocketAddr>) -> Result<()> {
    let mut runtime = match setup {
        Setup::OneThread => tokio::runtime::Builder::new_current_thread(),
        Setup::Threads => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = runtime.enable_all().build()?;
    let part = async move {
        let orders = Orders(BufReader::new(tokio::io::stdin()).lines());
        match server {
            Some(server) => client::obey(role, server, orders).await,
            None => end::obey(role, orders).await,
        }
    };
    // As a task, like a client's own: the thread that waits for it is not one of the runtime's.
    runtime.block_on(async move { TaskTracker::new().spawn(part).await })?
}

/// The commands that arrive on stdin.
pub(crate) struct Orders(Lines<BufReader<Stdin>>);

impl Orders {
    /// The next line, until stdin ends. Cancel safe.
    pub(crate) async fn next(&mut self) -> Result<Option<Line>> {
        let Some(line) = self.0.next_line().await? else {
            return Ok(None);
        };
        Ok(Some(serde_json::from_str(&line).with_context(|| line.clone())?))
    }
}

/// Says a line.
pub(crate) fn say(what: &Value) {
    println!("{what}");
}

/// Says what became of an order for connection `of`.
pub(crate) fn tell(of: u32, outcome: Result<Value>) {
    match outcome {
        Ok(mut answer) => {
            answer["of"] = of.into();
            say(&answer);
        }
        Err(error) => {
            say(&json!({ "of": of, "event": "error", "message": format!("{error:#}") }));
        }
    }
}

/// Returns the reported percentiles of round trips, in µs.
pub(crate) fn percentiles(mut trips: Vec<Duration>) -> Result<Value> {
    ensure!(!trips.is_empty(), "nothing was measured");
    trips.sort_unstable();
    let at = |share: usize| trips[(trips.len() * share / 100).min(trips.len() - 1)];
    Ok(json!({ "p50": at(50).as_secs_f64() * 1e6, "p99": at(99).as_secs_f64() * 1e6 }))
}
