//! Messages of a partner that their receiver cannot read or accept.

use serde_json::json;
use socketio_p2p_client::{EmitError, P2pClientExt as _};

use crate::support::{
    bystanders::Bystanders,
    clients::{assert_echoes_v1, connect},
    server::TestServer,
    soon,
    wire::{Wire, errors},
};

/// JSON by its grammar, but no value for the parser of a Rust client.
const UNREADABLE: [&str; 6] =
    [r#""\ud800""#, r#""\udc00\ud800""#, r#"{"\ud800":1}"#, "1e999", "-1e999", "[123456789e400]"];

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_that_a_client_cannot_read_disturbs_nobody() {
    let server = TestServer::start().await;
    let bystanders = Bystanders::on(&server).await;
    let (mut wire, b) = (Wire::v2(&server, "A").await, connect(&server, "B").await);
    let pairing = wire.register("B").await;

    for value in UNREADABLE {
        let frame = format!(r#"{{"s":1,"k":0,"t":"emit","e":"echo","r":true,"a":[{value}]}}"#);
        let answers = wire.answers(&format!(r#"42["P2P_FRAME","{pairing}",{frame}]"#)).await;
        assert_eq!(errors(&answers), ["P2P_ERROR bad-args"], "{value}");
    }

    // It is there, and reads what can be read: pairs of surrogates, and numbers of any precision.
    let frame =
        r#"{"s":1,"k":0,"t":"emit","e":"echo","r":true,"a":["\ud83e\udd80",1e300,"1e999"]}"#;
    wire.send(&format!(r#"42["P2P_FRAME","{pairing}",{frame}]"#)).await;
    assert_eq!(wire.event().await.1[1]["a"], json!([["🦀", 1e300, "1e999"]]));
    drop((wire, b));
    bystanders.noticed_nothing(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emit_of_a_v1_client_that_a_rust_client_cannot_read_does_not_reach_it() {
    let server = TestServer::start().await;
    let bystanders = Bystanders::on(&server).await;
    let (mut wire, b) = (Wire::v1(&server, "A").await, connect(&server, "B").await);
    wire.register("B").await;

    for value in UNREADABLE {
        let emit = format!(r#"{{"targetClientId":"B","event":"echo","args":[{value}]}}"#);
        let packet = format!(r#"427["P2P_EMIT_ACKNOWLEDGE",{emit}]"#);
        let answers = errors(&wire.answers(&packet).await);
        assert_eq!(answers[0], "SERVER_ERROR bad-args", "{value}");
        assert!(answers[1].starts_with(r#"437[{"error":{"code":"bad-args""#), "{value}");
    }

    wire.send(r#"428["P2P_EMIT_ACKNOWLEDGE",{"targetClientId":"B","event":"echo","args":[1]}]"#)
        .await;
    assert_eq!(wire.text().await, "438[[1]]");
    drop((wire, b));
    bystanders.noticed_nothing(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_v1_clients_say_to_each_other_stays_as_it_was_written() {
    let server = TestServer::start().await;
    let bystanders = Bystanders::on(&server).await;
    let (mut a, mut b) = (Wire::v1(&server, "A").await, Wire::v1(&server, "B").await);
    a.ask_for("B").await;
    b.accept().await;
    a.is_paired().await;

    // A JavaScript string may hold half a pair of surrogates, and a JavaScript partner takes it.
    let emit = r#"{"targetClientId":"B","event":"e","args":["\ud800",1e999,1.0,{"b":1,"a":2}]}"#;
    a.send(&format!(r#"42["P2P_EMIT",{emit}]"#)).await;

    assert_eq!(b.text().await, r#"42["e","\ud800",1e999,1.0,{"b":1,"a":2}]"#);
    drop((a, b));
    bystanders.noticed_nothing(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledgement_that_a_rust_client_cannot_take_is_an_error_of_the_call() {
    let server = TestServer::start().await;
    let bystanders = Bystanders::on(&server).await;
    let large = format!(r#"["{}"]"#, "x".repeat(500_000));
    let deep = format!("{}{}", "[".repeat(120), "]".repeat(120));
    let too_deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));

    for (id, reply, expected) in [
        ("large", large.as_str(), Ok("a value")),
        ("deep", &deep, Err("too-large")),
        // Not even read: that nothing came is all that can be said.
        ("too-deep", &too_deep, Err("handler-failed")),
        ("surrogate", r#"["\ud800"]"#, Err("handler-failed")),
        ("number", "[1e999]", Err("handler-failed")),
        ("placeholder", r#"[{"_placeholder":true,"num":0}]"#, Ok("a value")),
    ] {
        let (mut wire, b) = (Wire::v1(&server, id).await, connect(&server, "B").await);
        wire.register("B").await;
        assert_echoes_v1(&mut wire).await; // B knows of it too.
        let calling = async { soon(b.emit2("question", ())).await };
        let answering = async {
            let question = wire.text().await;
            let id = question.trim_start_matches("42").split('[').next().unwrap();
            wire.send(&format!("43{id}{reply}")).await;
        };
        let (called, ()) = tokio::join!(calling, answering);

        // A value or an error, long before its deadline; and the connection stands.
        let code = called.as_ref().map_err(EmitError::code).map(|_| "a value");
        assert_eq!(code, expected, "{id}");
        assert_eq!(wire.rest().await, [], "{id}");
        assert_echoes_v1(&mut wire).await;
        drop((wire, b));
        server.becomes(2, 0, 1).await;
    }

    bystanders.noticed_nothing(&server).await;
}
