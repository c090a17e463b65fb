//! One end of a bare connection, without a client around it.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use serde_json::{Value, json};
use socketio_p2p_client::direct::{
    ChannelMessage, ChannelOptions, DirectChannel, DirectConnection, DirectEvent, DirectEvents,
    Signal,
};
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use crate::part::{Order, Orders, Role, SMALL, config, percentiles, say, tell};
use crate::udp;

/// Orders that may wait for a connection. There is one at a time.
const ORDERS: usize = 4;

/// Obeys until there are no more orders.
pub(crate) async fn obey(role: Role, mut orders: Orders) -> Result<()> {
    let tasks = TaskTracker::new();
    let mut ends = BTreeMap::new();
    while let Some(line) = orders.next().await? {
        if let Some(signal) = line.signal {
            let end = ends.entry(line.of).or_insert_with(|| End::start(line.of, role, &tasks));
            end.connection.signal(Signal::from_value(&signal)?).ok(); // It may be closed already.
            continue;
        }
        match line.order.context("neither signal nor order")? {
            Order::Open => {
                ends.insert(line.of, End::start(line.of, role, &tasks));
            }
            Order::Close => {
                if let Some(end) = ends.remove(&line.of) {
                    tasks.spawn(async move { end.connection.close().await });
                }
            }
            Order::Udp => say(&udp::echo(&tasks).await?),
            Order::UdpTrips { to, count } => say(&udp::trips(to, count).await?),
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

/// A connection, as its process holds it.
struct End {
    connection: DirectConnection,
    orders: mpsc::Sender<Order>,
}

impl End {
    fn start(of: u32, role: Role, tasks: &TaskTracker) -> Self {
        let config = config();
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

/// The user of a connection.
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
                Some(order) = todo.recv() => tell(of, self.carry_out(order).await),
            }
        }
    }

    async fn happened(&mut self, event: DirectEvent, tasks: &TaskTracker) {
        let of = self.of;
        match event {
            DirectEvent::Signal(signal) => say(&json!({ "of": of, "signal": signal.to_value() })),
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
