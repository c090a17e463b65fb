//! More in one loop than any queue takes, and messages that are too large.

use std::time::Duration;

use futures_util::{FutureExt as _, future::try_join_all};
use serde_json::json;
use socketio_p2p_harness::Peer;

use super::{Seen, Side, Step, holds, losses};
use crate::interop::bursts::{long_answers, many_calls, many_emits};
use crate::interop::stock::{Stock, V2_POLLING, V4, V4_POLLING, paired, paired_as};

pub(super) const STEPS: &[Step] = &[
    Step {
        name: "3,000 calls of 200 B in one loop, 4.8.4 over websocket and polling",
        reference: "all are answered, in order",
        ours: "all are answered, in order",
        why: "",
        observe: |side| calls(side).boxed_local(),
    },
    Step {
        name: "512 emits of 16 KiB in one loop, 4.8.4 over websocket and polling",
        reference: "all arrive, in order",
        ours: "all arrive, in order",
        why: "",
        observe: |side| emits(side).boxed_local(),
    },
    Step {
        name: "15 answers of 100 kB at once from a client that polls",
        reference: "all arrive",
        ours: "all arrive",
        why: "",
        observe: |side| answers(side).boxed_local(),
    },
    Step {
        name: "300 calls to a page that answers none, then 20 emits",
        reference: "the emits arrive at once",
        ours: "the emits arrive when calls have timed out",
        why: "256 calls may wait for the partner, each for 30 s; what was sent later stays behind them, in order",
        observe: |side| unanswered(side).boxed_local(),
    },
    Step {
        name: "an emit of 600 kB, 4.8.4 over websocket or polling",
        reference: "arrives",
        ours: "refused to the sender: too-large, the sender is lost",
        why: "the limit is 512 KiB here, 1 MB there; a client that polls ends its connection at a 413",
        observe: |side| large(side, 600_000).boxed_local(),
    },
    Step {
        name: "an emit of 1.5 MB, 4.8.4 over websocket or polling",
        reference: "the sender is lost",
        ours: "refused to the sender: too-large, the sender is lost",
        why: "what is too long on a websocket is left out while it is read; as above by polling",
        observe: |side| large(side, 1_500_000).boxed_local(),
    },
    Step {
        name: "11 blobs in one emit to 4.8.4",
        reference: "the sender is lost",
        ours: "refused to the sender: bad-args",
        why: "socket.io-parser 4.2.7 takes 10, at either end",
        observe: |side| blobs(side, V4, 11).boxed_local(),
    },
    Step {
        name: "a blob to 2.5 over polling",
        reference: "arrives",
        ours: "refused to the sender: bad-args",
        why: "engineioxide 0.17.9 leaves out the type of its packet",
        observe: |side| blobs(side, V2_POLLING, 1).boxed_local(),
    },
];

async fn calls(side: Side) -> Seen {
    for kind in [V4, V4_POLLING] {
        many_calls(&side.start().await?, (kind, kind), 3_000).await?;
    }
    Ok("all are answered, in order".into())
}

async fn emits(side: Side) -> Seen {
    for kind in [V4, V4_POLLING] {
        many_emits(&side.start().await?, (kind, kind), 512).await?;
    }
    Ok("all arrive, in order".into())
}

async fn answers(side: Side) -> Seen {
    let server = side.start().await?;
    holds(long_answers(&server, (V4_POLLING, V4_POLLING), 100_000), "all arrive").await
}

async fn unanswered(side: Side) -> Seen {
    let server = side.start().await?;
    let silent = V4.peer(&server, "B").args(["--reply", "none"]);
    let (mut a, mut b) = paired_as(V4.peer(&server, "A"), silent).await?;
    a.send(json!({"cmd": "burst", "id": 1, "count": 300, "event": "chat", "ack": true})).await?;
    a.send(json!({"cmd": "burst", "id": 2, "count": 20})).await?;

    let at_once = tokio::time::timeout(Duration::from_secs(15), b.wait_for("bursted")).await;
    if at_once.is_ok_and(|bursted| bursted.is_ok_and(|event| event["arrived"] == 20)) {
        return Ok("the emits arrive at once".into());
    }
    let bursted = b.wait_for("bursted").await?;
    assert_eq!(bursted["arrived"], 20);
    Ok("the emits arrive when calls have timed out".into())
}

/// Emits a text of so many bytes, and says what became of it.
async fn large(side: Side, bytes: usize) -> Seen {
    let fates = [V4, V4_POLLING].map(async |kind| -> Seen {
        let server = side.start().await?;
        let (mut a, b) = paired(&server, (kind, kind)).await?;
        let args = ["x".repeat(bytes)];
        a.send(json!({"cmd": "emit2", "id": 1, "event": "chat", "args": args, "ack": true}))
            .await?;
        fate(a, b).await
    });
    let mut fates = try_join_all(fates).await?;
    fates.dedup();
    Ok(fates.join(", "))
}

async fn blobs(side: Side, to: Stock, count: usize) -> Seen {
    let server = side.start().await?;
    let (mut a, b) = paired(&server, (V4, to)).await?;
    let blobs = vec![json!({"$bin": "AAEC"}); count];
    a.send(json!({"cmd": "emit2", "id": 1, "event": "chat", "args": blobs, "ack": true})).await?;
    fate(a, b).await
}

/// Says what became of a call.
async fn fate(mut a: Peer, mut b: Peer) -> Seen {
    let replied =
        a.expect("a reply or the end", |event| ["reply", "disconnected"].contains(&event.name()));
    let receiver_lost = b.expect("the end", |event| event.name() == "disconnected");
    let seen = tokio::select! {
        event = replied => {
            let event = event?;
            match (event.name(), event["value"]["error"]["code"].as_str()) {
                ("reply", None) => "arrives".to_owned(),
                ("reply", Some(code)) => format!("refused to the sender: {code}"),
                _ => "the sender is lost".to_owned(),
            }
        }
        event = receiver_lost => event.map(|_| "the receiver is lost".to_owned())?,
    };
    let lost = [losses(&mut a)?, losses(&mut b)?].concat();
    assert!(lost.is_empty() || seen.contains("lost"), "{seen}, and {lost:?}");
    Ok(seen)
}
