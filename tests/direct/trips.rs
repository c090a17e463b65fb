//! 64 bytes there and back, beside raw UDP between the same two processes: an acknowledged `emit2`
//! of two clients, whose handler returns what came; a message over the main channel of two bare
//! connections, which says how much of that is WebRTC; a message between simple-peers.

use anyhow::{Context as _, Result};
use serde_json::json;
use socketio_p2p_harness::bench::Verdict;

use crate::pair::{Contestant, Pair, number};
use crate::part::Role::{Answerer, Offerer};
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
        let mut pair = Pair::start(contestant).await?;
        let (of, _) = pair.open().await?;
        trips(&mut pair, of, WARM_UP).await?;
        let udp = if contestant == Contestant::SimplePeer {
            None
        } else {
            let answer = pair.ask(Answerer, json!({ "order": "udp" })).await?;
            Some(answer["udp"].as_str().context("no address")?.to_owned())
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
    for &ours in contestants {
        let to_udp = into.ratio((P50, ours), (UDP_P50, ours));
        let by_udp = format!("64 B, p50, {ours}: ours / raw UDP");
        let to_node = into.ratio((P50, Contestant::SimplePeer), (P50, ours));
        let by_node = format!("64 B, p50, {ours}: simple-peer / ours");
        match ours {
            Contestant::Clients(_) => {
                verdicts.push(Verdict::at_most(by_udp, to_udp, 2.2));
                verdicts.push(Verdict::at_least(by_node, to_node, 2.0));
            }
            Contestant::Bare(_) => {
                verdicts.push(Verdict::beside(by_udp, to_udp));
                verdicts.push(Verdict::beside(by_node, to_node));
            }
            Contestant::SimplePeer => {}
        }
    }
    Ok(verdicts)
}

async fn trips(pair: &mut Pair, of: u32, count: usize) -> Result<(f64, f64)> {
    let order = json!({ "of": of, "order": "trips", "count": count });
    let answer = pair.ask(Offerer, order).await?;
    Ok((number(&answer, "p50")?, number(&answer, "p99")?))
}
