//! The hostile clients, in a process of their own: they are told whom to harm, when to attack and
//! when to pause, and say what they did.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use fastrand::Rng;
use serde::{Deserialize, Serialize};
use socketio_p2p_harness::{Companion, Program};
use tokio::io::{AsyncBufReadExt as _, BufReader, stdin};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::input::Knowledge;
use super::villain::Villain;

const ATTACK: &str = "attack";
const PAUSE: &str = "pause";
const COUNT: &str = "count";

/// The arguments of the process.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Orders {
    /// The address of the server.
    #[arg(long)]
    pub(super) server: SocketAddr,
    /// The seed of the inputs.
    #[arg(long)]
    pub(super) seed: u64,
    /// Hostile connections.
    #[arg(long)]
    pub(super) clients: usize,
    /// Inputs a second, of all of them together.
    #[arg(long)]
    pub(super) rate: f64,
}

/// The totals of all hostile clients.
#[derive(Debug, Default)]
pub(super) struct Deeds {
    pub(super) inputs: AtomicU64,
    pub(super) connections: AtomicU64,
    /// Connections that the server ended.
    pub(super) ended: AtomicU64,
}

/// The same, as it is told.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(super) struct Told {
    pub(super) inputs: u64,
    pub(super) connections: u64,
    pub(super) ended: u64,
}

/// The process, as the program sees it.
pub(super) struct Gang(Companion);

/// The share of the processor that the hostile clients get beside other processes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Priority {
    /// The usual share.
    Normal,
    /// Less, as if they ran on another machine: for measurements on a quiet one.
    Low,
}

impl Gang {
    /// Starts the process.
    pub(super) async fn start(
        orders: &Orders,
        known: &Knowledge,
        priority: Priority,
    ) -> Result<Self> {
        let Orders { server, seed, clients, rate } = orders;
        let executable = std::env::current_exe()?;
        let program = match priority {
            Priority::Normal => Program::new(executable),
            Priority::Low => Program::new("nice").arg("-n").arg("10").arg(executable),
        };
        let arguments = [
            "hostile-clients".to_owned(),
            format!("--server={server}"),
            format!("--seed={seed}"),
            format!("--clients={clients}"),
            format!("--rate={rate}"),
        ];
        let mut gang = Companion::start("hostile clients", &program, arguments)?;
        gang.tell(&serde_json::to_string(known)?).await?;
        Ok(Self(gang))
    }

    pub(super) async fn attack(&mut self) -> Result<()> {
        Ok(self.0.tell(ATTACK).await?)
    }

    pub(super) async fn pause(&mut self) -> Result<()> {
        Ok(self.0.tell(PAUSE).await?)
    }

    pub(super) async fn count(&mut self) -> Result<Told> {
        Ok(serde_json::from_str(&self.0.ask(COUNT).await?)?)
    }

    pub(super) async fn end(self) -> Result<()> {
        Ok(self.0.end().await?)
    }
}

/// The process itself.
pub(crate) async fn be(orders: Orders) -> Result<()> {
    let mut lines = BufReader::new(stdin()).lines();
    let known = lines.next_line().await?.context("no word of the others")?;
    let known: Arc<Knowledge> = Arc::new(serde_json::from_str(&known)?);
    let attack = watch::Sender::new(false);
    let deeds = Arc::new(Deeds::default());
    let mut random = Rng::with_seed(orders.seed);
    let mut villains = JoinSet::new();
    for number in 0..orders.clients {
        let mut pace = interval(Duration::from_secs_f64(orders.clients as f64 / orders.rate));
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let villain = Villain {
            number,
            server: orders.server,
            random: random.fork(),
            known: known.clone(),
            deeds: deeds.clone(),
            attacks: attack.subscribe(),
            pace,
        };
        villains.spawn(villain.run());
    }
    while let Some(line) = lines.next_line().await? {
        match line.as_str() {
            ATTACK => _ = attack.send_replace(true),
            PAUSE => _ = attack.send_replace(false),
            COUNT => {
                let Deeds { inputs, connections, ended } = &*deeds;
                let told = [inputs, connections, ended].map(|count| count.load(Relaxed));
                let [inputs, connections, ended] = told;
                println!("{}", serde_json::to_string(&Told { inputs, connections, ended })?);
            }
            other => bail!("what is {other}?"),
        }
    }
    // They never end by themselves.
    if let Some(Err(error)) = villains.try_join_next() {
        return Err(error).context("a hostile client failed");
    }
    villains.shutdown().await;
    Ok(())
}
