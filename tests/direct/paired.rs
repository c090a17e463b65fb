//! How long two clients take to be paired and to talk directly: from the call of `register_target`
//! to the event `Path` with the direct route, both at the caller.

use anyhow::Result;
use socketio_p2p_harness::bench::Verdict;

use crate::pair::{Contestant, Pair};
use crate::part::Setup;
use crate::plan::Extent;
use crate::report::Samples;

const WHAT: &str = "register to direct, ms";

/// Pairs the same clients again and again, on both runtimes in turn.
pub(crate) async fn measure(extent: &Extent, into: &mut Samples) -> Result<Vec<Verdict>> {
    let contestants = [Setup::OneThread, Setup::Threads].map(Contestant::Clients);
    let mut pairs = Vec::new();
    for contestant in contestants {
        let mut pair = Pair::start(contestant).await?;
        let (of, _) = pair.open().await?;
        pair.close(of).await?;
        pairs.push((contestant, pair));
    }
    for _ in 0..extent.openings {
        for (contestant, pair) in &mut pairs {
            let (of, ms) = pair.open().await?;
            into.push(WHAT, *contestant, ms);
            pair.close(of).await?;
        }
    }
    for (_, pair) in pairs {
        pair.end_both().await?;
    }

    let mut verdicts = Vec::new();
    for contestant in contestants {
        let p50 = into.median(WHAT, contestant);
        verdicts.push(Verdict::at_most(format!("{WHAT}, p50, {contestant}"), p50, 150.0));
        let p99 = into.p99(WHAT, contestant);
        verdicts.push(Verdict::beside(format!("{WHAT}, p99, {contestant}"), p99));
    }
    Ok(verdicts)
}
