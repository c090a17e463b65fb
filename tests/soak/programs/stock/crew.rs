//! The processes in which the stock clients run, one for each library.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::Serialize;
use socketio_p2p_harness::{Companion, WaitError};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::kinds::{Kind, Library, Transport, describe};
use super::ledger::{Ledger, Record};

/// Orders that wait for one process: a few, each for all of its clients.
const ORDERS: usize = 16;

/// The interval at which it is asked what is under way.
const LOOK: Duration = Duration::from_millis(50);

/// Orders to all clients.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Command {
    /// They call from now on.
    Talk(Talk),
    /// From now on the first right answer of each client is noted.
    Mark,
    /// They note what is under way.
    Count,
}

/// The kind and number of calls that clients make.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Talk {
    /// Calls a second of one client.
    pub(super) rate: f64,
    /// Calls that it makes at once, at most.
    pub(super) burst: usize,
    /// Characters of the largest call or reply.
    pub(super) largest: usize,
}

#[derive(Serialize)]
struct Start<'a> {
    url: &'a str,
    seed: u32,
    #[serde(rename = "delayMs")]
    delay: u128,
    #[serde(rename = "delayMaxMs")]
    delay_max: u128,
    clients: Vec<Client>,
}

#[derive(Serialize)]
struct Client {
    number: usize,
    transport: Transport,
}

/// The running processes.
pub(super) struct Crew {
    ledger: Arc<Mutex<Ledger>>,
    changed: watch::Receiver<()>,
    orders: Vec<mpsc::Sender<String>>,
    processes: JoinSet<Result<()>>,
    ending: CancellationToken,
}

impl Crew {
    /// Starts clients of these kinds. The first is client 0, and each has its neighbour as partner.
    pub(super) fn start(
        url: &str,
        kinds: &[Kind],
        backoff: [Duration; 2],
        seed: u64,
    ) -> Result<Self> {
        let ledger = Arc::new(Mutex::new(Ledger::of(kinds.iter().map(describe).collect())));
        let (change, changed) = watch::channel(());
        let change = Arc::new(change);
        let (mut orders, mut processes) = (Vec::new(), JoinSet::new());
        let ending = CancellationToken::new();
        let mut libraries: Vec<Library> = Vec::new();
        for (library, _) in kinds {
            if !libraries.contains(library) {
                libraries.push(*library);
            }
        }
        for (at, library) in libraries.into_iter().enumerate() {
            let clients = kinds.iter().enumerate().filter(|(_, kind)| kind.0 == library);
            let start = Start {
                url,
                seed: (seed as u32).wrapping_add(at as u32),
                delay: backoff[0].as_millis(),
                delay_max: backoff[1].as_millis(),
                clients: clients
                    .map(|(number, kind)| Client { number, transport: kind.1 })
                    .collect(),
            };
            let process = Companion::start(&library.name(), &library.program()?, [""; 0])?;
            let (sender, receiver) = mpsc::channel(ORDERS);
            sender.try_send(serde_json::to_string(&start)?)?;
            orders.push(sender);
            let (ledger, change) = (ledger.clone(), change.clone());
            processes.spawn(attend(process, receiver, ledger, change, ending.clone()));
        }
        Ok(Self { ledger, changed, orders, processes, ending })
    }

    /// Returns what has happened so far.
    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        lock(&self.ledger)
    }

    /// Gives an order to all. A process that has ended shows when all end.
    pub(super) async fn order(&self, command: &Command) {
        if let Command::Mark = command {
            self.ledger().mark();
        }
        let line = serde_json::to_string(command).unwrap_or_default();
        for orders in &self.orders {
            orders.send(line.clone()).await.ok();
        }
    }

    /// Waits until something is true of what has happened.
    pub(super) async fn is(&mut self, mut what: impl FnMut(&Ledger) -> bool) -> Result<()> {
        while !what(&lock(&self.ledger)) {
            tokio::select! {
                changed = self.changed.changed() => changed.context("all clients have ended")?,
                Some(ended) = self.processes.join_next() => ended??,
            }
        }
        Ok(())
    }

    /// Waits until each client has had a right answer since the last [`Command::Mark`].
    pub(super) async fn are_well(&mut self) -> Result<()> {
        self.is(|ledger| ledger.unwell().is_empty()).await
    }

    /// Waits until nobody waits for an answer, and all calls have run.
    pub(super) async fn are_answered(&mut self) -> Result<()> {
        loop {
            tokio::time::sleep(LOOK).await;
            self.ledger().uncount();
            self.order(&Command::Count).await;
            let processes = self.orders.len();
            self.is(|ledger| ledger.counted() == processes).await?;
            let ledger = self.ledger();
            if ledger.open() == 0 && ledger.missing_calls().is_empty() {
                return Ok(());
            }
        }
    }

    /// Ends the processes, and returns what has happened.
    pub(super) async fn end(mut self, ended: &mut Vec<Result<()>>) -> Ledger {
        self.ending.cancel();
        while let Some(process) = self.processes.join_next().await {
            ended.push(process.map_err(Into::into).and_then(|ended| ended));
        }
        std::mem::take(&mut *lock(&self.ledger))
    }
}

fn lock(ledger: &Mutex<Ledger>) -> MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Passes orders to a process, and what it says to the ledger.
async fn attend(
    mut process: Companion,
    mut orders: mpsc::Receiver<String>,
    ledger: Arc<Mutex<Ledger>>,
    change: Arc<watch::Sender<()>>,
    ending: CancellationToken,
) -> Result<()> {
    loop {
        tokio::select! {
            () = ending.cancelled() => return Ok(process.end().await?),
            Some(order) = orders.recv() => process.tell(&order).await?,
            line = process.line() => {
                // Clients that are connected and paired say nothing.
                let Some(line) = unless_silent(line)? else { continue };
                let records: Vec<Record> = serde_json::from_str(&line)?;
                let mut ledger = lock(&ledger);
                for record in records {
                    ledger.record(record);
                }
                drop(ledger);
                change.send_replace(());
            }
        }
    }
}

/// Returns a line, or `None` if the process had nothing to say.
fn unless_silent(line: Result<String, WaitError>) -> Result<Option<String>, WaitError> {
    match line {
        Err(WaitError::Timeout { .. }) => Ok(None),
        line => line.map(Some),
    }
}
