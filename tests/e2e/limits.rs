//! Rate limits, and the treatment of a client that exceeds them.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use socketio_p2p_client::P2pClientExt;
use socketio_p2p_server::{Counters, EndReason, Event, P2pServer, Rate, ServerLimits};

use crate::support::{
    bystanders::Bystanders,
    clients::{assert_echoes, client, connect, pair},
    server::{TestServer, next, patient},
    soon,
    wire::{Packet, Wire, errors, event},
};

/// So many at once, and none again while a story lasts.
const fn only(count: u32) -> Rate {
    Rate::new(1, Duration::from_secs(3600)).burst(count)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_welcome_states_the_rates() {
    let rate = Rate::new(30, Duration::from_secs(1)).burst(70);
    let server = TestServer::limited(ServerLimits::default().messages(rate).bytes(None)).await;

    let welcome = Wire::welcome(&server, "A").await;

    let stated = |key: &str| welcome["limits"][key].as_u64();
    assert_eq!((stated("messageRate"), stated("messageBurst")), (Some(30), Some(70)));
    assert_eq!((stated("byteRate"), stated("byteBurst")), (Some(0), Some(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_ours_keeps_to_the_rates_and_nothing_is_lost() {
    // Messages that a busy machine holds up for a second and more arrive together within the burst.
    let rate = Rate::new(30, Duration::from_secs(1)).burst(90);
    let server = TestServer::limited(patient().messages(rate)).await;
    let [a, _b] = pair(&server, client(&server, "A"), client(&server, "B")).await;

    // One after the other, so that no batch carries many.
    for call in 0..100 {
        let reply: Value = soon(a.emit2("echo", call)).await.unwrap();
        assert_eq!(reply, json!([call]));
    }
    let calls = (0..1000).map(|call| a.emit2("echo", call).into_future());
    for (call, reply) in soon(join_all(calls)).await.into_iter().enumerate() {
        let reply: Value = reply.unwrap();
        assert_eq!(reply, json!([call]));
    }

    assert_eq!(server.p2p.counters(), Counters::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_over_the_rate_are_refused_with_their_pairing() {
    let server = TestServer::limited(ServerLimits::default().messages(only(10))).await;
    let bystanders_would_be_limited_too = connect(&server, "B").await;
    let mut wire = Wire::v2_binary(&server, "A").await;
    let pairing = wire.register("B").await;

    for number in 1..=12 {
        let frame = json!({ "s": number, "k": 0, "t": "emit", "e": "x", "a": [] });
        wire.send(&format!(r#"42["P2P_FRAME","{pairing}",{frame}]"#)).await;
    }
    wire.send(r#"451-["P2P_FRAME",{"_placeholder":true,"num":0}]"#).await;
    let mut binary = vec![u8::try_from(pairing.len()).unwrap()];
    binary.extend_from_slice(pairing.as_bytes());
    wire.send_binary(&binary).await;

    // The registration was the first of the ten.
    for _ in 10..=13 {
        let (event, args) = refusal(&mut wire).await;
        assert_eq!(event, "P2P_ERROR");
        assert_eq!(args[0]["code"], "rate-limited");
        assert_eq!(args[0]["pairing"], json!(pairing));
    }
    assert_eq!(server.p2p.counters().rate_limited, 4);
    drop(bystanders_would_be_limited_too);
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_are_limited_too() {
    let server = TestServer::limited(ServerLimits::default().bytes(only(100_000))).await;
    let mut wire = Wire::v2(&server, "A").await;
    let large = "x".repeat(60_000);

    for _ in 0..2 {
        wire.send(&format!(r#"42["P2P_FRAME","1-1","{large}"]"#)).await;
    }

    assert_eq!(errors(&wire.rest().await), ["P2P_ERROR not-paired", "P2P_ERROR rate-limited"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn v1_emits_over_the_rate_wait_and_none_is_refused() {
    const EMITS: usize = 40;
    let rate = Rate::new(50, Duration::from_secs(1)).burst(5);
    let server = TestServer::limited(ServerLimits::default().messages(rate)).await;
    let _b = connect(&server, "B").await;
    let mut wire = Wire::v1(&server, "A").await;
    wire.register("B").await;

    let emit = json!({ "targetClientId": "B", "event": "echo", "args": [1] });
    for number in 0..EMITS {
        wire.send(&format!(r#"42{number}["P2P_EMIT_ACKNOWLEDGE",{emit}]"#)).await;
    }

    for number in 0..EMITS {
        assert_eq!(wire.text().await, format!("43{number}[[1]]"));
    }
    assert_eq!(server.p2p.counters().rate_limited, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn v1_emits_over_the_rate_are_refused_to_who_cannot_wait_and_are_answered() {
    let server = TestServer::unmetered(ServerLimits::default().messages(only(5))).await;
    let _b = connect(&server, "B").await;
    let mut wire = Wire::v1(&server, "A").await;
    wire.register("B").await;

    let emit = json!({ "targetClientId": "B", "event": "echo", "args": [1] });
    for number in 100..110 {
        wire.send(&format!(r#"42{number}["P2P_EMIT_ACKNOWLEDGE",{emit}]"#)).await;
    }

    let mut answers = Vec::new();
    for _ in 0..4 + 2 * 6 {
        answers.push(wire.packet().await.unwrap());
    }
    let texts: Vec<_> = answers.iter().map(text).collect();
    for number in 100..104 {
        assert!(texts.contains(&format!("43{number}[[1]]")), "{texts:?}");
    }
    let refused = errors(&answers).iter().filter(|e| *e == "SERVER_ERROR rate-limited").count();
    assert_eq!(refused, 6);
    for number in 104..110 {
        let answer = texts.iter().find(|text| text.starts_with(&format!("43{number}["))).unwrap();
        assert!(answer.contains(r#""code":"rate-limited""#), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_less_work_is_done_over_the_rate_too() {
    let server = TestServer::limited(ServerLimits::default().messages(only(1))).await;
    let b = connect(&server, "B").await;
    let mut wire = Wire::v2(&server, "A").await;
    wire.register("B").await;

    wire.send(r#"42["P2P_PING",{"req":5}]"#).await;
    wire.send(r#"42["P2P_UNREGISTER",{"req":6}]"#).await;

    assert_eq!(wire.event().await, ("P2P_PONG".to_owned(), vec![json!({ "req": 5 })]));
    let (event, args) = wire.event().await;
    assert_eq!((event.as_str(), &args[0]["req"]), ("P2P_DISCONNECT", &json!(6)));
    server.becomes(2, 0, 0).await;
    assert_eq!(server.p2p.counters().rate_limited, 2);
    drop(b);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_over_the_rate_are_answered_with_their_number() {
    let server = TestServer::limited(ServerLimits::default().messages(only(1))).await;
    let mut wire = Wire::v2(&server, "A").await;
    let mut v1 = Wire::v1(&server, "B").await;

    for packet in [
        r#"42["P2P_UNKNOWN",1]"#,
        r#"42["P2P_REGISTER","C",{"req":7}]"#,
        r#"42["P2P_LIST",{"req":8}]"#,
        r#"42["P2P_UNKNOWN",2]"#,
    ] {
        wire.send(packet).await;
    }
    for packet in [r#"42["P2P_UNKNOWN",1]"#, r#"427["P2P_REGISTER","C"]"#, r#"428["LIST_CLIENTS"]"#]
    {
        v1.send(packet).await;
    }

    let answers = wire.rest().await;
    assert_eq!(
        errors(&answers),
        [
            "P2P_ERROR bad-event",
            "P2P_REGISTER_FAILED rate-limited",
            "P2P_ERROR rate-limited",
            "P2P_ERROR rate-limited"
        ]
    );
    assert_eq!(event(&text(&answers[1])).1[0]["req"], 7);
    assert_eq!(event(&text(&answers[2])).1[0]["req"], 8);
    let mut answers = Vec::new();
    for _ in 0..5 {
        answers.push(v1.packet().await.unwrap());
    }
    assert_eq!(
        errors(&answers),
        [
            "SERVER_ERROR bad-event",
            "SERVER_ERROR rate-limited",
            "437[false]",
            "SERVER_ERROR rate-limited",
            "438[[]]"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn registrations_have_a_quota() {
    let server = TestServer::limited(ServerLimits::default().registrations(only(2))).await;
    let mut wire = Wire::v2(&server, "A").await;
    let mut v1 = Wire::v1(&server, "B").await;

    for req in 1..=3 {
        wire.send(&format!(r#"42["P2P_REGISTER","nobody",{{"req":{req}}}]"#)).await;
        v1.send(&format!(r#"42{req}["P2P_REGISTER","nobody"]"#)).await;
    }

    let answers = wire.rest().await;
    let offline = "P2P_REGISTER_FAILED offline";
    assert_eq!(errors(&answers), [offline, offline, "P2P_REGISTER_FAILED rate-limited"]);
    assert_eq!(event(&text(&answers[2])).1[0]["req"], 3);
    let answers = errors(&v1.rest().await);
    let last = &answers[answers.len() - 2..];
    assert_eq!(last, ["SERVER_ERROR rate-limited", "433[false]"], "{answers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_for_the_list_have_a_quota() {
    let server = TestServer::limited(ServerLimits::default().lists(only(2))).await;
    let mut v1 = Wire::v1(&server, "A").await;

    for number in 1..=3 {
        v1.send(&format!(r#"42{number}["LIST_CLIENTS"]"#)).await;
    }

    for answer in [r#"431[["A"]]"#, r#"432[["A"]]"#] {
        assert_eq!(v1.text().await, answer);
    }
    assert_eq!(errors(&[v1.packet().await.unwrap()]), ["SERVER_ERROR rate-limited"]);
    assert_eq!(v1.text().await, "433[[]]");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_refused_too_much_is_removed() {
    let server = TestServer::limited(patient().strikes(only(20))).await;
    let mut events = server.p2p.events();
    let bystanders = Bystanders::on(&server).await;
    let b = connect(&server, "B").await;
    let mut wire = Wire::v2(&server, "A").await;
    wire.register("B").await;

    for _ in 0..100 {
        wire.send(r#"42["P2P_UNKNOWN"]"#).await;
    }

    wire.is_closed().await;
    let reason = next(&mut events, |event| match event {
        Event::Unpaired { reason, .. } => Some(reason),
        _ => None,
    });
    assert_eq!(reason.await, EndReason::Kicked);
    // It is no longer listened to, and so told no more often.
    let Counters { refused, struck_out, .. } = server.p2p.counters();
    assert_eq!((refused, struck_out), (21, 1));
    soon(b.close()).await;
    bystanders.noticed_nothing(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_or_absent_partner_is_nobodys_fault() {
    let server = TestServer::limited(patient().strikes(only(5))).await;
    let mut wire = Wire::v2(&server, "A").await;

    for _ in 0..50 {
        wire.send(r#"42["P2P_FRAME","1-1",{"s":1,"k":0,"t":"ack"}]"#).await;
    }

    assert_eq!(errors(&wire.rest().await), vec!["P2P_ERROR not-paired"; 50]);
    assert_eq!(server.p2p.counters().struck_out, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_too_many_is_refused() {
    let server = TestServer::limited(patient().clients(2)).await;
    let [a, b] = pair(&server, client(&server, "A"), client(&server, "B")).await;

    let mut third = Wire::open(&server, "EIO=4&clientId=C").await;
    third.send("40").await;

    assert_eq!(third.text().await, r#"44{"message":"quota"}"#);
    soon(b.close()).await;
    server.becomes(1, 0, 0).await;
    third.send("40").await;
    assert!(third.text().await.starts_with("40{"));
    drop(a);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_everybody_left_nothing_is_held() {
    let server = TestServer::start().await;
    let [a, b] = pair(&server, client(&server, "A"), client(&server, "B")).await;
    let _c = connect(&server, "C").await;
    let mut v1 = Wire::v1(&server, "D").await;
    v1.register("C").await;
    assert_echoes(&a).await;

    let stats = server.p2p.stats();
    assert_eq!((stats.clients, stats.connections), (4, 4));
    assert_eq!((stats.routes, stats.bridges), (4, 1));

    drop(v1);
    drop(_c);
    soon(a.close()).await;
    soon(b.close()).await;
    server.is_empty_soon().await;
    holds_nothing(&server.p2p).await;
}

/// Waits until the plugin holds nothing for anybody.
async fn holds_nothing(p2p: &P2pServer) {
    let gone = async {
        loop {
            let stats = p2p.stats();
            // Its clock goes on.
            if (stats.connections, stats.routes, stats.bridges, stats.tasks) == (0, 0, 0, 1) {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    soon(gone).await;
}

/// The next refusal, past what the partner says.
async fn refusal(wire: &mut Wire) -> (String, Vec<Value>) {
    loop {
        let (event, args) = wire.event().await;
        if event != "P2P_FRAME" {
            return (event, args);
        }
    }
}

fn text(packet: &Packet) -> String {
    match packet {
        Packet::Text(text) => text.clone(),
        Packet::Binary(_) => panic!("an attachment"),
    }
}
