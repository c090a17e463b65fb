//! The time until the loss of a partner whose process is killed is detected: by a bare connection;
//! by a client, which the server informs too, because the kernel closes the TCP connection of the
//! killed process.

use std::time::Instant;

use anyhow::Result;
use socketio_p2p_harness::bench::Verdict;

use crate::pair::{Contestant, Pair};
use crate::part::{Role, Setup};
use crate::plan::Extent;
use crate::report::Samples;

const SILENT: &str = "killed to silent, ms";
const TOLD: &str = "killed to the first event, ms";
const LEFT: &str = "killed to another path, ms";
const BARE: Contestant = Contestant::Bare(Setup::Threads);
const CLIENTS: Contestant = Contestant::Clients(Setup::Threads);

/// Kills one after the other.
pub(crate) async fn measure(extent: &Extent, into: &mut Samples) -> Result<Vec<Verdict>> {
    for _ in 0..extent.kills {
        for contestant in [BARE, CLIENTS] {
            let mut pair = Pair::start(contestant).await?;
            let (of, _) = pair.open().await?;
            let killed = Instant::now();
            pair.answerer.kill()?;
            let mut told = false;
            loop {
                let event = pair.next_event(Role::Offerer, of).await?;
                let ms = killed.elapsed().as_secs_f64() * 1e3;
                if contestant == CLIENTS && !told {
                    told = true;
                    into.push(TOLD, contestant, ms);
                }
                match event.as_str() {
                    "silent" => into.push(SILENT, contestant, ms),
                    "left" => into.push(LEFT, contestant, ms),
                    _ => continue,
                }
                break;
            }
            pair.offerer.end().await?;
        }
    }

    let worst = |what, of| into.all(what, of)?.iter().copied().reduce(f64::max);
    let slowest = |what: &str| format!("{what}, the slowest");
    Ok(vec![
        Verdict::at_most(slowest(LEFT), worst(LEFT, CLIENTS), 1000.0),
        Verdict::beside(slowest(TOLD), worst(TOLD, CLIENTS)),
        Verdict::at_most(slowest(SILENT), worst(SILENT, BARE), 1000.0),
    ])
}
