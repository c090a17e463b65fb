//! The simulation: clients, a server and the network between them in virtual time, all drawn from
//! one seed; after every step the [oracle] is asked whether a rule is broken.
//!
//! ```text
//! SIM_SEED=7 cargo test -p socketio-p2p-protocol --test simulation replay -- --nocapture
//! SIM_CALLS=20000000 cargo test --release -p socketio-p2p-protocol --test simulation -- --nocapture
//! ```
//!
//! The first replays one history and prints its last events, `SIM_LINES` of them (200); the second is
//! a long run.

mod application;
mod bridge;
mod client;
mod handlers;
mod history;
mod hostile;
mod legacy;
mod link;
mod node;
mod oracle;
mod plan;
#[cfg(feature = "planted-faults")]
mod planted;
mod server;
mod watch;
mod weather;
mod world;

use std::{env, time::Instant};

use history::{Totals, run_histories, run_history};
use plan::Plan;

fn number(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

/// Calls, and faults, of every run.
const CALLS: usize = 1_000_000;
const FAULTS: usize = 200_000;

#[test]
fn nothing_is_lost_nothing_twice_and_nobody_is_told_what_is_not_true() {
    let calls = number("SIM_CALLS").map_or(CALLS, |calls| calls as usize);
    let faults = calls / (CALLS / FAULTS);
    let first = number("SIM_FIRST").unwrap_or(1);
    let start = Instant::now();

    let totals = run_histories(first, Plan::new, |totals: &Totals| {
        totals.seen.calls >= calls && totals.counts.faults >= faults
    });

    println!("{totals}; in {:.1?}", start.elapsed());
    if let Some(failure) = &totals.failure {
        panic!("{failure}");
    }
    assert!(totals.seen.calls >= calls && totals.counts.faults >= faults);
    assert!(totals.seen.executed > totals.seen.calls / 2, "most calls run");
}

/// One history, with its last events if a rule is broken.
#[test]
fn replay() {
    let Some(seed) = number("SIM_SEED") else { return };
    let mut plan = Plan::new(seed);
    plan.traced = true;
    plan.lines = number("SIM_LINES").map_or(plan.lines, |lines| lines as usize);

    let (counts, outcome) = run_history(plan);

    println!("seed {seed}: {counts:?}");
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}
