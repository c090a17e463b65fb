//! The figures that the relay is to reach, and whether it did.

use socketio_p2p_harness::bench::Verdict;

use crate::contestant::Contestant::{Floor, Node, P2p, P2pV1, SocketIo};
use crate::report::Metric::{CpuPer100kEmits, EmitsPerSecond, KibPerClient, RoundTripP50};
use crate::report::{Key, Samples};
use crate::rust_clients;

/// Every goal of the relay.
pub(crate) fn verdicts(samples: &Samples) -> Vec<Verdict> {
    let ratio = |over: Key, under: Key| samples.ratio(&over, &under);
    let mut verdicts = Vec::new();

    for (row, bound) in [("1 pair x 64", 1.1), ("50 pairs x 4", 1.3), ("500 pairs x 1", 1.7)] {
        let key = |contestant| (CpuPer100kEmits, row.to_owned(), contestant);
        let goal = format!("CPU an acked emit, {row}: p2p / floor");
        verdicts.push(Verdict::at_most(goal, ratio(key(P2p), key(Floor)), bound));
    }
    let third = 1.0 / 3.0;
    for ours in [P2p, P2pV1] {
        for (row, bound) in
            [("1 pair x 64", third), ("50 pairs x 2", third), ("500 pairs x 1", 0.5)]
        {
            let key = |contestant| (CpuPer100kEmits, format!("{row}, vs node"), contestant);
            let goal = format!("CPU an acked emit, {row}: {ours} / Node");
            verdicts.push(Verdict::at_most(goal, ratio(key(ours), key(Node)), bound));
        }
    }
    for row in ["1 pair x 64", "50 pairs x 2", "500 pairs x 1"] {
        let key = |contestant| (CpuPer100kEmits, format!("{row}, vs node"), contestant);
        let what = format!("CPU an acked emit, {row}: floor / Node");
        verdicts.push(Verdict::beside(what, ratio(key(Floor), key(Node))));
    }
    for row in ["1 pair x 64", "50 pairs x 4", "500 pairs x 1"] {
        let key = |when| (CpuPer100kEmits, format!("{row}, {when}"), P2p);
        let goal = format!("CPU an acked emit, {row}: p2p beside idle / before");
        verdicts.push(Verdict::at_most(goal, ratio(key("beside"), key("before")), 1.1));
    }
    for count in [1_000, 10_000] {
        let bare = (KibPerClient, format!("{count} clients, connected"), SocketIo);
        for state in ["connected", "paired"] {
            let ours = (KibPerClient, format!("{count} clients, {state}"), P2p);
            let goal = format!("memory a client, {count} {state}: p2p / bare Socket.IO");
            verdicts.push(Verdict::at_most(goal, ratio(ours, bare.clone()), 1.2));
        }
    }
    let rust = |metric, row: &str, contestant| (metric, row.to_owned(), contestant);
    verdicts.push(Verdict::at_most(
        "Rust to Rust, acked round trip p50: p2p / floor",
        ratio(
            rust(RoundTripP50, rust_clients::ROUND_TRIP, P2p),
            rust(RoundTripP50, rust_clients::ROUND_TRIP, Floor),
        ),
        1.25,
    ));
    verdicts.push(Verdict::at_least(
        "Rust to Rust, 64 in flight: acked emits a second",
        samples.median(&rust(EmitsPerSecond, rust_clients::IN_FLIGHT, P2p)),
        50_000.0,
    ));
    verdicts
}
