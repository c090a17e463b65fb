//! The soak programs, as large as one likes: started by hand, for hours if need be.

mod programs;

use anyhow::{Result, ensure};
use clap::{Parser, Subcommand};
use programs::{Report, churn, faults, flips, hostile, memory, remote, stock};

/// Clients and servers under faults, hostile load and constant coming and going.
///
/// Each program prints a table of what was to be reached and what was measured, the machine, and
/// the command that runs it again with the same seed: the same faults and inputs in the same
/// order, though not at the same moments of the clients. It ends with status 1 if a goal was
/// missed. Without options they are as large as a long run; CI runs small ones.
#[derive(Debug, Parser)]
#[command(name = "soak", after_help = DURATIONS)]
struct Args {
    #[command(subcommand)]
    program: Program,
}

/// The durations of the programs.
const DURATIONS: &str = "\
Without options, built with --release on two cores: faults about 12 minutes, flips 4, hostile 15,
memory 8, churn 20, stock 15. Nothing else should run meanwhile: hostile compares latencies.";

#[derive(Debug, Subcommand)]
enum Program {
    /// Pairs that call each other while their connections suffer.
    Faults(faults::Settings),
    /// Pairs that call each other while their path changes.
    Flips(flips::Settings),
    /// Pairs that call each other beside hostile connections.
    Hostile(hostile::Settings),
    /// The memory that hostile clients can make the server use.
    Memory(memory::Settings),
    /// Clients that come, pair, talk and leave.
    Churn(churn::Settings),
    /// Stock clients that call each other while their connections suffer.
    Stock(stock::Settings),
    /// The return of stock clients after restarts of their server.
    Restart(stock::restart::Settings),
    /// The server of `memory` and `churn`, which start it themselves.
    #[command(hide = true)]
    Serve(remote::Orders),
    /// The hostile connections of `hostile`, which starts them itself.
    #[command(hide = true)]
    HostileClients(hostile::gang::Orders),
}

fn main() -> Result<()> {
    if let Some(report) = run(Args::parse().program)? {
        println!("{report}");
        ensure!(report.met(), "a goal was missed");
    }
    Ok(())
}

fn run(program: Program) -> Result<Option<Report>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match program {
            Program::Faults(settings) => faults::run(settings).await.map(Some),
            Program::Flips(settings) => flips::run(settings).await.map(Some),
            Program::Hostile(settings) => hostile::run(settings).await.map(Some),
            Program::Memory(settings) => memory::run(settings).await.map(Some),
            Program::Churn(settings) => churn::run(settings).await.map(Some),
            Program::Stock(settings) => stock::run(settings).await.map(Some),
            Program::Restart(settings) => stock::restart::run(settings).await.map(Some),
            Program::Serve(orders) => {
                remote::serve(orders).await?;
                Ok(None)
            }
            Program::HostileClients(orders) => {
                hostile::gang::be(orders).await?;
                Ok(None)
            }
        }
    })
}
