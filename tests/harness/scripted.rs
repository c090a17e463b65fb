//! The harness against peers and servers that are a few lines of shell.

mod calls;
mod companion;
mod ending;
mod waiting;

use std::time::Duration;

use crate::{Peer, PeerBuilder, Program, Server, ServerBuilder};

/// The limit of waits that are meant to fail. A process is started with the usual limit, and gets
/// this one afterwards.
const SHORT: Duration = Duration::from_millis(200);

/// A peer whose whole program is `script`; `$0` is `peer`, the arguments are those of the harness.
fn peer(script: &str) -> PeerBuilder {
    Peer::builder("http://127.0.0.1:1", "A").program(shell(script, "peer"))
}

fn server(script: &str) -> ServerBuilder {
    Server::builder().program(shell(script, "server"))
}

fn shell(script: &str, name: &str) -> Program {
    Program::new("/bin/sh").arg("-c").arg(script).arg(name)
}

/// Returns whether a process of this id still runs, by asking the operating system.
fn runs(id: u32) -> bool {
    let id = nix::unistd::Pid::from_raw(i32::try_from(id).unwrap());
    nix::sys::signal::kill(id, None).is_ok()
}

/// Ends a process that is no child of this one.
fn end(id: u32) {
    let id = nix::unistd::Pid::from_raw(i32::try_from(id).unwrap());
    nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGKILL).unwrap();
}
