//! The memory of a connected client that sends nothing.

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use crate::contestant::Contestant;
use crate::driver::{self, Idle};
use crate::link::Link;
use crate::report::{Metric, Samples};

/// Clients that are there before anything is counted: what the first ones cost is not theirs.
const FIRST: usize = 20;

/// Time for a server to finish what the last connections made it do.
const SETTLE: Duration = Duration::from_secs(1);

/// KiB a client at each of `counts`, which must grow: connected, and paired where that is possible.
pub(crate) async fn clients(
    order: &[Contestant],
    counts: &[usize],
    into: &mut Samples,
) -> Result<()> {
    for &contestant in order {
        match contestant {
            Contestant::SocketIo => fill(contestant, false, counts, into).await?,
            Contestant::P2p => {
                fill(contestant, false, counts, into).await?;
                fill(contestant, true, counts, into).await?;
            }
            _ => fill(contestant, true, counts, into).await?,
        }
    }
    Ok(())
}

/// Fills a fresh server with clients and looks at its memory on the way.
async fn fill(
    contestant: Contestant,
    paired: bool,
    counts: &[usize],
    into: &mut Samples,
) -> Result<()> {
    let server = contestant.start().await?;
    let mut clients = Idle::default();
    connect(contestant, paired, server.address, FIRST, "first", &mut clients).await?;
    sleep(SETTLE).await;
    let before = server.memory()?;

    let mut there = 0;
    for &count in counts {
        let name = format!("of-{count}");
        connect(contestant, paired, server.address, count - there, &name, &mut clients).await?;
        there = count;
        sleep(SETTLE).await;
        clients.check()?;
        let kib = server.memory()?.saturating_sub(before) as f64 / 1024.0;
        let state = if paired { "paired" } else { "connected" };
        into.push(
            &format!("{count} clients, {state}"),
            contestant,
            Metric::KibPerClient,
            kib / count as f64,
        );
    }
    server.end().await
}

async fn connect(
    contestant: Contestant,
    paired: bool,
    server: std::net::SocketAddr,
    count: usize,
    name: &str,
    into: &mut Idle,
) -> Result<()> {
    let dialect = contestant.dialect();
    if paired {
        into.keep_pairs(driver::connect_pairs(dialect, server, name, count / 2).await?);
    } else {
        let connect = |index: usize| {
            let name = format!("{name}-{index}");
            async move { Link::connect(dialect, server, &name, &name).await }
        };
        into.keep(driver::gather(count, connect).await?);
    }
    Ok(())
}
