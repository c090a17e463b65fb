//! The time that two clients take to be paired and to communicate directly: from the call of
//! `register_target` to the event `Path` with the direct path, both at the caller.

use anyhow::Result;
use socketio_p2p_harness::bench::Verdict;

use crate::opening::open_in_turn;
use crate::pair::Contestant;
use crate::part::Setup;
use crate::plan::Extent;
use crate::report::Samples;

const WHAT: &str = "register to direct, ms";

/// Pairs the same clients again and again, on both runtimes in turn.
pub(crate) async fn measure(extent: &Extent, into: &mut Samples) -> Result<Vec<Verdict>> {
    let contestants = [Setup::OneThread, Setup::Threads].map(Contestant::Clients);
    open_in_turn(&contestants, WHAT, extent, into).await?;

    let mut verdicts = Vec::new();
    for contestant in contestants {
        let p50 = into.median(WHAT, contestant);
        verdicts.push(Verdict::at_most(format!("{WHAT}, p50, {contestant}"), p50, 150.0));
        let p99 = into.p99(WHAT, contestant);
        verdicts.push(Verdict::beside(format!("{WHAT}, p99, {contestant}"), p99));
    }
    Ok(verdicts)
}
