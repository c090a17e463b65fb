//! How long opening takes: from the start of the offer to its open main channel.

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
    let mut pairs = Vec::new();
    for &contestant in contestants {
        let mut pair = Pair::start(contestant)?;
        // The first one also waits for the processes to start.
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
    for &contestant in contestants {
        let p99 = into.all(WHAT, contestant).map(p99);
        let p50 = into.median(WHAT, contestant);
        for (share, ms) in [("p50", p50), ("p99", p99)] {
            let goal = format!("start to open, {share}, {contestant}: ms");
            verdicts.push(match contestant {
                Contestant::Ours(_) => Verdict::at_most(goal, ms, 150.0),
                Contestant::SimplePeer => Verdict::beside(goal, ms),
            });
        }
    }
    Ok(verdicts)
}

fn p99(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_unstable_by(f64::total_cmp);
    values[(values.len() * 99 / 100).min(values.len() - 1)]
}
