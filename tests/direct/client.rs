//! One end as an application has it: a client that knows its partner's name, at a server with the
//! plugin. A connection is here a pairing, and open when the direct path carries what is emitted.

use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow, ensure};
use clap::ValueEnum as _;
use serde_json::{Value, json};
use socketio_p2p_client::{
    Event, Incoming, P2pBuilderExt as _, P2pClient, P2pClientExt as _, Path, Presence,
};
use tokio_util::task::TaskTracker;

use crate::part::{Order, Orders, Role, SMALL, config, percentiles, say, tell};
use crate::udp;

/// Obeys until there are no more orders.
pub(crate) async fn obey(role: Role, server: SocketAddr, mut orders: Orders) -> Result<()> {
    let client = format!("http://{server}")
        .p2p(name(role)?)
        .direct(config())
        .on2("echo", async |incoming: Incoming| Ok(incoming.into_raw()))
        .connect()
        .await?;
    let mut events = client.events();
    say(&json!({ "event": "connected" }));
    let began = Instant::now();
    let mut end = End { client, role, tasks: TaskTracker::new(), of: 0, began, direct: false };
    loop {
        tokio::select! {
            line = orders.next() => match line? {
                Some(line) => end.carry_out(line.order.context("no order")?).await,
                None => break,
            },
            event = events.recv() => end.happened(event?),
        }
    }
    end.client.close().await;
    Ok(())
}

fn name(role: Role) -> Result<String> {
    Ok(role.to_possible_value().context("a role without a name")?.get_name().to_owned())
}

struct End {
    client: P2pClient,
    role: Role,
    tasks: TaskTracker,
    /// The present pairing, or the last one: both ends count them, as who gives the orders does.
    of: u32,
    /// The time at which the caller began to register.
    began: Instant,
    /// `true` while emits take the direct path.
    direct: bool,
}

impl End {
    fn happened(&mut self, event: Event) {
        let of = self.of;
        match event {
            Event::Paired(_) => self.of += 1,
            Event::Path { path: Some(Path::Direct), .. } => {
                self.direct = true;
                let ms = self.began.elapsed().as_secs_f64() * 1e3;
                say(&json!({ "of": of, "event": "open", "ms": ms }));
            }
            Event::Path { .. } if self.direct => {
                self.direct = false;
                say(&json!({ "of": of, "event": "left" }));
            }
            Event::Partner(Presence::Away) => say(&json!({ "of": of, "event": "away" })),
            Event::Unpaired { .. } => {
                self.direct = false;
                say(&json!({ "of": of, "event": "closed" }));
            }
            _ => {}
        }
    }

    /// Does what the order says. It is told when it is done, or by the event that it leads to.
    async fn carry_out(&mut self, order: Order) {
        let done = match order {
            Order::Open => self.register().await,
            Order::Close => self.unregister().await,
            Order::Trips { count } => self.trips(count).await.map(Some),
            Order::Udp => udp::echo(&self.tasks).await.map(Some),
            Order::UdpTrips { to, count } => udp::trips(to, count).await.map(Some),
            order => Err(anyhow!("{order:?} is not for a client")),
        };
        if let Some(outcome) = done.transpose() {
            tell(self.of, outcome);
        }
    }

    async fn register(&mut self) -> Result<Option<Value>> {
        self.began = Instant::now();
        self.client.register_target(name(Role::Answerer)?).await?;
        Ok(None)
    }

    async fn unregister(&self) -> Result<Option<Value>> {
        // The other end is told by the server.
        if self.role == Role::Offerer {
            self.client.unregister_target().await?;
        }
        Ok(None)
    }

    /// Acknowledged emits, one at a time, each of which comes back as it went.
    async fn trips(&self, count: usize) -> Result<Value> {
        // As JSON, with its quotes.
        let value = "x".repeat(SMALL - 2);
        let mut trips = Vec::with_capacity(count);
        while trips.len() < count {
            let began = Instant::now();
            let reply = self.client.emit2("echo", &*value).via(Path::Direct).with_reply().await?;
            trips.push(began.elapsed());
            ensure!(reply.path() == Path::Direct, "a reply took the relay");
        }
        percentiles(trips)
    }
}
