//! The same relay as its JavaScript users run it: socket.io in Node.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::process::Command;
use tokio::time::timeout;

use crate::child::Child;
use crate::server::Server;

/// Said in the report.
pub(crate) const NOTE: &str = "node (v1) is tests/load/node/relay.js, written by hand on \
    socket.io as socket.io-p2p-plugin relays: that package itself is not in the npm registry";

/// The program and the package it needs, compiled in so that the binary can be moved.
const FILES: [(&str, &str); 2] = [
    ("package.json", include_str!("node/package.json")),
    ("relay.js", include_str!("node/relay.js")),
];

/// How long npm may take.
const INSTALL: Duration = Duration::from_secs(180);

/// Installs the package into a temporary npm project.
///
/// # Errors
///
/// If there is no npm, or it cannot reach its registry.
pub(crate) async fn install() -> Result<()> {
    let project = project();
    std::fs::create_dir_all(&project)?;
    for (name, content) in FILES {
        std::fs::write(project.join(name), content)?;
    }
    if project.join("node_modules/socket.io").is_dir() {
        return Ok(());
    }
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(&project);
    npm.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let status = timeout(INSTALL, npm.status()).await.context("npm takes too long")?;
    ensure!(status.context("no npm")?.success(), "npm cannot install socket.io");
    Ok(())
}

/// Starts the relay; [`install`] must have succeeded.
pub(crate) async fn start() -> Result<Server> {
    let mut node = Command::new("node");
    node.arg(project().join("relay.js")).env("NODE_ENV", "production");
    Server::ready(Child::start(node)?).await
}

fn project() -> PathBuf {
    Path::new(&std::env::temp_dir()).join("socketio-p2p-relay-bench-node")
}
