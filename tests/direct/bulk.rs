//! Many messages of 16 KiB one way, until the receiver has them all: how fast, for how much CPU time.
//!
//! Ours go over a raw channel, which waits when its window is full; simple-peer's in the fastest way
//! that was found for it (`node/end.js`).

use anyhow::Result;
use serde_json::json;
use socketio_p2p_harness::bench::Verdict;

use crate::pair::{Contestant, Pair, number};
use crate::part::Role::{Answerer, Offerer};
use crate::plan::Extent;
use crate::report::Samples;

const RATE: &str = "bulk, MB/s";
const CPU: &str = "bulk, CPU seconds a GB, both ends";
const CHUNK: usize = 16 << 10;

/// In rounds of all contestants, over one connection of each.
pub(crate) async fn measure(
    contestants: &[Contestant],
    extent: &Extent,
    into: &mut Samples,
) -> Result<Vec<Verdict>> {
    let mut pairs = Vec::new();
    for &contestant in contestants {
        let mut pair = Pair::start(contestant).await?;
        let (of, _) = pair.open().await?;
        pairs.push((contestant, pair, of));
    }
    let bytes = extent.mebibytes << 20;
    for _ in 0..extent.rounds {
        for (contestant, pair, of) in &mut pairs {
            let expect = json!({ "of": of, "order": "expect", "bytes": bytes });
            pair.ask(Answerer, expect).await?;
            let before = pair.cpu()?;
            let order = json!({ "of": of, "order": "bulk", "bytes": bytes, "chunk": CHUNK });
            let answer = pair.ask(Offerer, order).await?;
            let cpu = pair.cpu()? - before;
            into.push(RATE, *contestant, bytes as f64 / 1e6 / number(&answer, "seconds")?);
            into.push(CPU, *contestant, cpu.as_secs_f64() / (bytes as f64 / 1e9));
        }
    }
    for (_, pair, _) in pairs {
        pair.end_both().await?;
    }

    let mut verdicts = Vec::new();
    let node = Contestant::SimplePeer;
    for &ours in contestants.iter().filter(|&&other| other != node) {
        let goal = format!("bulk, MB/s, {ours}: ours / simple-peer");
        verdicts.push(Verdict::at_least(goal, into.ratio((RATE, ours), (RATE, node)), 1.8));
        let goal = format!("bulk, CPU a GB, {ours}: ours / simple-peer");
        verdicts.push(Verdict::at_most(goal, into.ratio((CPU, ours), (CPU, node)), 0.7));
    }
    Ok(verdicts)
}
