//! The time that a bare connection takes to open: from the start of the offer to its open main
//! channel. `paired` has the goal; this shows which part of that is WebRTC.

use anyhow::Result;
use socketio_p2p_harness::bench::Verdict;

use crate::pair::{Contestant, Pair};
use crate::plan::Extent;
use crate::report::Samples;

const WHAT: &str = "start to open, ms";

/// Opens and closes connections, one after the other, of all contestants in turn.
pub(crate) async fn measure(
    contestants: &[Contestant],
    extent: &Extent,
    into: &mut Samples,
) -> Result<Vec<Verdict>> {
    open_in_turn(contestants, WHAT, extent, into).await?;

    let mut verdicts = Vec::new();
    for &contestant in contestants {
        for (share, ms) in
            [("p50", into.median(WHAT, contestant)), ("p99", into.p99(WHAT, contestant))]
        {
            verdicts.push(Verdict::beside(format!("{WHAT}, {share}, {contestant}"), ms));
        }
    }
    Ok(verdicts)
}

/// Opens and closes pairs of all contestants in turn, and records what each says it took.
pub(crate) async fn open_in_turn(
    contestants: &[Contestant],
    what: &'static str,
    extent: &Extent,
    into: &mut Samples,
) -> Result<()> {
    let mut pairs = Vec::new();
    for &contestant in contestants {
        let mut pair = Pair::start(contestant).await?;
        // The first one also waits for the processes to start.
        let (of, _) = pair.open().await?;
        pair.close(of).await?;
        pairs.push((contestant, pair));
    }
    for _ in 0..extent.openings {
        for (contestant, pair) in &mut pairs {
            let (of, ms) = pair.open().await?;
            into.push(what, *contestant, ms);
            pair.close(of).await?;
        }
    }
    for (_, pair) in pairs {
        pair.end_both().await?;
    }
    Ok(())
}
