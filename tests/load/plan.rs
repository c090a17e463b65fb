//! The figures that a run measures, how long and how often.

use std::fmt;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum;
use serde::Serialize;
use socketio_p2p_harness::bench::{Environment, usage};

use crate::contestant::Contestant::{self, ByHand, Floor, Node, P2p, P2pV1, SocketIo};
use crate::load::Span;
use crate::report::{Report, Samples};
use crate::{memory, node, relay_load, rust_clients};

/// Open files that the driver needs besides one for each idle client.
const OTHER_FILES: u64 = 2_000;

/// The crates whose versions move the figures.
const CRATES: [&str; 9] = [
    "axum",
    "engineioxide",
    "hyper",
    "rust_socketio",
    "socketio-p2p-client",
    "socketio-p2p-server",
    "socketioxide",
    "tokio",
    "tungstenite",
];

/// The extent of a run, as its report states it.
#[derive(Debug, Serialize)]
pub(crate) struct Extent {
    rounds: usize,
    seconds_a_load: f64,
    idle_clients: usize,
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rounds, seconds_a_load, idle_clients } = self;
        write!(
            f,
            "{rounds} rounds, {seconds_a_load} s a load; the idle clients are {idle_clients}; \
             in brackets: times the first column"
        )
    }
}

/// One part of the benchmark.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Phase {
    /// Acknowledged emits at 1, 50 and 500 pairs, and one at a time.
    Emits,
    /// The same beside idle registered clients.
    Idle,
    /// Registered and unregistered, a second.
    Pairings,
    /// Memory an idle client.
    Memory,
    /// Rust client to Rust client.
    RustClients,
    /// Against a server in Node that relays as socket.io-p2p-plugin does.
    NodePlugin,
}

/// The figures to measure.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The phases to measure.
    pub(crate) phases: Vec<Phase>,
    /// The number of rounds.
    pub(crate) rounds: usize,
    span: Span,
    idle: usize,
    memory_at: Vec<usize>,
}

impl Plan {
    /// Returns the plan with every figure, measured long enough for comparisons.
    pub(crate) fn full() -> Self {
        Self {
            phases: Phase::value_variants().to_vec(),
            rounds: 3,
            span: Span { warm_up: Duration::from_millis(500), measured: Duration::from_secs(3) },
            idle: 10_000,
            memory_at: vec![1_000, 10_000],
        }
    }

    /// Returns the plan with every figure that needs no Node, for about a minute.
    pub(crate) fn quick() -> Self {
        let mut phases = Phase::value_variants().to_vec();
        phases.retain(|phase| *phase != Phase::NodePlugin);
        Self {
            phases,
            rounds: 1,
            span: Span {
                warm_up: Duration::from_millis(200),
                measured: Duration::from_millis(600),
            },
            idle: 2_000,
            memory_at: vec![1_000],
        }
    }

    /// Measures.
    pub(crate) async fn carry_out(mut self) -> Result<Report> {
        let files = usage::raise_open_files()?;
        let needed = self.idle as u64 + OTHER_FILES;
        ensure!(files >= needed, "only {files} open files allowed, {needed} needed: ulimit -n");
        let seconds = self.span.measured.as_secs_f64();
        let extent =
            Extent { rounds: self.rounds, seconds_a_load: seconds, idle_clients: self.idle };
        let mut environment = Environment::here(&CRATES, extent);
        let mut notes =
            vec!["the plugin counts how often, against rates that nobody reaches".to_owned()];
        if self.phases.contains(&Phase::NodePlugin) {
            match node::PROJECT.install().await {
                Ok(()) => notes.push(node::NOTE.to_owned()),
                Err(error) => {
                    self.phases.retain(|phase| *phase != Phase::NodePlugin);
                    notes.push(format!("left out node-plugin: {error:#}"));
                }
            }
        }
        let mut samples = Samples::default();
        for round in 1..=self.rounds {
            for &phase in &self.phases {
                eprintln!("round {round} of {}: {phase:?}", self.rounds);
                self.measure(phase, round, &mut samples)
                    .await
                    .with_context(|| format!("{phase:?} in round {round}"))?;
            }
        }
        environment.measured();
        Ok(Report { environment, samples, notes })
    }

    /// One phase once.
    async fn measure(&self, phase: Phase, round: usize, into: &mut Samples) -> Result<()> {
        let order = order(phase, round);
        match phase {
            Phase::Emits => relay_load::emits(&order, self.span, into).await,
            Phase::Idle => relay_load::beside_idle(&order, self.idle, self.span, into).await,
            Phase::Pairings => relay_load::pairings(&order, self.span, into).await,
            Phase::Memory => memory::clients(&order, &self.memory_at, into).await,
            Phase::RustClients => rust_clients::talk(&order, self.span, into).await,
            Phase::NodePlugin => {
                relay_load::against_node(&order, self.span, into).await?;
                relay_load::pairings(&[Node], self.span, into).await?;
                memory::clients(&[Node], &self.memory_at, into).await
            }
        }
    }
}

/// Returns the contestants of a phase, in every other round in the reverse order.
fn order(phase: Phase, round: usize) -> Vec<Contestant> {
    let mut order = match phase {
        Phase::Emits => vec![Floor, ByHand, P2p],
        Phase::Idle | Phase::RustClients => vec![Floor, P2p],
        Phase::Pairings => vec![ByHand, P2p, P2pV1],
        Phase::Memory => vec![Floor, SocketIo, P2p],
        Phase::NodePlugin => vec![Floor, P2p, P2pV1, Node],
    };
    if round.is_multiple_of(2) {
        order.reverse();
    }
    order
}
