//! The benchmark of the direct path: what a data channel costs, beside raw UDP and beside what
//! JavaScript users have today, simple-peer on @roamhq/wrtc; and what two clients make of it.
//!
//! Every end runs in a process of its own (this binary started again, or Node), over loopback, and
//! does what this process orders; signals pass through here, and clients find their server here. The
//! two ends of `far` run in this process.
//! Contestants take turns inside every round, because machines are noisy: compare the ratios of one
//! run, and CPU seconds before rates. Each figure has a module, which measures it and says what its
//! goal is.

mod bulk;
mod client;
mod cycles;
mod end;
mod far;
mod idle;
mod killed;
mod opening;
mod pair;
mod paired;
mod part;
mod plan;
mod report;
mod server;
mod trips;
mod udp;

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use clap::{Parser, Subcommand};
use tokio::runtime::Builder;

use crate::part::{Role, Setup};
use crate::plan::{Figure, Plan};

/// Measures what the direct path costs, beside raw UDP and simple-peer.
#[derive(Debug, Parser)]
#[command(name = "direct-bench", args_conflicts_with_subcommands = true)]
struct Args {
    /// Fewer and shorter rounds: shows that everything works.
    #[arg(long)]
    quick: bool,
    /// Also write the report to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Measure only this; may be given several times.
    #[arg(long, value_name = "NAME")]
    only: Vec<Figure>,
    /// Leave out simple-peer, which needs Node and npm.
    #[arg(long)]
    without_node: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

/// The roles of this binary besides the benchmark.
#[derive(Debug, Subcommand)]
enum Command {
    /// One end, driven by lines of JSON: a client if there is a server.
    #[command(hide = true)]
    Part { role: Role, setup: Setup, server: Option<SocketAddr> },
}

fn main() -> Result<()> {
    ensure!(cfg!(target_os = "linux"), "the benchmark asks Linux's /proc what a process costs");
    let args = Args::parse();
    match args.command {
        Some(Command::Part { role, setup, server }) => part::be(role, setup, server),
        None => Builder::new_current_thread().enable_all().build()?.block_on(bench(args)),
    }
}

/// Measures, and reports.
async fn bench(args: Args) -> Result<()> {
    let mut plan = if args.quick { Plan::quick() } else { Plan::full() };
    if !args.only.is_empty() {
        plan.figures = args.only;
    }
    plan.with_node = !args.without_node;
    let report = plan.carry_out().await?;
    println!("{report}");
    if let Some(file) = args.json {
        let json = serde_json::to_string_pretty(&report)?;
        std::fs::write(&file, json).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}
