//! The simulation: clients, a server and the network between them in virtual time, all drawn from
//! one seed; after every step the [oracle] is asked whether a rule is broken. A second one is of two
//! sessions with two [paths] between them.
//!
//! ```text
//! SIM_SEED=7 cargo test -p socketio-p2p-protocol --test simulation replay -- --exact --nocapture
//! SIM_CALLS=20000000 cargo test -p socketio-p2p-protocol --test simulation nothing -- --nocapture
//! ```
//!
//! The first, which every failure prints, replays one history and its last events, `SIM_LINES` of them
//! (200 unless told otherwise). The second is a long run. `SIM_FIRST` is the seed to begin with.

mod application;
mod bridge;
mod client;
mod handlers;
mod history;
mod hostile;
mod legacy;
mod link;
mod network;
mod node;
mod oracle;
mod paths;
mod plan;
#[cfg(feature = "planted-faults")]
mod planted;
mod report;
mod server;
mod watch;
mod weather;
mod world;

use std::{env, time::Instant};

use plan::Plan;
use report::{Counts, Lived, Trace, live_many, observe};

/// Calls, and faults, of every run.
const CALLS: usize = 1_000_000;
const FAULTS: usize = 200_000;

/// And of those on two paths.
const PATH_CALLS: usize = 200_000;
const PATH_FAULTS: usize = 20_000;

fn number(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

fn live(seed: u64, trace: Trace) -> Lived {
    observe(seed, "replay", || history::live_through(Plan::new(seed), trace))
}

fn live_on_two_paths(seed: u64, trace: Trace) -> Lived {
    observe(seed, "replay_paths", || paths::live_through(seed, trace))
}

/// Enough histories for so many calls and faults, or as many times more as are asked for.
fn assert_sound(
    what: &str,
    live: impl Fn(u64, Trace) -> Lived + Sync,
    calls: usize,
    faults: usize,
) {
    let times = number("SIM_CALLS").map_or(1.0, |asked| asked as f64 / CALLS as f64);
    let (calls, faults) = ((calls as f64 * times) as usize, (faults as f64 * times) as usize);
    let start = Instant::now();

    let totals = live_many(number("SIM_FIRST").unwrap_or(1), live, |totals| {
        totals.seen.calls >= calls && totals.counts.faults >= faults
    });

    println!("{what}: {totals}; in {:.1?}", start.elapsed());
    if let Some(failure) = &totals.failure {
        panic!("{failure}");
    }
    assert!(totals.seen.calls >= calls && totals.counts.faults >= faults);
    assert!(totals.seen.executed > totals.seen.calls / 2, "most calls run");
}

#[test]
fn nothing_is_lost_nothing_twice_and_nobody_is_told_what_is_not_true() {
    assert_sound("clients and a server", live, CALLS, FAULTS);
}

#[test]
fn nothing_is_lost_nothing_twice_while_sessions_change_paths() {
    assert_sound("sessions with two paths", live_on_two_paths, PATH_CALLS, PATH_FAULTS);
}

#[test]
fn the_same_seed_is_the_same_history() {
    for live in [live, live_on_two_paths] {
        for seed in 1..=8 {
            let [(one, seen), (other, again)] = [(); 2].map(|()| live(seed, Trace::default()));

            assert_eq!(one, other);
            assert_eq!(seen.unwrap(), again.unwrap());
        }
    }
}

/// One history of clients and a server, with its last events if a rule is broken.
#[test]
fn replay() {
    show(live);
}

/// One of sessions with two paths.
#[test]
fn replay_paths() {
    show(live_on_two_paths);
}

fn show(live: impl Fn(u64, Trace) -> Lived) {
    let Some(seed) = number("SIM_SEED") else { return };
    let lines = number("SIM_LINES").map_or(report::LINES, |lines| lines as usize);

    let (counts, outcome): (Counts, _) = live(seed, Trace::of(lines));

    println!("seed {seed}: {counts:?}");
    match outcome {
        Ok(seen) => println!("no rule is broken: {seen:?}"),
        Err(failure) => panic!("{failure}"),
    }
}
