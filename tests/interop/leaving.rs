//! The end of a pairing: from either end, by a partner that vanishes, and of a v1 client that returns.

use std::time::Instant;

use serde_json::json;
use socketio_p2p_harness::Server;

use crate::interop::Story;
use crate::interop::stock::{AGES, ALL, PAIRS, names, paired, paired_as, paired_with_rust};

#[tokio::test]
async fn either_end_unregisters_and_both_are_free_again() -> Story {
    for kinds in PAIRS {
        let server = Server::start().await?;
        let (mut a, mut b) = paired(&server, kinds).await?;

        assert_eq!(a.unregister().await?["args"], json!([]), "the answer has no arguments");
        b.wait_for("unpaired").await?;
        b.register("A").await?;
        a.wait_for("paired").await?;
        a.unregister().await?;
        b.wait_for("unpaired").await?;
        b.register("A").await?;
        a.expect("the pairing again", |event| event.name() == "paired").await?;
        b.unregister().await?;
        a.wait_for("unpaired").await?;

        for peer in [a, b] {
            let rest = peer.quit().await?;
            assert!(rest.iter().all(|event| event.name() != "unpaired"), "told twice: {rest:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn unregister_is_answered_only_when_the_partner_is_free() -> Story {
    for (a, b) in PAIRS {
        let server = Server::start().await?;
        let b = b.peer(&server, "B").args(["--free", "held"]);
        let (mut a, mut b) = paired_as(a.peer(&server, "A"), b).await?;

        a.send(json!({"cmd": "unregister"})).await?;
        assert_eq!(b.wait_for("unregister-asked").await?["withAck"], true);
        // Whatever the server has to say to A already, it says before the list.
        a.list().await?;
        let before = a.unread()?;
        b.send(json!({"cmd": "free"})).await?;
        a.wait_for("unpaired").await?;

        assert_eq!(names(&before), ["unregister-asked"], "the initiator gets the event as well");
    }
    Ok(())
}

#[tokio::test]
async fn what_was_emitted_before_unregistering_arrives_before_the_end() -> Story {
    for kinds in PAIRS {
        let server = Server::start().await?;
        let (mut a, mut b) = paired(&server, kinds).await?;
        for (count, bytes) in [(2, 200_000), (40, 10_000), (2_000, 20)] {
            a.send(json!({"cmd": "burst", "id": 1, "count": count, "bytes": bytes})).await?;
            a.unregister().await?;

            let bursted = b.wait_for("bursted").await?;
            assert_eq!((&bursted["arrived"], &bursted["inOrder"]), (&json!(count), &json!(true)));
            b.wait_for("unpaired").await?;
            a.register("B").await?;
            b.wait_for("paired").await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn what_a_stock_client_emitted_before_unregistering_arrives_at_a_rust_peer() -> Story {
    for kind in ALL {
        let server = Server::start().await?;
        let (mut rust, mut stock) = paired_with_rust(&server, kind).await?;

        let burst = json!({"cmd": "burst", "id": 1, "count": 40, "bytes": 10_000, "event": "chat"});
        stock.send(burst).await?;
        stock.unregister().await?;

        for n in 0..40 {
            assert_eq!(rust.wait_for("incoming").await?["args"][0], n);
        }
        rust.wait_for("unpaired").await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_partner_that_does_not_let_go_is_waited_for_three_seconds() -> Story {
    let server = Server::start().await?;
    let kind = AGES[1];
    let b = kind.peer(&server, "B").args(["--free", "held"]);
    let (mut a, _b) = paired_as(kind.peer(&server, "A"), b).await?;
    let mut c = kind.peer(&server, "C").start().await?;
    let started = Instant::now();

    a.unregister().await?;

    let waited = started.elapsed();
    assert!(waited.as_millis() >= 2_500, "{waited:?}");
    a.register("C").await?;
    c.wait_for("paired").await?;
    Ok(())
}

#[tokio::test]
async fn unregister_without_a_pairing_is_answered_at_once() -> Story {
    for kind in ALL {
        let server = Server::start().await?;
        let mut a = kind.peer(&server, "A").start().await?;

        a.send(json!({"cmd": "unregister"})).await?;
        // What is not answered at once is answered after the list.
        a.list().await?;

        let before = a.unread()?;
        assert_eq!(names(&before), ["unpaired"]);
        assert_eq!(before[0]["args"], json!([]));
    }
    Ok(())
}

#[tokio::test]
async fn both_ends_may_unregister_at_once() -> Story {
    for kinds in PAIRS {
        let server = Server::start().await?;
        let (mut a, mut b) = paired(&server, kinds).await?;

        a.send(json!({"cmd": "unregister"})).await?;
        b.send(json!({"cmd": "unregister"})).await?;

        a.wait_for("unpaired").await?;
        b.wait_for("unpaired").await?;
        a.register("B").await?;
        b.expect("the next pairing", |event| event.name() == "paired").await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_partner_of_one_who_disconnected_is_told_once() -> Story {
    for kinds in PAIRS {
        let server = Server::start().await?;
        let (a, mut b) = paired(&server, kinds).await?;

        a.quit().await?;

        assert_eq!(b.wait_for("unpaired").await?["reason"], "disconnected");
        assert_eq!(b.list().await?, json!(["B"]));
        let rest = b.quit().await?;
        assert!(rest.is_empty(), "{rest:?}");
    }
    Ok(())
}

#[tokio::test]
async fn the_partner_of_one_who_crashed_is_told_once() -> Story {
    for kinds in PAIRS.into_iter().filter(|(_, b)| b.is_websocket()) {
        let server = Server::start().await?;
        let (mut a, b) = paired(&server, kinds).await?;

        b.kill().await;

        assert_eq!(a.wait_for("unpaired").await?["reason"], "disconnected");
        let rest = a.quit().await?;
        assert!(rest.is_empty(), "{rest:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_freed_partner_can_be_paired_again() -> Story {
    for kinds in PAIRS {
        let server = Server::start().await?;
        let (a, mut b) = paired(&server, kinds).await?;
        let mut c = kinds.0.peer(&server, "C").start().await?;
        a.quit().await?;
        b.wait_for("unpaired").await?;

        c.register("B").await?;

        assert_eq!(b.wait_for("paired").await?["partner"], "C");
        assert_eq!(c.emit2("chat", json!([1])).await?.value, json!({"echo": [1]}));
    }
    Ok(())
}

#[tokio::test]
async fn a_client_that_reconnects_is_told_to_forget_its_pairing() -> Story {
    for kinds in PAIRS {
        let server = Server::start().await?;
        let (mut a, mut b) = paired(&server, kinds).await?;

        a.send(json!({"cmd": "drop"})).await?;
        a.wait_for("disconnected").await?;
        a.wait_for("connected").await?;

        assert_eq!(a.wait_for("unpaired").await?["reason"], "disconnected");
        assert_eq!(b.wait_for("unpaired").await?["reason"], "disconnected");
        b.register("A").await?;
        assert_eq!(a.wait_for("paired").await?["partner"], "B");
        assert_eq!(a.emit2("chat", json!([1])).await?.value, json!({"echo": [1]}));
    }
    Ok(())
}

#[tokio::test]
async fn an_acknowledgement_comes_when_the_partner_vanishes() -> Story {
    for (a, b) in PAIRS {
        let server = Server::start().await?;
        let b = b.peer(&server, "B").args(["--reply", "none"]);
        let (mut a, mut b) = paired_as(a.peer(&server, "A"), b).await?;

        let call = a.start_emit2("chat", json!([1])).await?;
        b.wait_for("incoming").await?;
        b.quit().await?;

        let reply = a.reply(call).await?;
        assert!(reply.value["error"]["code"].is_string(), "{reply:?}");
    }
    Ok(())
}
