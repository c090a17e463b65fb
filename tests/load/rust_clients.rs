//! Client to client as programs have it: each end is a process of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::ValueEnum;
use rust_socketio::asynchronous::ClientBuilder;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use socketio_p2p_client::{Incoming, P2pBuilderExt as _, P2pClientExt as _, PathPolicy};
use socketio_p2p_harness::bench::Child;

use crate::contestant::Contestant;
use crate::driver::{self, Shape};
use crate::link::{self, Link, PATIENCE};
use crate::load::{Load, Span};
use crate::report::{Metric, Samples};
use crate::serve::{announce, end_of_stdin};
use crate::wire::{Dialect, PAYLOAD};

/// The row of the round trip.
pub(crate) const ROUND_TRIP: &str = "two clients x 1";

/// The row of the throughput.
pub(crate) const IN_FLIGHT: &str = "two clients x 64";

/// Unanswered emits, row by row.
const IN_FLIGHT_EACH: [usize; 2] = [1, 64];

/// The path that joins two bare ends.
const PAIR: &str = "pair";

/// The role of a process.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum End {
    /// Bare websocket, emits.
    FloorSource,
    /// Bare websocket, answers.
    FloorTarget,
    /// The client plugin, emits.
    P2pSource,
    /// The client plugin, answers.
    P2pTarget,
}

/// The report of the source's process when it is done.
#[derive(Debug, Deserialize, Serialize)]
struct Told {
    p50: f64,
    p99: f64,
    rate: f64,
}

/// Lets two client processes talk, for each of `order`.
pub(crate) async fn talk(order: &[Contestant], span: Span, into: &mut Samples) -> Result<()> {
    for &contestant in order {
        let server = contestant.start().await?;
        let [source, target] = match contestant {
            Contestant::Floor => ["floor-source", "floor-target"],
            _ => ["p2p-source", "p2p-target"],
        };
        let address = server.address.to_string();
        let seconds = |time: Duration| time.as_secs_f64().to_string();
        let (warm_up, measured) = (seconds(span.warm_up), seconds(span.measured));
        let start = |end| Child::itself(["end", end, &address, &warm_up, &measured]);
        let mut target = start(target)?;
        target.line(PATIENCE).await?;
        let mut source = start(source)?;
        let patience = PATIENCE + 2 * (span.warm_up + span.measured);
        for row in [ROUND_TRIP, IN_FLIGHT] {
            let told: Told = serde_json::from_str(&source.line(patience).await?)?;
            into.push(row, contestant, Metric::RoundTripP50, told.p50);
            into.push(row, contestant, Metric::RoundTripP99, told.p99);
            into.push(row, contestant, Metric::EmitsPerSecond, told.rate);
        }
        source.end().await?;
        target.end().await?;
        server.end().await?;
    }
    Ok(())
}

/// Is one end, until stdin ends.
pub(crate) async fn be(end: End, server: SocketAddr, span: Span) -> Result<()> {
    let being = async {
        match end {
            End::FloorSource => floor_source(server, span).await,
            End::FloorTarget => floor_target(server).await,
            End::P2pSource => p2p_source(server, span).await,
            End::P2pTarget => p2p_target(server).await,
        }
    };
    tokio::select! {
        done = being => done?,
        () = end_of_stdin() => return Ok(()),
    }
    end_of_stdin().await;
    Ok(())
}

async fn floor_source(server: SocketAddr, span: Span) -> Result<()> {
    for (round, in_flight) in IN_FLIGHT_EACH.into_iter().enumerate() {
        let pair = format!("{PAIR}-{round}");
        let link = Link::connect(Dialect::Bare, server, "source", &pair).await?;
        let packets = Dialect::Bare.packets(link::BARE_PAIRING, "target");
        let mut load = Load::new()?;
        let shape = Shape::new(1, in_flight);
        load.workers.spawn(driver::ask(link, packets, shape, Arc::clone(&load.progress)));
        tell(load, span).await?;
    }
    Ok(())
}

async fn floor_target(server: SocketAddr) -> Result<()> {
    let mut load = Load::new()?;
    for round in 0..IN_FLIGHT_EACH.len() {
        let pair = format!("{PAIR}-{round}");
        let link = Link::connect(Dialect::Bare, server, "target", &pair).await?;
        let packets = Dialect::Bare.packets(link::BARE_PAIRING, "target");
        load.helpers.spawn(driver::answer(link, packets, false));
    }
    announce(&"ready")?;
    while load.helpers.join_next().await.is_some() {}
    Ok(())
}

async fn p2p_source(server: SocketAddr, span: Span) -> Result<()> {
    let client = ClientBuilder::new(format!("http://{server}"))
        .p2p("source")
        .path_policy(PathPolicy::RelayOnly)
        .connect()
        .await?;
    client.register_target("target").await?;
    let payload: Arc<str> = "x".repeat(PAYLOAD).into();
    for in_flight in IN_FLIGHT_EACH {
        let mut load = Load::new()?;
        for _ in 0..in_flight {
            let (client, payload) = (client.clone(), Arc::clone(&payload));
            let progress = Arc::clone(&load.progress);
            load.workers.spawn(async move {
                while !progress.stopped() {
                    let since = Instant::now();
                    let answer: Value = client.emit2("bench", &*payload).await?;
                    ensure!(answer == "ok", "the source got {answer}");
                    progress.answered(since);
                }
                Ok(())
            });
        }
        tell(load, span).await?;
    }
    client.close().await;
    Ok(())
}

async fn p2p_target(server: SocketAddr) -> Result<()> {
    let _client = ClientBuilder::new(format!("http://{server}"))
        .p2p("target")
        .on2("bench", async |_: Incoming| Ok("ok"))
        .connect()
        .await?;
    announce(&"ready")?;
    std::future::pending().await
}

/// Runs `load` and tells the parent about it.
async fn tell(load: Load, span: Span) -> Result<()> {
    let (outcome, (), ()) = load.run(span, || Ok(())).await?;
    let (p50, p99) = (outcome.round_trip(0.5), outcome.round_trip(0.99));
    announce(&serde_json::to_string(&Told { p50, p99, rate: outcome.rate() })?)
}
