//! Emits that may not be: reserved names, foreign targets, and what a v1 client may write.

use serde_json::{Value, json};
use socketio_p2p_client::P2pClientExt;

use crate::support::{
    bystanders::Bystanders,
    clients::{assert_echoes_v1, connect},
    server::TestServer,
    wire::{Wire, errors},
};

const FORBIDDEN_EVENTS: [&str; 9] = [
    "connect",
    "connect_error",
    "disconnect",
    "disconnecting",
    "newListener",
    "removeListener",
    "P2P_DISCONNECT",
    "P2P_",
    "P2P_FRAME",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_v1_client_may_not_emit_reserved_events_nor_those_of_the_plugin() {
    let server = TestServer::start().await;
    let bystanders = Bystanders::on(&server).await;
    let (mut wire, b) = (Wire::v1(&server, "A").await, connect(&server, "B").await);
    wire.register("B").await;
    let long = "x".repeat(129);

    for event in FORBIDDEN_EVENTS.into_iter().chain([long.as_str()]) {
        let emit = emit("B", event, &json!([1]));
        let answers = wire.answers(&format!(r#"42["P2P_EMIT",{emit}]"#)).await;
        assert_eq!(errors(&answers), ["SERVER_ERROR bad-event"], "{event}");

        let answers = wire.answers(&format!(r#"427["P2P_EMIT_ACKNOWLEDGE",{emit}]"#)).await;
        let failed = r#"437[{"error":{"code":"bad-event","message":"that event is not allowed"}}]"#;
        assert_eq!(errors(&answers), ["SERVER_ERROR bad-event", failed], "{event}");
    }

    assert!(b.pairing().is_some(), "it is still paired");
    drop((wire, b));
    bystanders.noticed_nothing(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_v1_client_reaches_its_partner_and_nobody_else() {
    let server = TestServer::start().await;
    let bystanders = Bystanders::on(&server).await;
    let (mut wire, b) = (Wire::v1(&server, "A").await, connect(&server, "B").await);
    wire.register("B").await;

    for target in ["bystander-a", "nobody", "A", "", "B\u{0}", &"B".repeat(500)] {
        let emit = emit(target, "echo", &json!([1]));
        let answers = wire.answers(&format!(r#"427["P2P_EMIT_ACKNOWLEDGE",{emit}]"#)).await;
        let failed =
            r#"437[{"error":{"code":"not-paired","message":"not paired with that client"}}]"#;
        assert_eq!(errors(&answers), ["SERVER_ERROR not-paired", failed], "{target}");
    }

    let emit = emit("B", "echo", &json!([1, null, [[]]]));
    wire.send(&format!(r#"428["P2P_EMIT_ACKNOWLEDGE",{emit}]"#)).await;
    assert_eq!(wire.text().await, "438[[1,null,[[]]]]");
    drop((wire, b));
    bystanders.noticed_nothing(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attachments_that_do_not_fit_their_placeholders_are_refused() {
    let server = TestServer::start().await;
    let bystanders = Bystanders::on(&server).await;
    let (mut wire, b) = (Wire::v1(&server, "A").await, connect(&server, "B").await);
    wire.register("B").await;

    for args in [
        json!([{ "_placeholder": true, "num": 1 }]),
        json!([{ "_placeholder": true, "num": -1 }]),
        json!([{ "_placeholder": true, "num": "0" }]),
        json!([{ "_placeholder": true }]),
        json!([]),
    ] {
        wire.send(&format!(r#"451-7["P2P_EMIT_ACKNOWLEDGE",{}]"#, emit("B", "echo", &args))).await;
        wire.send_binary(b"blob").await;
        // Refused, or handed on as it is: in any case answered, and nobody is worse off.
        let answer = loop {
            let answer = wire.text().await;
            if !answer.starts_with("42[") {
                break answer;
            }
        };
        assert!(answer.starts_with("437[") || answer.starts_with("461-7["), "{args}: {answer}");
        if answer.starts_with("461") {
            wire.packet().await.unwrap();
        }
        assert_echoes_v1(&mut wire).await;
    }

    drop(wire);
    assert!(!b.is_closed());
    drop(b);
    bystanders.noticed_nothing(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reserved_event_in_a_frame_does_not_reach_a_handler() {
    let server = TestServer::start().await;
    let bystanders = Bystanders::on(&server).await;
    let (mut wire, b) = (Wire::v2(&server, "A").await, connect(&server, "B").await);
    b.on2_fallback(async |incoming: socketio_p2p_client::Incoming| Ok(incoming.event().to_owned()));
    let pairing = wire.register("B").await;

    for (seq, event) in (1..).zip(FORBIDDEN_EVENTS) {
        let frame = json!({ "s": seq, "k": seq - 1, "t": "emit", "e": event, "r": true, "a": [] });
        wire.send(&format!(r#"42["P2P_FRAME","{pairing}",{frame}]"#)).await;
        let (name, args) = wire.event().await;
        assert_eq!(name, "P2P_FRAME", "{event}");
        let reply = &args[1];
        assert_eq!(reply["to"], seq, "{event}: {reply}");
        assert_eq!(reply["err"]["code"], "bad-event", "{event}");
    }

    assert!(b.pairing().is_some(), "nothing of the pairing changed");
    drop((wire, b));
    bystanders.noticed_nothing(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reserved_event_in_a_frame_does_not_reach_a_v1_client() {
    let server = TestServer::start().await;
    let bystanders = Bystanders::on(&server).await;
    let (mut v2, mut v1) = (Wire::v2(&server, "A").await, Wire::v1(&server, "B").await);
    v2.ask_for("B").await;
    v1.accept().await;
    let pairing = v2.is_paired().await;

    for (seq, event) in (1..).zip(FORBIDDEN_EVENTS) {
        let frame = json!({ "s": seq, "k": seq - 1, "t": "emit", "e": event, "r": true, "a": [] });
        v2.send(&format!(r#"42["P2P_FRAME","{pairing}",{frame}]"#)).await;
        let (_, args) = v2.event().await;
        assert_eq!(args[1]["err"]["code"], "bad-event", "{event}");
    }

    assert_eq!(v1.rest().await, []);
    drop((v2, v1));
    bystanders.noticed_nothing(&server).await;
}

fn emit(target: &str, event: &str, args: &Value) -> Value {
    json!({ "targetClientId": target, "event": event, "args": args })
}
