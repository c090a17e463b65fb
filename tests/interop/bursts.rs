//! More in one loop than any queue takes: its sender waits, and nothing is dropped or left unanswered.

use serde_json::json;
use socketio_p2p_harness::{Peer, Server};

use crate::interop::Story;
use crate::interop::stock::{
    ALL, PAIRS, Stock, V2, V2_POLLING, V4, V4_POLLING, paired, paired_with_rust,
};

/// What socket.io-client 2.5 puts into one request of polling is limited to 512 KiB.
fn calls(kind: Stock) -> u64 {
    if kind.is_engine_io_3_over_polling() { 1_500 } else { 3_000 }
}

#[tokio::test]
async fn each_of_thousands_of_calls_in_one_loop_is_answered() -> Story {
    for kinds in PAIRS {
        many_calls(&Server::start().await?, kinds, calls(kinds.0)).await?;
    }
    Ok(())
}

/// Lets the first client call so many times in one loop.
pub(crate) async fn many_calls(server: &Server, kinds: (Stock, Stock), count: u64) -> Story {
    let (mut a, mut b) = paired(server, kinds).await?;

    a.send(json!({"cmd": "burst", "id": 1, "count": count, "bytes": 200, "ack": true})).await?;

    let bursted = b.wait_for("bursted").await?;
    assert_eq!((&bursted["arrived"], &bursted["inOrder"]), (&json!(count), &json!(true)));
    assert_eq!(a.wait_for("burst").await?["right"], count);
    assert_undisturbed(&mut a)?;
    assert_undisturbed(&mut b)?;
    Ok(())
}

#[tokio::test]
async fn clients_that_call_each_other_in_one_loop_get_all_answers() -> Story {
    for kinds in [(V4, V4), (V2, V2), (V4_POLLING, V4_POLLING), (V2_POLLING, V4)] {
        let server = Server::start().await?;
        let (mut a, mut b) = paired(&server, kinds).await?;
        let counts = [calls(kinds.0), calls(kinds.1)];

        for (client, count) in [&mut a, &mut b].into_iter().zip(counts) {
            let burst = json!({"cmd": "burst", "id": 1, "count": count, "bytes": 200, "ack": true});
            client.send(burst).await?;
        }

        for (client, count) in [&mut a, &mut b].into_iter().zip(counts) {
            assert_eq!(client.wait_for("burst").await?["right"], count, "{kinds:?}");
        }
        assert_undisturbed(&mut a)?;
        assert_undisturbed(&mut b)?;
    }
    Ok(())
}

#[tokio::test]
async fn emits_in_one_loop_arrive_in_order_at_a_stock_client() -> Story {
    for kinds in PAIRS {
        let count = if kinds.0.is_engine_io_3_over_polling() { 30 } else { 512 };
        many_emits(&Server::start().await?, kinds, count).await?;
    }
    Ok(())
}

/// Lets the first client emit so many times 16 KiB in one loop.
pub(crate) async fn many_emits(server: &Server, kinds: (Stock, Stock), count: u64) -> Story {
    let (mut a, mut b) = paired(server, kinds).await?;

    a.send(json!({"cmd": "burst", "id": 1, "count": count, "bytes": 16 * 1024})).await?;

    let bursted = b.wait_for("bursted").await?;
    assert_eq!((&bursted["arrived"], &bursted["inOrder"]), (&json!(count), &json!(true)));
    assert_undisturbed(&mut a)?;
    assert_undisturbed(&mut b)?;
    Ok(())
}

#[tokio::test]
async fn emits_in_one_loop_arrive_in_order_at_a_rust_peer() -> Story {
    for kind in ALL {
        let server = Server::start().await?;
        let (mut rust, mut stock) = paired_with_rust(&server, kind).await?;
        let count = if kind.is_engine_io_3_over_polling() { 30 } else { 512 };
        let burst = json!({"cmd": "burst", "id": 1, "count": count, "bytes": 16 * 1024,
            "event": "chat"});

        stock.send(burst).await?;

        for n in 0..count {
            assert_eq!(rust.wait_for("incoming").await?["args"][0], n);
        }
        assert_undisturbed(&mut stock)?;
    }
    Ok(())
}

#[tokio::test]
async fn long_answers_that_come_at_once_all_arrive() -> Story {
    for kinds in PAIRS {
        // What socket.io-client 2.5 puts into one request of polling is limited to 512 KiB.
        let answer = if kinds.1.is_engine_io_3_over_polling() { 30_000 } else { 100_000 };
        long_answers(&Server::start().await?, kinds, answer).await?;
    }
    Ok(())
}

/// Lets the second client answer 15 calls at once with so many bytes each.
pub(crate) async fn long_answers(server: &Server, kinds: (Stock, Stock), bytes: u64) -> Story {
    let (mut a, mut b) = paired(server, kinds).await?;

    a.send(json!({"cmd": "burst", "id": 1, "count": 15, "answer": bytes, "ack": true})).await?;

    assert_eq!(a.wait_for("burst").await?["right"], 15);
    assert_undisturbed(&mut a)?;
    assert_undisturbed(&mut b)?;
    Ok(())
}

/// Asserts that a peer has reported no error and no lost connection.
pub(crate) fn assert_undisturbed(peer: &mut Peer) -> Story {
    let mut events = peer.unread()?;
    events.retain(|event| ["error", "disconnected"].contains(&event.name()));
    assert!(events.is_empty(), "{events:?}");
    Ok(())
}
