//! The same relay as its JavaScript users run it: socket.io in Node.

use anyhow::Result;
use socketio_p2p_harness::bench::{Child, NpmProject};

use crate::server::Server;

/// Said in the report.
pub(crate) const NOTE: &str = "node (v1) is tests/load/node/relay.js, written by hand on \
    socket.io as socket.io-p2p-plugin relays: that package itself is not in the npm registry";

/// The program and the package it needs.
pub(crate) const PROJECT: NpmProject = NpmProject {
    name: "socketio-p2p-relay-bench-node",
    files: &[
        ("package.json", include_str!("node/package.json")),
        ("relay.js", include_str!("node/relay.js")),
    ],
    packages: &["socket.io"],
};

/// Starts the relay, once the project is installed.
pub(crate) async fn start() -> Result<Server> {
    Server::ready(Child::start(PROJECT.node("relay.js"))?).await
}
