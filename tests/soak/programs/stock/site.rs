//! The server of the stock clients, a process that is restarted.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context as _, Result};
use socketio_p2p_harness::{HeldPort, Server};

/// The example `server` at one port.
pub(super) struct Site {
    port: HeldPort,
    /// Absent only while it is restarted.
    server: Option<Server>,
    planned: u64,
    killed: u64,
    panics: Vec<String>,
}

impl Site {
    pub(super) async fn start() -> Result<Self> {
        let port = HeldPort::take()?;
        let server = Some(Server::builder().port(port.number()).start().await?);
        Ok(Self { port, server, planned: 0, killed: 0, panics: Vec::new() })
    }

    /// Returns its address, the same after each restart.
    pub(super) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port.number()).into()
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Ends the server, by SIGTERM if that is planned and else by SIGKILL, and starts it again.
    pub(super) async fn restart(&mut self, is_planned: bool) -> Result<()> {
        self.note_panics();
        let server = self.server.take().context("the server is gone")?;
        if is_planned {
            self.planned += 1;
            server.stop().await?;
        } else {
            self.killed += 1;
            server.kill().await;
        }
        self.server = Some(Server::builder().port(self.port.number()).start().await?);
        Ok(())
    }

    /// Returns the number of planned restarts and of those by SIGKILL.
    pub(super) const fn restarts(&self) -> (u64, u64) {
        (self.planned, self.killed)
    }

    /// Returns the panics that the server has logged.
    pub(super) fn panics(&mut self) -> Vec<String> {
        self.note_panics();
        std::mem::take(&mut self.panics)
    }

    /// Ends the server. Returns the counters and the gauges that it had then.
    pub(super) async fn end(self) -> Result<String> {
        let log = self.server.context("the server is gone")?.stop_and_log().await?;
        let closing = log.lines().rev().find(|line| line.contains("closing"));
        Ok(closing.context("the server does not log its end")?.to_owned())
    }

    fn note_panics(&mut self) {
        let log = self.server.as_ref().map(Server::log).unwrap_or_default();
        self.panics.extend(log.lines().filter(|line| line.contains("panicked")).map(str::to_owned));
    }
}
