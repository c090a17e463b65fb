//! A TCP proxy between real clients and a real server, in which connections suffer.
//!
//! Faults come from a [`Schedule`], which is the same for the same seed, or by hand. When the
//! [weather heals](FaultProxy::heal) it carries everything as it comes, so that progress can be
//! checked.

mod fault;
mod link;
mod schedule;
mod weather;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fastrand::Rng;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

pub use fault::{Counts, Fault, Kind, Ways};
pub use schedule::{Injection, Schedule};

use fault::Counters;
use weather::Weather;

/// The proxy. Dropping it closes all connections; [`FaultProxy::stop`] also waits for that.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
}

#[derive(Debug)]
struct Shared {
    links: Mutex<Links>,
    counters: Counters,
    injected: watch::Sender<u64>,
    healed: CancellationToken,
    stopped: CancellationToken,
}

/// The connections, the oldest first.
#[derive(Debug)]
struct Links {
    weather: BTreeMap<u64, watch::Sender<Weather>>,
    last: u64,
    random: Rng,
}

impl FaultProxy {
    /// A proxy on a free port of this machine, in front of `server`.
    ///
    /// # Errors
    ///
    /// If there is no free port.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn start(server: SocketAddr, seed: u64) -> io::Result<Self> {
        Self::start_with(server, seed, false).await
    }

    /// The same, with a receive window of a few kilobytes towards the server, as small devices have.
    ///
    /// # Errors
    ///
    /// If there is no free port.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn start_narrow(server: SocketAddr, seed: u64) -> io::Result<Self> {
        Self::start_with(server, seed, true).await
    }

    async fn start_with(server: SocketAddr, seed: u64, narrow: bool) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let links = Links { weather: BTreeMap::new(), last: 0, random: Rng::with_seed(seed) };
        let shared = Arc::new(Shared {
            links: Mutex::new(links),
            counters: Counters::default(),
            injected: watch::Sender::new(0),
            healed: CancellationToken::new(),
            stopped: CancellationToken::new(),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, (server, narrow), shared.clone()));
        Ok(Self { address, shared, tasks })
    }

    /// Returns the URL at which clients reach the server through the proxy, for example
    /// `http://127.0.0.1:49152`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the address at which the proxy listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the number of connections that it carries, half-open ones included.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.links().weather.len()
    }

    /// Returns the number of faults so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.counters.now()
    }

    /// Lets one connection that is not lost already suffer, drawn from the seed; false if there
    /// is none.
    pub fn inject(&self, fault: Fault) -> bool {
        let whom = self.shared.links().random.f64();
        self.shared.inject(fault, whom)
    }

    /// Lets all connections suffer that are not lost already: how many there were.
    pub fn inject_all(&self, fault: Fault) -> usize {
        let victims = self.shared.links().victims();
        for victim in &victims {
            self.shared.suffer(victim, fault);
        }
        victims.len()
    }

    /// Resets all connections.
    pub fn cut_all(&self) -> usize {
        self.inject_all(Fault::Reset)
    }

    /// From now on injects what the schedule says, until it [heals](Self::heal).
    pub fn follow(&mut self, schedule: Schedule) {
        self.tasks.spawn(follow(schedule, self.shared.clone()));
    }

    /// Waits until there were so many faults.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn injected(&self, faults: u64) {
        // The sender is ours, so there is no error.
        self.shared.injected.subscribe().wait_for(|injected| *injected >= faults).await.ok();
    }

    /// Ends the schedule and all that lasts. What is half-open stays so: its bytes are lost, and
    /// its ends must find that out themselves.
    pub fn heal(&self) {
        self.shared.healed.cancel();
        for weather in self.shared.links().weather.values() {
            weather.send_modify(Weather::heal);
        }
    }

    /// Closes everything, and returns when nothing of it runs any more.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: everything is closed.
    pub async fn stop(mut self) {
        self.shared.stopped.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

impl Shared {
    fn links(&self) -> MutexGuard<'_, Links> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn inject(&self, fault: Fault, whom: f64) -> bool {
        let victims = self.links().victims();
        let chosen = (whom * victims.len() as f64) as usize;
        let Some(victim) = victims.get(chosen) else { return false };
        self.suffer(victim, fault);
        true
    }

    fn suffer(&self, victim: &watch::Sender<Weather>, fault: Fault) {
        victim.send_modify(|weather| weather.suffer(fault));
        self.counters.count(fault.kind());
        self.injected.send_modify(|injected| *injected += 1);
    }
}

impl Links {
    /// Connections that can still be harmed.
    fn victims(&self) -> Vec<watch::Sender<Weather>> {
        self.weather.values().filter(|weather| !weather.borrow().is_hopeless()).cloned().collect()
    }
}

async fn accept(listener: TcpListener, server: (SocketAddr, bool), shared: Arc<Shared>) {
    let mut links = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = shared.stopped.cancelled() => break,
            Some(_) = links.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        // One that is gone already is nobody's loss.
        if let Ok((near, _)) = accepted {
            links.spawn(link(near, server, shared.clone()));
        }
    }
    links.shutdown().await;
}

/// The receive buffer of a narrow proxy.
const NARROW: u32 = 8 * 1024;

/// Connects to the server. The window is that of a small device if it is `narrow`.
async fn connect(server: SocketAddr, narrow: bool) -> io::Result<TcpStream> {
    let socket = if server.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    if narrow {
        socket.set_recv_buffer_size(NARROW)?;
    }
    socket.connect(server).await
}

async fn link(near: TcpStream, (server, narrow): (SocketAddr, bool), shared: Arc<Shared>) {
    let Ok(far) = connect(server, narrow).await else {
        near.set_zero_linger().ok();
        return;
    };
    let (entry, weather, random) = Entry::new(&shared);
    link::carry(near, far, weather, random).await;
    drop(entry);
}

/// The place of a connection among the others, until it is dropped.
struct Entry<'a> {
    shared: &'a Shared,
    number: u64,
}

impl<'a> Entry<'a> {
    fn new(shared: &'a Shared) -> (Self, watch::Receiver<Weather>, Rng) {
        let mut links = shared.links();
        links.last += 1;
        let (weather, receiver) = watch::channel(Weather::default());
        let number = links.last;
        links.weather.insert(number, weather);
        let random = links.random.fork();
        (Self { shared, number }, receiver, random)
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.shared.links().weather.remove(&self.number);
    }
}

async fn follow(schedule: Schedule, shared: Arc<Shared>) {
    let mut next = Instant::now();
    for Injection { after, fault, whom } in schedule {
        next += after;
        tokio::select! {
            () = sleep_until(next) => {}
            () = shared.healed.cancelled() => return,
            () = shared.stopped.cancelled() => return,
        }
        // Without a connection there is nobody to harm, and the fault is not counted.
        shared.inject(fault, whom);
    }
}
