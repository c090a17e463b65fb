//! 64 bytes there and back over the main channel, beside raw UDP between the same two processes.

use anyhow::{Context as _, Result};
use serde_json::json;
use socketio_p2p_harness::bench::Verdict;

use crate::end::Role::{Answerer, Offerer};
use crate::pair::{Contestant, Pair, number};
use crate::plan::Extent;
use crate::report::Samples;

const P50: &str = "64 B round trip, p50, us";
const P99: &str = "64 B round trip, p99, us";
const UDP_P50: &str = "raw UDP round trip, p50, us";
const UDP_P99: &str = "raw UDP round trip, p99, us";

/// Trips before the first round, which nobody counts.
const WARM_UP: usize = 200;

/// One at a time, in rounds of all contestants.
pub(crate) async fn measure(
    contestants: &[Contestant],
    extent: &Extent,
    into: &mut Samples,
) -> Result<Vec<Verdict>> {
    let mut pairs = Vec::new();
    for &contestant in contestants {
        let mut pair = Pair::start(contestant)?;
        let (of, _) = pair.open().await?;
        trips(&mut pair, of, WARM_UP).await?;
        let udp = match contestant {
            Contestant::Ours(_) => {
                let answer = pair.ask(Answerer, json!({ "order": "udp" })).await?;
                Some(answer["udp"].as_str().context("no address")?.to_owned())
            }
            Contestant::SimplePeer => None,
        };
        pairs.push((contestant, pair, of, udp));
    }
    for _ in 0..extent.rounds {
        for (contestant, pair, of, udp) in &mut pairs {
            if let Some(to) = udp {
                let order = json!({ "order": "udp-trips", "to": to, "count": extent.trips });
                let answer = pair.ask(Offerer, order).await?;
                into.push(UDP_P50, *contestant, number(&answer, "p50")?);
                into.push(UDP_P99, *contestant, number(&answer, "p99")?);
            }
            let (p50, p99) = trips(pair, *of, extent.trips).await?;
            into.push(P50, *contestant, p50);
            into.push(P99, *contestant, p99);
        }
    }
    for (_, pair, ..) in pairs {
        pair.end_both().await?;
    }

    let mut verdicts = Vec::new();
    for &ours in contestants.iter().filter(|&&other| other != Contestant::SimplePeer) {
        let ratio = into.ratio((P50, ours), (UDP_P50, ours));
        let goal = format!("64 B trip, p50, {ours}: ours / raw UDP");
        verdicts.push(Verdict::at_most(goal, ratio, 2.2));
        let ratio = into.ratio((P50, Contestant::SimplePeer), (P50, ours));
        let goal = format!("64 B trip, p50, {ours}: simple-peer / ours");
        verdicts.push(Verdict::at_least(goal, ratio, 2.0));
    }
    Ok(verdicts)
}

async fn trips(pair: &mut Pair, of: u32, count: usize) -> Result<(f64, f64)> {
    let order = json!({ "of": of, "order": "trips", "count": count });
    let answer = pair.ask(Offerer, order).await?;
    Ok((number(&answer, "p50")?, number(&answer, "p99")?))
}
