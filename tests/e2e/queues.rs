//! The queue in the server for a client that does not read.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use serde_json::{Value, json};
use socketio_p2p_client::{Event, P2pClientExt, Presence};
use socketio_p2p_server::{P2pServer, ServerLimits};

use crate::support::{
    bystanders::Bystanders,
    clients::{client, connect, pair},
    server::{TestServer, patient},
    soon,
    wire::{Wire, errors},
};

const KIB: usize = 1024;

const LONG: Duration = Duration::from_secs(3600);

/// More than all buffers of the system between the two ends of a connection.
const PLENTY: usize = 64 * 1024 * KIB;

fn limits() -> ServerLimits {
    patient().messages(None).bytes(None).strikes(None)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_makes_its_sender_congested_and_gets_all_that_was_relayed() {
    let server = TestServer::limited(limits()).await;
    let bystanders = Bystanders::on(&server).await;
    let mut slow = Wire::v2_narrow(&server, "slow").await;
    let mut sender = Wire::v2(&server, "sender").await;
    sender.ask_for("slow").await;
    slow.accept().await;
    let pairing = sender.is_paired().await;
    slow.is_paired().await;
    let filler = "x".repeat(100 * KIB);

    let mut relayed = Vec::new();
    let mut congested = false;
    for number in 1..PLENTY / filler.len() {
        let frame = json!({ "s": number, "k": 0, "t": "emit", "e": "x", "a": [filler] });
        let packet = format!(r#"42["P2P_FRAME","{pairing}",{frame}]"#);
        match &*errors(&sender.answers(&packet).await) {
            [] => relayed.push(json!(number)),
            [refused] => {
                assert_eq!(refused, "P2P_ERROR congested");
                congested = true;
            }
            more => panic!("{more:?}"),
        }
        if congested && number > relayed.len() + 10 {
            break;
        }
    }

    assert!(congested, "{} frames were relayed", relayed.len());
    assert!(server.p2p.counters().congested > 0);
    // What was relayed comes, each once and in order, and there is room again.
    for number in relayed {
        let (event, args) = slow.event().await;
        assert_eq!((event.as_str(), &args[1]["s"]), ("P2P_FRAME", &number));
    }
    let frame = json!({ "s": 1_000_000, "k": 0, "t": "emit", "e": "x", "a": [] });
    let packet = format!(r#"42["P2P_FRAME","{pairing}",{frame}]"#);
    assert_eq!(errors(&sender.answers(&packet).await), [""; 0]);
    assert_eq!(slow.event().await.1[1]["s"], 1_000_000);
    drop((slow, sender));
    server.becomes(4, 0, 2).await;
    // They are away for a while.
    for id in ["slow", "sender"] {
        server.p2p.kick(&id.parse().unwrap());
    }
    bystanders.noticed_nothing(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_v1_reader_makes_its_v1_sender_wait_and_gets_all_in_order() {
    const MANY: usize = 200;
    let layer = P2pServer::socket_io().ping_interval(LONG).build_layer();
    let server = TestServer::on(layer, |io| P2pServer::builder().limits(limits()).attach(io)).await;
    let mut slow = Wire::v1_narrow(&server, "slow").await;
    let mut sender = Wire::v1(&server, "sender").await;
    sender.ask_for("slow").await;
    slow.accept().await;
    sender.is_paired().await;
    let filler = "x".repeat(100 * KIB);
    let sent = AtomicUsize::new(0);

    let sending = async {
        for number in 0..MANY {
            let emit = json!({ "targetClientId": "slow", "event": "x", "args": [number, filler] });
            sender.send(&format!(r#"42["P2P_EMIT",{emit}]"#)).await;
            sent.fetch_add(1, Ordering::Relaxed);
        }
    };
    let reading = async {
        while sent.load(Ordering::Relaxed) < MANY / 10 {
            tokio::task::yield_now().await;
        }
        for number in 0..MANY {
            let (event, args) = slow.event().await;
            assert_eq!((event.as_str(), &args[0]), ("x", &json!(number)));
        }
    };
    tokio::join!(sending, reading);

    assert_eq!(errors(&sender.rest().await), [""; 0]);
    assert_eq!(server.p2p.counters().congested, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_with_a_slow_partner_loses_nothing() {
    let server = TestServer::limited(limits().queue(64 * KIB, 256 * KIB)).await;
    let [a, _b] = pair(&server, client(&server, "A"), client(&server, "B")).await;
    let text = "x".repeat(10 * KIB);

    let calls = (0..200).map(|_| a.emit2("echo", &text).into_future());
    let replies = soon(futures_util::future::join_all(calls)).await;

    for reply in replies {
        let reply: Value = reply.unwrap();
        assert_eq!(reply, json!([text]));
    }
    assert!(server.p2p.counters().congested > 0, "it was slow");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_never_reads_is_disconnected() {
    let server = TestServer::limited(limits().queue(16 * KIB, 32 * KIB)).await;
    let bystanders = Bystanders::on(&server).await;
    let a = connect(&server, "A").await;
    let mut events = a.events();
    let mut deaf = Wire::v2_narrow(&server, "deaf").await;
    deaf.ask_for("A").await;
    deaf.is_paired().await;

    // Each is answered, at a length of its own choice.
    let name = "x".repeat(900);
    let flood = async {
        // It is looked for every other second: an amount that is surely enough may be sent before.
        while server.p2p.counters().unread == 0 {
            deaf.send_or_give_up(&format!(r#"42["P2P_PING",{{"req":1,"{name}":1}}]"#)).await;
            deaf.send_or_give_up(r#"42["P2P_UNKNOWN"]"#).await;
            tokio::task::yield_now().await;
        }
    };
    soon(flood).await;

    assert_eq!(server.p2p.counters().unread, 1);
    // It may come back: its session is kept.
    loop {
        if let Event::Partner(Presence::Away) = soon(events.recv()).await.unwrap() {
            break;
        }
    }
    server.p2p.kick(&"deaf".parse().unwrap());
    soon(a.close()).await;
    bystanders.noticed_nothing(&server).await;
}
