//! Many runs of the simulator, see [`sim`]: no rule may be broken.
//!
//! ```text
//! SIM_SEED=7 cargo test -p socketio-p2p-protocol --test simulation replay -- --exact --nocapture
//! SIM_CALLS=20000000 cargo test -p socketio-p2p-protocol --test simulation nothing -- --nocapture
//! ```
//!
//! The first command, which each failure prints, repeats one run and prints its last `SIM_LINES` events
//! (default: 200). The second is a long run. `SIM_FIRST` sets the first seed.

mod applications;
#[cfg(feature = "planted-faults")]
mod planted;
mod transcripts;

use std::{env, time::Instant};

use socketio_p2p_protocol::sim::{self, Counts, LINES, Lived, Plan, Trace, run_many};

/// The minimum of calls and faults, with clients and a server.
const CALLS: usize = 1_000_000;
const FAULTS: usize = 200_000;

/// The minimum of calls and faults, with two sessions on two paths.
const PATH_CALLS: usize = 200_000;
const PATH_FAULTS: usize = 20_000;

/// The minimum of calls and faults, with a room of ten.
const ROOM_CALLS: usize = 200_000;
const ROOM_FAULTS: usize = 2_000;

fn number(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

/// Runs seeds until there were `calls` and `faults`, both scaled by `SIM_CALLS`.
fn assert_sound(
    what: &str,
    live: impl Fn(u64, Trace) -> Lived + Sync,
    calls: usize,
    faults: usize,
) {
    let times = number("SIM_CALLS").map_or(1.0, |asked| asked as f64 / CALLS as f64);
    let (calls, faults) = ((calls as f64 * times) as usize, (faults as f64 * times) as usize);
    let start = Instant::now();

    let totals = run_many(number("SIM_FIRST").unwrap_or(1), live, |totals| {
        totals.seen.calls >= calls && totals.counts.faults >= faults
    });

    println!("{what}: {totals}; in {:.1?}", start.elapsed());
    if let Some(failure) = &totals.failure {
        panic!("{failure}");
    }
    assert!(totals.seen.calls >= calls && totals.counts.faults >= faults);
    assert!(totals.seen.executed > totals.seen.calls / 2, "most calls run");
}

fn run_with_slow_consents(seed: u64, trace: Trace) -> Lived {
    sim::run_plan(Plan { restarts: 0.3, slow_consents: 0.9, ..Plan::new(seed) }, trace)
}

#[test]
fn nothing_is_lost_nothing_twice_and_nobody_is_told_what_is_not_true() {
    assert_sound("clients and a server", sim::run, CALLS, FAULTS);
}

#[test]
fn nothing_is_lost_nothing_twice_while_sessions_change_paths() {
    assert_sound("sessions with two paths", sim::run_two_paths, PATH_CALLS, PATH_FAULTS);
}

#[test]
fn a_consent_decided_slowly_is_not_applied_to_another_request_of_a_server_that_was_restarted() {
    let first = number("SIM_SEED").unwrap_or(1);
    let lines = number("SIM_LINES").unwrap_or_default() as usize;
    for seed in first..first + 60 {
        let (_, outcome) = run_with_slow_consents(seed, Trace::of(lines));

        outcome.unwrap_or_else(|failure| panic!("{failure}"));
    }
}

fn run_with_watches(seed: u64, trace: Trace) -> Lived {
    sim::run_plan(Plan::new(seed).with_watches(), trace)
}

#[test]
fn a_client_that_watches_a_target_is_told_its_true_state_last() {
    let first = number("SIM_SEED").unwrap_or(1);
    let lines = number("SIM_LINES").unwrap_or_default() as usize;
    let mut watched = 0;
    for seed in first..first + 60 {
        let (counts, outcome) = run_with_watches(seed, Trace::of(lines));

        outcome.unwrap_or_else(|failure| panic!("{failure}"));
        watched += counts.watched;
    }
    assert!(watched > 60 * 100, "{watched} states were told");
}

fn run_with_lines(seed: u64, trace: Trace) -> Lived {
    sim::run_plan(Plan::new(seed).with_lines(), trace)
}

#[test]
fn whoever_waits_in_line_is_answered_and_nobody_is_paired_twice() {
    let first = number("SIM_SEED").unwrap_or(1);
    let lines = number("SIM_LINES").unwrap_or_default() as usize;
    let mut places = 0;
    for seed in first..first + 100 {
        let (counts, outcome) = run_with_lines(seed, Trace::of(lines));

        outcome.unwrap_or_else(|failure| panic!("{failure}"));
        places += counts.places;
    }
    assert!(places > 1_000, "{places} places were told");
}

#[test]
fn nothing_is_lost_nothing_twice_in_a_room_of_ten() {
    assert_sound("a room of ten", sim::run_rooms, ROOM_CALLS, ROOM_FAULTS);
}

#[test]
fn the_same_seed_is_the_same_history() {
    for live in [sim::run, sim::run_two_paths, sim::run_rooms] {
        for seed in 1..=8 {
            let [(one, seen), (other, again)] = [(); 2].map(|()| live(seed, Trace::default()));

            assert_eq!(one, other);
            assert_eq!(seen.unwrap(), again.unwrap());
        }
    }
}

/// Repeats one run of clients and a server, and prints its last events if a rule is broken.
#[test]
fn replay() {
    show(sim::run);
}

/// Repeats one run of two sessions with two paths.
#[test]
fn replay_paths() {
    show(sim::run_two_paths);
}

/// Repeats one run of a room.
#[test]
fn replay_rooms() {
    show(sim::run_rooms);
}

fn show(live: impl Fn(u64, Trace) -> Lived) {
    let Some(seed) = number("SIM_SEED") else { return };
    let lines = number("SIM_LINES").map_or(LINES, |lines| lines as usize);

    let (counts, outcome): (Counts, _) = live(seed, Trace::of(lines));

    println!("seed {seed}: {counts:?}");
    match outcome {
        Ok(seen) => println!("no rule is broken: {seen:?}"),
        Err(failure) => panic!("{failure}"),
    }
}
