//! How soon a partner is missed whose process is killed.

use std::time::Instant;

use anyhow::Result;
use socketio_p2p_harness::bench::Verdict;

use crate::end::{Role, Setup};
use crate::pair::{Contestant, Pair};
use crate::plan::Extent;
use crate::report::Samples;

const WHAT: &str = "killed to silent, s";
const OURS: Contestant = Contestant::Ours(Setup::Threads);

/// Kills one after the other.
pub(crate) async fn measure(extent: &Extent, into: &mut Samples) -> Result<Vec<Verdict>> {
    for _ in 0..extent.kills {
        let mut pair = Pair::start(OURS)?;
        let (of, _) = pair.open().await?;
        let killed = Instant::now();
        pair.answerer.kill()?;
        pair.wait_for(Role::Offerer, of, "silent").await?;
        into.push(WHAT, OURS, killed.elapsed().as_secs_f64());
        pair.offerer.end().await?;
    }

    let worst = into.all(WHAT, OURS).and_then(|all| all.iter().copied().reduce(f64::max));
    Ok(vec![Verdict::at_most("partner killed to silent, the slowest: s", worst, 1.0)])
}
