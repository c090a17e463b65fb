//! The soak programs, as large as one likes: started by hand, for hours if need be.

mod programs;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use programs::{Report, faults};

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
}

fn main() -> ExitCode {
    let args = Args::parse();
    match run(args.program) {
        Ok(report) => {
            println!("{report}");
            if report.met() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(program: Program) -> Result<Report> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match program {
            Program::Faults(settings) => faults::run(settings).await,
        }
    })
}
