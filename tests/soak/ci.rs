//! The soak programs, as large as every CI run can afford: only counts are judged, since a busy
//! machine gives turns late. Long runs, which judge times as well, are started by hand:
//! `cargo run --release -p socketio-p2p-tests --bin soak -- --help`.

use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// Held by the running program: each takes the whole machine.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Runs a program, which prints its figures and how to replay it; an error if a goal is missed.
#[track_caller]
fn soak(arguments: &[&str]) {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let output = Command::new(env!("CARGO_BIN_EXE_soak")).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    println!("{said}");
    assert!(output.status.success(), "{arguments:?}: {}\n{said}\n{errors}", output.status);
}

#[test]
fn nothing_is_lost_or_runs_twice_while_connections_suffer() {
    soak(&["faults", "--calls", "20000", "--faults", "300"]);
}

#[test]
fn nothing_is_lost_or_runs_twice_while_the_path_changes() {
    soak(&["flips", "--flips", "200", "--counts-only"]);
}

#[test]
fn hostile_inputs_disturb_nobody() {
    soak(&["hostile", "--inputs", "30000", "--rate", "2000", "--rounds", "3", "--counts-only"]);
}

#[test]
fn hostile_clients_cannot_fill_the_memory() {
    soak(&["memory", "--seconds", "3"]);
}

#[test]
fn stock_clients_lose_nothing_while_a_connection_stands_and_all_come_back() {
    soak(&["stock", "--calls", "20000", "--faults", "60", "--rate", "4"]);
}

#[test]
fn stock_clients_are_back_after_a_planned_restart() {
    let backoff = ["--delay", "50", "--delay-max", "500"];
    soak(&[&["restart", "--rounds", "2", "--counts-only"][..], &backoff].concat());
}

#[test]
fn nothing_stays_of_clients_that_came_and_left() {
    // So few cycles do not show a slope of single bytes, but a connection that stays.
    soak(&["churn", "--cycles", "5000", "--slope", "1024"]);
}
