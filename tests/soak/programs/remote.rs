//! The server with the plugin in a process of its own, so that its memory is its own.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use socketio_p2p_harness::{Companion, Program};
use socketio_p2p_server::{P2pServer, QuickAckListener, Stats};
use tokio::io::{AsyncBufReadExt as _, BufReader, stdin};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

const COUNT: &str = "count";

/// The longest time until the server has forgotten those who left.
const FORGETTING: Duration = Duration::from_secs(120);

/// The interval at which it is asked meanwhile.
const LOOK: Duration = Duration::from_millis(50);

/// The arguments of the server.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Orders {
    /// The time for which a pairing outlives a connection, in milliseconds.
    #[arg(long)]
    grace: u64,
}

/// The objects of a server.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(super) struct Objects {
    clients: usize,
    requests: usize,
    pairings: usize,
    sockets: usize,
}

impl Objects {
    fn of(stats: &Stats, sockets: usize) -> Self {
        let Stats { clients, requests, pairings, .. } = *stats;
        Self { clients, requests, pairings, sockets }
    }

    const fn total(self) -> usize {
        self.clients + self.requests + self.pairings + self.sockets
    }
}

/// The process, as the programs see it.
pub(super) struct Remote {
    companion: Companion,
    pub(super) address: SocketAddr,
    pid: u32,
}

impl Remote {
    /// A server as the plugin advises it, but for the grace.
    pub(super) async fn start(grace: Duration) -> Result<Self> {
        let program = Program::new(std::env::current_exe()?);
        let arguments = ["serve".to_owned(), format!("--grace={}", grace.as_millis())];
        let mut companion = Companion::start("server", &program, arguments)?;
        let address = companion.line().await?.parse()?;
        let pid = companion.id().context("the server has ended")?;
        Ok(Self { companion, address, pid })
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Bytes of memory that it has now (VmRSS).
    pub(super) fn memory(&self) -> Result<f64> {
        memory(self.pid, "VmRSS:")
    }

    /// The most bytes of memory that it ever had (VmHWM): no peak escapes between two looks.
    pub(super) fn peak(&self) -> Result<f64> {
        memory(self.pid, "VmHWM:")
    }

    /// Files and sockets that it has open.
    pub(super) fn files(&self) -> Result<usize> {
        Ok(fs::read_dir(format!("/proc/{}/fd", self.pid))?.count())
    }

    /// Returns the numbers of objects left, and of files open beyond `before`, when it has had the
    /// time to forget those who left.
    pub(super) async fn leftovers(&mut self, before: usize) -> Result<(usize, usize)> {
        let deadline = Instant::now() + FORGETTING;
        loop {
            let objects: Objects = serde_json::from_str(&self.companion.ask(COUNT).await?)?;
            let left = (objects.total(), self.files()?.saturating_sub(before));
            if left == (0, 0) || Instant::now() > deadline {
                return Ok(left);
            }
            sleep(LOOK).await;
        }
    }

    /// Ends it; an error if it did not end well.
    pub(super) async fn end(self) -> Result<()> {
        Ok(self.companion.end().await?)
    }
}

/// Returns a figure of a process's memory from Linux, in bytes.
pub(super) fn memory(pid: u32, what: &str) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(what));
    let kib = line.and_then(|line| line.split_whitespace().next()).context("no such line")?;
    Ok(kib.parse::<f64>()? * 1024.0)
}

/// The process itself: says where it listens, then its objects whenever it is asked.
pub(crate) async fn serve(orders: Orders) -> Result<()> {
    let (layer, io) = P2pServer::socket_io().build_layer();
    let p2p = P2pServer::builder().grace(Duration::from_millis(orders.grace)).attach(&io);
    let listener = QuickAckListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    let app = axum::Router::new().layer(layer);
    let mut serving = JoinSet::new();
    serving.spawn(async move { axum::serve(listener, app).await });

    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        if line != COUNT {
            bail!("what is {line}?");
        }
        let objects = Objects::of(&p2p.stats(), io.sockets().len());
        println!("{}", serde_json::to_string(&objects)?);
    }
    serving.shutdown().await;
    Ok(())
}
