//! A server process, as the driver sees it: started, measured, ended.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::ValueEnum as _;
use socketio_p2p_harness::bench::{Child, usage};

use crate::link::PATIENCE;
use crate::serve::Kind;

/// A running server. Dropping it kills the process.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    /// The address at which it listens.
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts this binary once more, as a server.
    pub(crate) async fn start(kind: Kind) -> Result<Self> {
        let kind = kind.to_possible_value().context("a kind without a name")?;
        Self::ready(Child::itself(["serve", kind.get_name()])?).await
    }

    /// Waits until `child` says where it listens.
    pub(crate) async fn ready(mut child: Child) -> Result<Self> {
        let address = child.line(PATIENCE).await?.parse()?;
        Ok(Self { child, address })
    }

    /// CPU time so far, user and system, of all threads.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        usage::cpu(self.child.pid)
    }

    /// Memory in bytes.
    pub(crate) fn memory(&self) -> Result<u64> {
        usage::memory(self.child.pid)
    }

    /// Ends the process.
    pub(crate) async fn end(self) -> Result<()> {
        self.child.end().await
    }
}
