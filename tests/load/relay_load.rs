//! The phases that load a relay: emits, emits beside idle clients, forming and ending pairings.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use crate::contestant::Contestant;
use crate::driver::{self, Idle, Shape};
use crate::load::{Load, Outcome, Span};
use crate::report::{Metric, Samples};
use crate::server::Server;

/// Pairs that are formed and ended at the same time.
const PARTING_PAIRS: usize = 50;

/// Time for a server to notice that a load's clients are gone.
const SETTLE: Duration = Duration::from_millis(200);

/// One emit at a time: what a round trip takes.
const ROUND_TRIP: Shape = Shape::new(1, 1);

/// The loads of the relay goals.
const LOADS: [Shape; 3] = [Shape::new(1, 64), Shape::new(50, 4), Shape::new(500, 1)];

/// The loads whose figures are known for the JavaScript system.
const NODE_LOADS: [Shape; 3] = [Shape::new(1, 64), Shape::new(50, 2), Shape::new(500, 1)];

/// Emits between the ends of 1, 50 and 500 pairs, and one at a time.
pub(crate) async fn emits(order: &[Contestant], span: Span, into: &mut Samples) -> Result<()> {
    let shapes = [&LOADS[..], &[LOADS[0].gathered(), ROUND_TRIP]].concat();
    alternate(order, &shapes, "", span, into).await
}

/// The loads whose figures are known for the JavaScript system.
pub(crate) async fn against_node(
    order: &[Contestant],
    span: Span,
    into: &mut Samples,
) -> Result<()> {
    alternate(order, &[&NODE_LOADS[..], &[ROUND_TRIP]].concat(), ", vs node", span, into).await
}

/// Every load on every server, one server after the other before the next load.
async fn alternate(
    order: &[Contestant],
    shapes: &[Shape],
    suffix: &str,
    span: Span,
    into: &mut Samples,
) -> Result<()> {
    let mut servers = Vec::new();
    for &contestant in order {
        servers.push((contestant, contestant.start().await?));
    }
    for shape in shapes {
        for (contestant, server) in &servers {
            let row = format!("{shape}{suffix}");
            emit(*contestant, server, *shape, span, &row, into).await?;
        }
    }
    for (_, server) in servers {
        server.end().await?;
    }
    Ok(())
}

/// The loads alone and then beside `idle` registered clients, in the same server process.
pub(crate) async fn beside_idle(
    order: &[Contestant],
    idle: usize,
    span: Span,
    into: &mut Samples,
) -> Result<()> {
    for &contestant in order {
        let server = contestant.start().await?;
        for shape in LOADS {
            let row = format!("{shape}, before");
            emit(contestant, &server, shape, span, &row, into).await?;
        }
        let mut others = Idle::default();
        let dialect = contestant.dialect();
        let pairs = driver::connect_pairs(dialect, server.address, "idle", idle / 2).await?;
        others.keep_pairs(pairs);
        for shape in LOADS {
            let row = format!("{shape}, beside");
            emit(contestant, &server, shape, span, &row, into).await?;
        }
        others.check()?;
        server.end().await?;
    }
    Ok(())
}

/// Pairings formed and ended, by 50 pairs of clients at a time.
pub(crate) async fn pairings(order: &[Contestant], span: Span, into: &mut Samples) -> Result<()> {
    for &contestant in order {
        let server = contestant.start().await?;
        let dialect = contestant.dialect();
        let pairs =
            driver::connect_pairs(dialect, server.address, "parting", PARTING_PAIRS).await?;
        let row = format!("{PARTING_PAIRS} pairs");
        let load = driver::pair_and_part(pairs, dialect)?;
        let (outcome, cpu) = observe(load, &server, span).await?;
        into.push(&row, contestant, Metric::PairingsPerSecond, outcome.rate());
        into.push(&row, contestant, Metric::CpuPer100kPairings, cpu);
        server.end().await?;
    }
    Ok(())
}

/// One load on a server that somebody else started, and looks at.
pub(crate) async fn one(
    contestant: Contestant,
    server: SocketAddr,
    shape: Shape,
    span: Span,
) -> Result<()> {
    let pairs = driver::connect_pairs(contestant.dialect(), server, "one", shape.pairs).await?;
    let (outcome, (), ()) = driver::talk(pairs, shape)?.run(span, || Ok(())).await?;
    println!(
        "{shape}: {:.0} acknowledged emits a second, round trip p50 {:.0} us, p99 {:.0} us",
        outcome.rate(),
        outcome.round_trip(0.5),
        outcome.round_trip(0.99)
    );
    Ok(())
}

/// One load on one server.
async fn emit(
    contestant: Contestant,
    server: &Server,
    shape: Shape,
    span: Span,
    row: &str,
    into: &mut Samples,
) -> Result<()> {
    // No two loads share a client id: a server may hold on to one for a while.
    let name = into.unique_name();
    let dialect = contestant.dialect();
    let pairs = driver::connect_pairs(dialect, server.address, &name, shape.pairs).await?;
    let load = driver::talk(pairs, shape)?;
    let (outcome, cpu) = observe(load, server, span).await?;
    into.push(row, contestant, Metric::CpuPer100kEmits, cpu);
    into.push(row, contestant, Metric::EmitsPerSecond, outcome.rate());
    into.push(row, contestant, Metric::RoundTripP50, outcome.round_trip(0.5));
    into.push(row, contestant, Metric::RoundTripP99, outcome.round_trip(0.99));
    // The server sees the connections go before another one is measured.
    sleep(SETTLE).await;
    Ok(())
}

/// Runs `load` and gives what it did, and the server's CPU seconds per 100,000 answers.
async fn observe(load: Load, server: &Server, span: Span) -> Result<(Outcome, f64)> {
    let (outcome, before, after) = load.run(span, || server.cpu()).await?;
    let cpu = outcome.per_100k(after - before);
    Ok((outcome, cpu))
}
