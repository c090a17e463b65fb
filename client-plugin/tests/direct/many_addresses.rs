//! A host with many addresses, in a network namespace of its own.

use std::process::{Command, Stdio};

use socketio_p2p_client::direct::DirectConfig;
use tokio_util::task::TaskTracker;

use crate::Outcome;
use crate::pair;

/// Set for the process in the namespace.
const INSIDE: &str = "SOCKETIO_P2P_TEST_INSIDE";
const NAME: &str = "many_addresses::a_host_with_200_addresses_opens_a_direct_path";

#[test]
fn a_host_with_200_addresses_opens_a_direct_path() -> Outcome {
    if std::env::var_os(INSIDE).is_some() {
        return connect();
    }
    // The namespace ends with its last process.
    let add = "ip link set lo up && \
        for i in $(seq 200); do echo addr add 10.9.0.$i/32 dev lo; done | ip -batch -";
    let namespace = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--net", "sh", "-c", script, "sh"]).stdin(Stdio::null());
        command
    };
    let made = namespace(add).output();
    if !made.as_ref().is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: no network namespace can be made: {made:?}");
        return Ok(());
    }

    let test = namespace(&format!("{add} && exec \"$@\""))
        .arg(std::env::current_exe()?)
        .args(["--exact", NAME, "--nocapture"])
        .env(INSIDE, "1")
        .output()?;

    assert!(test.status.success(), "{}", String::from_utf8_lossy(&test.stderr));
    let ran = String::from_utf8_lossy(&test.stdout);
    assert!(ran.contains("1 passed"), "{ran}");
    Ok(())
}

#[tokio::main]
async fn connect() -> Outcome {
    let mut config = DirectConfig::default();
    config.mdns = false;
    let (mut a, mut b) = pair::apart(&config, &TaskTracker::new());
    pair::connect(&mut a, &mut b).await;
    Ok(())
}
