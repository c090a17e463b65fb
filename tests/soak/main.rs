//! The soak programs, as large as one likes: started by hand, for hours if need be.

mod programs;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use programs::{Report, churn, faults, hostile, memory, remote};

/// Clients and servers under faults, hostile load and constant coming and going.
///
/// Each program prints a table of what was to be reached and what was measured, with the seed that
/// replays it, and ends with status 1 if a goal was missed.
#[derive(Debug, Parser)]
#[command(name = "soak")]
struct Args {
    #[command(subcommand)]
    program: Program,
}

#[derive(Debug, Subcommand)]
enum Program {
    /// Pairs that call each other while their connections suffer.
    Faults(faults::Settings),
    /// Pairs that call each other beside hostile connections.
    Hostile(hostile::Settings),
    /// What hostile clients can make the server remember.
    Memory(memory::Settings),
    /// Clients that come, pair, talk and leave.
    Churn(churn::Settings),
    /// The server of `memory` and `churn`, which start it themselves.
    #[command(hide = true)]
    Serve(remote::Orders),
    /// The hostile connections of `hostile`, which starts them itself.
    #[command(hide = true)]
    HostileClients(hostile::gang::Orders),
}

fn main() -> ExitCode {
    let args = Args::parse();
    match run(args.program) {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some(report)) => {
            println!("{report}");
            if report.met() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(program: Program) -> Result<Option<Report>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match program {
            Program::Faults(settings) => faults::run(settings).await.map(Some),
            Program::Hostile(settings) => hostile::run(settings).await.map(Some),
            Program::Memory(settings) => memory::run(settings).await.map(Some),
            Program::Churn(settings) => churn::run(settings).await.map(Some),
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
