//! Pairing: asked, answered in either style, declined, and refused.

use std::time::{Duration, Instant};

use serde_json::json;
use socketio_p2p_harness::Server;

use crate::interop::Story;
use crate::interop::stock::{AGES, ALL, PAIRS, paired, paired_as, refusal, refusal_of};

#[tokio::test]
async fn clients_of_every_age_pair_over_every_transport() -> Story {
    for (a, b) in PAIRS {
        let server = Server::start().await?;
        let mut a = a.peer(&server, "A").start().await?;
        let mut b = b.peer(&server, "B").start().await?;

        let source_is_told = a.register("B").await?;
        let target_is_asked = b.wait_for("register-asked").await?;

        assert_eq!(source_is_told["partner"], "B");
        assert_eq!(target_is_asked["source"], "A");
        assert_eq!(target_is_asked["withAck"], true);
        assert_eq!(b.wait_for("paired").await?["partner"], "A");
    }
    Ok(())
}

#[tokio::test]
async fn a_target_may_accept_with_an_event_instead_of_the_acknowledgement() -> Story {
    for (a, b) in PAIRS {
        let server = Server::start().await?;
        let b = b.peer(&server, "B").args(["--answer", "event"]);

        let (mut a, mut b) = paired_as(a.peer(&server, "A"), b).await?;

        let reply = a.emit2("chat", json!(["hello"])).await?;
        assert_eq!(reply.value, json!({"echo": ["hello"]}));
        assert_eq!(b.wait_for("incoming").await?["args"], json!(["hello"]));
    }
    Ok(())
}

#[tokio::test]
async fn a_target_may_decline_in_either_style() -> Story {
    for style in ["decline", "decline-event"] {
        for kind in ALL {
            let server = Server::start().await?;
            let mut a = kind.peer(&server, "A").start().await?;
            let mut b = kind.peer(&server, "B").args(["--answer", style]).start().await?;
            let mut c = kind.peer(&server, "C").start().await?;

            assert_eq!(refusal(&mut a, "B").await, "declined", "{style}");

            b.wait_for("register-asked").await?;
            a.register("C").await?;
            assert_eq!(c.wait_for("paired").await?["partner"], "A");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_target_that_vanishes_while_it_is_asked_is_a_refusal() -> Story {
    for kind in ALL {
        let server = Server::start().await?;
        let mut a = kind.peer(&server, "A").start().await?;
        let mut b = kind.peer(&server, "B").args(["--answer", "silent"]).start().await?;

        a.send(json!({"cmd": "register", "target": "B"})).await?;
        b.wait_for("register-asked").await?;
        b.quit().await?;

        assert_eq!(refusal_of(&a.wait_for("refused").await?), "offline");
    }
    Ok(())
}

#[tokio::test]
async fn a_target_that_never_answers_is_a_refusal_at_the_deadline() -> Story {
    let server = Server::start().await?;
    let kind = AGES[0];
    let mut a = kind.peer(&server, "A").start().await?;
    let _b = kind.peer(&server, "B").args(["--answer", "silent"]).start().await?;
    let started = Instant::now();

    let code = refusal(&mut a, "B").await;

    assert_eq!(code, "timeout");
    assert!(started.elapsed() > Duration::from_secs(5), "{:?}", started.elapsed());
    Ok(())
}

#[tokio::test]
async fn a_busy_target_stays_with_its_partner() -> Story {
    for kinds in PAIRS {
        let server = Server::start().await?;
        let (mut a, mut b) = paired(&server, kinds).await?;
        let mut c = kinds.0.peer(&server, "C").start().await?;

        for target in ["A", "B"] {
            let code = refusal(&mut c, target).await;

            assert_eq!(code, "target-busy", "{target}");
        }
        assert_eq!(a.emit2("chat", json!([1])).await?.value, json!({"echo": [1]}));
        assert_eq!(b.emit2("chat", json!([2])).await?.value, json!({"echo": [2]}));
    }
    Ok(())
}

#[tokio::test]
async fn a_source_that_has_a_partner_gets_no_second_one() -> Story {
    for kinds in PAIRS {
        let server = Server::start().await?;
        let (mut a, mut b) = paired(&server, kinds).await?;
        let mut c = kinds.1.peer(&server, "C").start().await?;

        for peer in [&mut a, &mut b] {
            let code = refusal(peer, "C").await;

            assert_eq!(code, "source-busy");
        }
        assert_eq!(a.emit2("chat", json!([1])).await?.value, json!({"echo": [1]}));
        assert!(c.unread()?.is_empty(), "C was asked for a pairing that cannot be");
    }
    Ok(())
}

#[tokio::test]
async fn an_offline_target_and_oneself_are_refused() -> Story {
    for kind in ALL {
        let server = Server::start().await?;
        let mut a = kind.peer(&server, "A").start().await?;

        assert_eq!(refusal(&mut a, "nobody").await, "offline");
        assert_eq!(refusal(&mut a, "A").await, "self");
    }
    Ok(())
}

#[tokio::test]
async fn requests_that_cross_are_one_pairing_that_ends_once() -> Story {
    for (a, b) in PAIRS {
        let server = Server::start().await?;
        let mut a = a.peer(&server, "A").start().await?;
        let mut b = b.peer(&server, "B").start().await?;

        a.send(json!({"cmd": "register", "target": "B"})).await?;
        b.send(json!({"cmd": "register", "target": "A"})).await?;
        a.expect("partner B", |event| event["partner"] == "B").await?;
        b.expect("partner A", |event| event["partner"] == "A").await?;

        assert_eq!(a.emit2("chat", json!([1])).await?.value, json!({"echo": [1]}));
        assert_eq!(b.emit2("chat", json!([2])).await?.value, json!({"echo": [2]}));
        a.unregister().await?;
        b.wait_for("unpaired").await?;
        let (a, b) = (a.quit().await?, b.quit().await?);
        assert!(a.iter().chain(&b).all(|event| event.name() != "unpaired"), "{a:?} {b:?}");
    }
    Ok(())
}
