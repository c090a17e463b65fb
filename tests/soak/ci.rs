//! The soak programs, as large as every CI run can afford. `cargo run -p socketio-p2p-tests --bin
//! soak -- --help` says how to start long ones.

mod programs;

use std::sync::Mutex;

use anyhow::Result;
use programs::{Report, churn, faults, fresh_seed, hostile, memory};
use tokio::runtime::Builder;

/// They measure, so they run one after another.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// The seed of the environment, to replay a run; else a fresh one.
fn seed() -> u64 {
    let given = std::env::var("SOAK_SEED").ok();
    given.and_then(|seed| seed.parse().ok()).unwrap_or_else(fresh_seed)
}

fn run(program: impl Future<Output = Result<Report>>) {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let runtime = Builder::new_multi_thread().enable_all().build().unwrap();
    let report = runtime.block_on(program).unwrap();
    println!("{report}");
    assert!(report.met(), "{report}");
}

#[test]
fn nothing_is_lost_or_runs_twice_while_connections_suffer() {
    run(faults::run(faults::Settings {
        seed: seed(),
        pairs: 32,
        calls: 20_000,
        faults: 300,
        rate: 7.0,
        largest: 300 * 1024,
    }));
}

#[test]
fn hostile_inputs_disturb_nobody() {
    let (inputs, rate, rounds) = (30_000, 1_500.0, 5);
    run(hostile::run(hostile::Settings { seed: seed(), inputs, rate, rounds }));
}

#[test]
fn hostile_clients_cannot_fill_the_memory() {
    run(memory::run(memory::Settings { seed: seed(), seconds: 5.0, only: Vec::new() }));
}

#[test]
fn nothing_stays_of_clients_that_came_and_left() {
    // So few cycles do not show a slope of single bytes, but a connection that stays.
    run(churn::run(churn::Settings { cycles: 5_000, slope: 1_024.0 }));
}
