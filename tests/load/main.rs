//! The relay benchmark: what a message costs the server, beside the least that it could cost.
//!
//! Every server runs in a process of its own (this binary, started again), and so do the clients
//! of the last phase. All others are driven from here over bare websockets with packets formatted
//! in advance. Servers take turns inside every round, because machines are noisy: compare the
//! ratios of one run, and CPU seconds before rates.

mod by_hand;
mod contestant;
mod driver;
mod floor;
mod goals;
mod link;
mod load;
mod memory;
mod node;
mod plan;
mod relay_load;
mod report;
mod rust_clients;
mod serve;
mod server;
mod wire;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::{Parser, Subcommand};
use tokio::runtime::Builder;

use crate::contestant::Contestant;
use crate::driver::Shape;
use crate::load::Span;
use crate::plan::{Phase, Plan};

/// Measures what the relay costs, beside a bare axum websocket relay.
#[derive(Debug, Parser)]
#[command(name = "relay-bench", args_conflicts_with_subcommands = true)]
struct Args {
    /// One short round with fewer clients: shows that everything works, about a minute.
    #[arg(long)]
    quick: bool,
    /// Also write the report to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Measure only this; may be given several times.
    #[arg(long, value_name = "NAME")]
    only: Vec<Phase>,
    /// Rounds whose median counts [default: 3, with --quick 1].
    #[arg(long)]
    rounds: Option<usize>,
    #[command(subcommand)]
    part: Option<Part>,
}

/// The roles of this binary besides the benchmark, each in a process of its own.
#[derive(Debug, Subcommand)]
enum Part {
    /// A server under test; it says where it listens and ends with its stdin. For a profiler.
    Serve { kind: serve::Kind },
    /// One load on a server that runs already.
    Load {
        /// The contestant that listens there.
        contestant: Contestant,
        /// The address of the server.
        server: SocketAddr,
        /// Pairs that talk at the same time.
        #[arg(long, default_value_t = 1)]
        pairs: usize,
        /// Unanswered emits of each pair.
        #[arg(long, default_value_t = 64)]
        in_flight: usize,
        /// Many messages in one write.
        #[arg(long)]
        gathered: bool,
        /// The duration in seconds.
        #[arg(long, default_value_t = 10.0)]
        seconds: f64,
    },
    /// One end of two Rust clients.
    #[command(hide = true)]
    End { end: rust_clients::End, server: SocketAddr, warm_up: f64, measured: f64 },
}

fn main() -> Result<()> {
    ensure!(cfg!(target_os = "linux"), "the benchmark asks Linux's /proc what a process costs");
    let args = Args::parse();
    // What is measured runs as its users run it; the driver takes one core at most.
    let parallel = || Builder::new_multi_thread().enable_all().build();
    let sequential = || Builder::new_current_thread().enable_all().build();
    match args.part {
        Some(Part::Serve { kind }) => parallel()?.block_on(serve::serve(kind)),
        Some(Part::End { end, server, warm_up, measured }) => {
            let span = Span {
                warm_up: Duration::try_from_secs_f64(warm_up)?,
                measured: Duration::try_from_secs_f64(measured)?,
            };
            parallel()?.block_on(rust_clients::be(end, server, span))
        }
        Some(Part::Load { contestant, server, pairs, in_flight, gathered, seconds }) => {
            let shape = Shape { pairs, in_flight, gathered };
            let span =
                Span { warm_up: Duration::ZERO, measured: Duration::try_from_secs_f64(seconds)? };
            sequential()?.block_on(relay_load::one(contestant, server, shape, span))
        }
        None => sequential()?.block_on(bench(args)),
    }
}

/// Measures, and reports.
async fn bench(args: Args) -> Result<()> {
    let mut plan = if args.quick { Plan::quick() } else { Plan::full() };
    if !args.only.is_empty() {
        plan.phases = args.only;
    }
    plan.rounds = args.rounds.unwrap_or(plan.rounds);
    let report = plan.carry_out().await?;
    println!("{}", report.text());
    if let Some(file) = args.json {
        let json = report.json()?;
        std::fs::write(&file, json).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}
