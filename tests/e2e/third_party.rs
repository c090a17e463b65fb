//! Attempts of a third client to interfere with a pairing.

use std::sync::Arc;

use serde_json::json;
use socketio_p2p_client::{Code, EmitError, Incoming, P2pClientExt};
use tokio::sync::{Notify, mpsc};

use crate::support::{
    bystanders::Bystanders,
    clients::{assert_echoes, client, connect, pair, refused},
    server::TestServer,
    soon,
    wire::{Wire, errors},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_third_client_cannot_emit_to_a_paired_one() {
    let server = TestServer::start().await;
    let bystanders = Bystanders::on(&server).await;
    let [a, _b] = pair(&server, client(&server, "A"), client(&server, "B")).await;
    let pairing = a.pairing().unwrap().id;
    let mut v2 = Wire::v2(&server, "v2").await;
    let mut v1 = Wire::v1(&server, "v1").await;

    // It knows everything but is not the partner.
    let frame = json!({ "s": 1, "k": 0, "t": "emit", "e": "echo", "a": [] });
    let answers = v2.answers(&format!(r#"42["P2P_FRAME","{pairing}",{frame}]"#)).await;
    assert_eq!(errors(&answers), ["P2P_ERROR not-paired"]);

    let emit = json!({ "targetClientId": "B", "event": "echo", "args": [] });
    let answers = v1.answers(&format!(r#"42["P2P_EMIT",{emit}]"#)).await;
    assert_eq!(errors(&answers), ["SERVER_ERROR not-paired"]);
    let answers = v1.answers(&format!(r#"427["P2P_EMIT_ACKNOWLEDGE",{emit}]"#)).await;
    let failed = r#"437[{"error":{"code":"not-paired","message":"not paired with that client"}}]"#;
    assert_eq!(errors(&answers), ["SERVER_ERROR not-paired", failed]);

    // Neither does it help to have a partner of its own.
    let mut other = Wire::v2(&server, "other").await;
    other.ask_for("v1").await;
    v1.accept().await;
    other.is_paired().await;
    let answers = other.answers(&format!(r#"42["P2P_FRAME","{pairing}",{frame}]"#)).await;
    assert_eq!(errors(&answers), ["P2P_ERROR stale-pairing"]);
    let answers = v1.answers(&format!(r#"42["P2P_EMIT",{emit}]"#)).await;
    assert_eq!(errors(&answers), ["SERVER_ERROR not-paired"]);

    assert_echoes(&a).await;
    drop((v1, v2, other));
    soon(a.close()).await;
    drop((a, _b));
    bystanders.noticed_nothing(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_third_client_cannot_end_a_pairing_it_has_no_part_in() {
    let server = TestServer::start().await;
    let [a, b] = pair(&server, client(&server, "A"), client(&server, "B")).await;
    let c = connect(&server, "C").await;

    soon(c.unregister_target()).await.unwrap();
    assert_eq!(refused(soon(c.register_target("A")).await), Code::TargetBusy);
    soon(c.close()).await;

    assert_echoes(&a).await;
    assert_echoes(&b).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_handler_says_late_never_reaches_a_later_partner() {
    let server = TestServer::start().await;
    let (gate, (told, mut results)) = (Arc::new(Notify::new()), mpsc::channel(1));
    let opened = gate.clone();
    let b = client(&server, "B").on2("slow", move |msg: Incoming| {
        let (gate, told) = (opened.clone(), told.clone());
        async move {
            gate.notified().await;
            told.send(msg.emit2("result", "for A").await.map_err(|error| error.code().to_owned()))
                .await?;
            Ok(())
        }
    });
    let [a, b] = pair(&server, client(&server, "A"), b).await;
    a.emit2("slow", ()).without_ack().await.unwrap();
    assert_echoes(&a).await; // So the handler waits by now.
    soon(a.unregister_target()).await.unwrap();
    let c = client(&server, "C").connect().await.unwrap();
    soon(c.register_target("B")).await.unwrap();
    assert_echoes(&c).await;

    gate.notify_one();

    assert_eq!(soon(results.recv()).await, Some(Err("stale-pairing".to_owned())));
    assert!(matches!(
        soon(b.emit2("result", ()).into_future()).await,
        Err(EmitError::NotExecuted { .. })
    ));
}
