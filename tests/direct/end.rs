//! One end in a process of its own, driven by lines of JSON; `node/end.js` is the same on
//! simple-peer.
//!
//! ```text
//! in   {"of":1,"order":"open"}                              out  {"of":1,"signal":…}
//!      {"of":1,"signal":…}                                       {"of":1,"event":"open","ms":…}
//!      {"of":1,"order":"trips","count":…}                        {"of":1,"p50":…,"p99":…}, in µs
//!      {"of":1,"order":"expect","bytes":…}                       {"of":1,"ready":true}
//!      {"of":1,"order":"bulk","bytes":…,"chunk":…}               {"of":1,"seconds":…}
//!      {"of":1,"order":"close"}                                  {"of":1,"event":"closed"}
//!                                                                {"of":1,"event":"silent"}
//!      {"order":"udp"}                                           {"udp":"127.0.0.1:…"}
//!      {"order":"udp-trips","to":…,"count":…}                    {"p50":…,"p99":…}
//!      {"order":"look"}                                          {"tasks":…,"files":…}
//! ```

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use clap::ValueEnum;
use serde::Deserialize;
use serde_json::{Value, json};
use socketio_p2p_client::direct::{
    ChannelMessage, ChannelOptions, DirectChannel, DirectConfig, DirectConnection, DirectEvent,
    DirectEvents,
};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

/// Bytes of a message that is sent back.
const SMALL: usize = 64;
/// Orders that may wait for a connection. There is one at a time.
const ORDERS: usize = 4;

/// Which end.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Role {
    Offerer,
    Answerer,
}

/// On what it runs.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, ValueEnum)]
pub(crate) enum Setup {
    /// A runtime of one thread.
    OneThread,
    /// A runtime with a thread a core.
    Threads,
    /// The same, with packets on a thread of their own.
    OwnThread,
}

/// A line that comes in.
#[derive(Debug, Deserialize)]
struct Line {
    #[serde(default)]
    of: u32,
    signal: Option<Value>,
    #[serde(flatten)]
    order: Option<Order>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "order", rename_all = "kebab-case")]
enum Order {
    Open,
    Close,
    Trips { count: usize },
    Expect { bytes: usize },
    Bulk { bytes: usize, chunk: usize },
    Udp,
    UdpTrips { to: SocketAddr, count: usize },
    Look,
}

/// Runs until stdin ends.
pub(crate) fn be(role: Role, setup: Setup) -> Result<()> {
    let mut runtime = match setup {
        Setup::OneThread => tokio::runtime::Builder::new_current_thread(),
        Setup::Threads | Setup::OwnThread => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = runtime.enable_all().build()?;
    // As a task, like a client's own: the thread that waits for it is not one of the runtime's.
    runtime.block_on(async move { TaskTracker::new().spawn(obey(role, setup)).await })?
}

async fn obey(role: Role, setup: Setup) -> Result<()> {
    let tasks = TaskTracker::new();
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut ends = BTreeMap::new();
    while let Some(line) = lines.next_line().await? {
        let line: Line = serde_json::from_str(&line).with_context(|| line.clone())?;
        if let Some(signal) = line.signal {
            let end =
                ends.entry(line.of).or_insert_with(|| End::start(line.of, role, setup, &tasks));
            end.connection.signal(&signal).ok(); // It may be closed already.
            continue;
        }
        match line.order.context("neither signal nor order")? {
            Order::Open => {
                ends.insert(line.of, End::start(line.of, role, setup, &tasks));
            }
            Order::Close => {
                if let Some(end) = ends.remove(&line.of) {
                    tasks.spawn(async move { end.connection.close().await });
                }
            }
            Order::Udp => {
                let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
                say(&json!({ "udp": socket.local_addr()? }));
                tasks.spawn(echo_datagrams(socket));
            }
            Order::UdpTrips { to, count } => say(&datagram_trips(to, count).await?),
            Order::Look => {
                let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
                let files = std::fs::read_dir("/proc/self/fd")?.count();
                say(&json!({ "tasks": tasks, "files": files }));
            }
            order => {
                let end = ends.get(&line.of).context("an order for no connection")?;
                end.orders.send(order).await.context("an order for a closed connection")?;
            }
        }
    }
    Ok(())
}

fn say(what: &Value) {
    println!("{what}");
}

/// A connection, as its process holds it.
struct End {
    connection: DirectConnection,
    orders: mpsc::Sender<Order>,
}

impl End {
    fn start(of: u32, role: Role, setup: Setup, tasks: &TaskTracker) -> Self {
        let mut config = DirectConfig::default();
        config.bind = vec![(Ipv4Addr::LOCALHOST, 0).into()];
        config.mdns = false;
        config.own_thread = setup == Setup::OwnThread;
        let (orders, todo) = mpsc::channel(ORDERS);
        let began = Instant::now();
        let (connection, events) = match role {
            Role::Offerer => DirectConnection::offer(config, tasks),
            Role::Answerer => DirectConnection::answer(config, tasks),
        };
        let worker =
            Worker { of, began, role, connection: connection.clone(), events, expected: 0 };
        tasks.spawn(worker.run(todo, tasks.clone()));
        Self { connection, orders }
    }
}

/// What uses a connection.
struct Worker {
    of: u32,
    began: Instant,
    role: Role,
    connection: DirectConnection,
    events: DirectEvents,
    /// Bytes of the next raw channel.
    expected: usize,
}

impl Worker {
    async fn run(mut self, mut todo: mpsc::Receiver<Order>, tasks: TaskTracker) {
        let of = self.of;
        loop {
            tokio::select! {
                event = self.events.recv() => match event {
                    Some(event) => self.happened(event, &tasks).await,
                    None => return,
                },
                Some(order) = todo.recv() => match self.carry_out(order).await {
                    Ok(mut answer) => {
                        answer["of"] = of.into();
                        say(&answer);
                    }
                    Err(error) => {
                        say(&json!({ "of": of, "event": "error", "message": format!("{error:#}") }));
                    }
                }
            }
        }
    }

    async fn happened(&mut self, event: DirectEvent, tasks: &TaskTracker) {
        let of = self.of;
        match event {
            DirectEvent::Signal(signal) => say(&json!({ "of": of, "signal": signal })),
            DirectEvent::Open => {
                let ms = self.began.elapsed().as_secs_f64() * 1e3;
                say(&json!({ "of": of, "event": "open", "ms": ms }));
            }
            DirectEvent::Message(message) if self.role == Role::Answerer => {
                self.connection.send(message).await.ok();
            }
            DirectEvent::Channel(channel) => {
                tasks.spawn(take(channel, self.expected));
            }
            DirectEvent::Silent => say(&json!({ "of": of, "event": "silent" })),
            DirectEvent::Closed(_) => say(&json!({ "of": of, "event": "closed" })),
            _ => {}
        }
    }

    async fn carry_out(&mut self, order: Order) -> Result<Value> {
        match order {
            Order::Trips { count } => self.trips(count).await,
            Order::Expect { bytes } => {
                self.expected = bytes;
                Ok(json!({ "ready": true }))
            }
            Order::Bulk { bytes, chunk } => self.bulk(bytes, chunk).await,
            order => bail!("{order:?} is not for a connection"),
        }
    }

    /// Round trips over the main channel, one at a time.
    async fn trips(&mut self, count: usize) -> Result<Value> {
        let message = ChannelMessage::from(vec![1; SMALL]);
        let mut trips = Vec::with_capacity(count);
        while trips.len() < count {
            let began = Instant::now();
            self.connection.send(message.clone()).await?;
            loop {
                match self.events.recv().await.context("no more events")? {
                    DirectEvent::Message(_) => break,
                    DirectEvent::Closed(end) => return Err(end.into()),
                    _ => {}
                }
            }
            trips.push(began.elapsed());
        }
        percentiles(trips)
    }

    /// Many messages over a raw channel, until the partner says that all of them are there.
    async fn bulk(&mut self, bytes: usize, chunk: usize) -> Result<Value> {
        let channel = self.connection.open("bulk", ChannelOptions::default()).await?;
        let message = Bytes::from(vec![7; chunk]);
        let began = Instant::now();
        for _ in 0..bytes / chunk {
            channel.send(message.clone()).await?;
        }
        channel.recv().await.context("the partner closed the channel")?;
        let seconds = began.elapsed().as_secs_f64();
        channel.close().await;
        Ok(json!({ "seconds": seconds }))
    }
}

/// Takes so many bytes, and says so.
async fn take(channel: DirectChannel, mut expected: usize) {
    while let Some(message) = channel.recv().await {
        expected = expected.saturating_sub(message.len());
        if expected == 0 {
            channel.send("all there").await.ok();
        }
    }
}

async fn echo_datagrams(socket: UdpSocket) {
    let mut buffer = [0; SMALL];
    while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
        socket.send_to(&buffer[..length], from).await.ok();
    }
}

/// The floor: the same between bare sockets of the two processes.
async fn datagram_trips(to: SocketAddr, count: usize) -> Result<Value> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    socket.connect(to).await?;
    let mut buffer = [0; SMALL];
    let mut trips = Vec::with_capacity(count);
    while trips.len() < count {
        let began = Instant::now();
        socket.send(&buffer).await?;
        socket.recv(&mut buffer).await?;
        trips.push(began.elapsed());
    }
    percentiles(trips)
}

fn percentiles(mut trips: Vec<Duration>) -> Result<Value> {
    ensure!(!trips.is_empty(), "nothing was measured");
    trips.sort_unstable();
    let at = |share: usize| trips[(trips.len() * share / 100).min(trips.len() - 1)];
    Ok(json!({ "p50": at(50).as_secs_f64() * 1e6, "p99": at(99).as_secs_f64() * 1e6 }))
}
