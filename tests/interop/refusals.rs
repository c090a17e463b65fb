//! Actions that a client may not take against another: every refusal is reported to the sender
//! only.

use serde_json::{Value, json};
use socketio_p2p_harness::{Peer, Server, WaitError};

use crate::interop::Story;
use crate::interop::stock::{ALL, PAIRS, paired};

#[tokio::test]
async fn a_target_that_is_not_the_partner_is_refused() -> Story {
    for kinds in PAIRS {
        let server = Server::start().await?;
        let (mut a, mut b) = paired(&server, kinds).await?;
        let mut c = kinds.1.peer(&server, "C").start().await?;

        for target in [json!("C"), json!("A"), json!("nobody"), Value::Null, json!(7), json!(true)]
        {
            for ack in [false, true] {
                let code = refused_emit(&mut a, &target, "chat", ack).await?;
                assert_eq!(code, expected_code(&target), "{target}, ack {ack}");
            }
        }

        assert!(c.list().await?.is_array());
        assert!(c.unread()?.is_empty(), "C was reached");
        a.emit2("chat", json!(["still paired"])).await?;
        assert_eq!(b.wait_for("incoming").await?["args"], json!(["still paired"]));
    }
    Ok(())
}

#[tokio::test]
async fn without_a_pairing_nothing_is_sent() -> Story {
    for kind in ALL {
        let server = Server::start().await?;
        let mut a = kind.peer(&server, "A").start().await?;
        let mut b = kind.peer(&server, "B").start().await?;

        for ack in [false, true] {
            let code = refused_emit(&mut a, &json!("B"), "chat", ack).await?;
            assert_eq!(code, "not-paired", "ack {ack}");
        }

        b.list().await?;
        assert!(b.unread()?.is_empty(), "B was reached");
    }
    Ok(())
}

#[tokio::test]
async fn reserved_names_are_not_relayed() -> Story {
    let names = [
        "connect",
        "connect_error",
        "disconnect",
        "disconnecting",
        "newListener",
        "removeListener",
        "P2P_DISCONNECT",
        "P2P_UNREGISTER",
        "P2P_anything",
    ];
    for kinds in PAIRS {
        let server = Server::start().await?;
        let (mut a, mut b) = paired(&server, kinds).await?;

        for name in names {
            for ack in [false, true] {
                let code = refused_emit(&mut a, &json!("B"), name, ack).await?;
                assert_eq!(code, "bad-event", "{name}, ack {ack}");
            }
        }

        a.emit2("chat", json!(["still paired"])).await?;
        assert_eq!(b.wait_for("incoming").await?["args"], json!(["still paired"]));
        let rest = b.quit().await?;
        assert!(rest.is_empty(), "{rest:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_malformed_request_is_answered_and_hurts_nobody() -> Story {
    let requests = [
        json!(["P2P_REGISTER"]),
        json!(["P2P_REGISTER", 7]),
        json!(["P2P_REGISTER", null]),
        json!(["P2P_REGISTER", {"target": "B"}]),
        json!(["P2P_EMIT_ACKNOWLEDGE"]),
        json!(["P2P_EMIT_ACKNOWLEDGE", "B"]),
        json!(["P2P_EMIT_ACKNOWLEDGE", {"targetClientId": "B", "args": []}]),
        json!(["P2P_EMIT_ACKNOWLEDGE", {"targetClientId": "B", "event": "chat", "args": "no array"}]),
        json!(["P2P_EMIT_ACKNOWLEDGE", {"targetClientId": "B", "event": 7, "args": []}]),
    ];
    for kinds in PAIRS {
        let server = Server::start().await?;
        let (mut a, mut b) = paired(&server, kinds).await?;

        for request in &requests {
            a.send(json!({"cmd": "raw", "id": 1, "args": request, "ack": true})).await?;
            let answer = a.wait_for("raw").await?;

            let refused = answer["values"] == json!([false])
                || answer["values"][0]["error"]["code"].is_string();
            assert!(refused, "{request}: {answer:?}");
            server_error(&mut a).await?;
        }

        a.emit2("chat", json!(["still paired"])).await?;
        assert_eq!(b.wait_for("incoming").await?["args"], json!(["still paired"]));
    }
    Ok(())
}

#[tokio::test]
async fn a_refused_request_without_an_acknowledgement_says_which_it_was() -> Story {
    for kind in ALL {
        let server = Server::start().await?;
        let mut stock = kind.peer(&server, "A").start().await?;

        for (request, named) in [
            (json!(["P2P_REGISTER", "nobody"]), "Error: P2P_REGISTER to \"nobody\": "),
            (json!(["P2P_REGISTER", 42]), "Error: P2P_REGISTER to \"42\": "),
            (json!(["P2P_REGISTER"]), "Error: P2P_REGISTER: "),
            (json!(["P2P_REGISTER", "x".repeat(200)]), "Error: P2P_REGISTER: "),
        ] {
            stock.send(json!({"cmd": "raw", "id": 1, "args": request})).await?;
            let error = stock.wait_for("error").await?;
            let message = error["message"].as_str().unwrap_or_default();
            assert!(message.starts_with(named), "{request}: {message}");
        }
    }
    Ok(())
}

/// Emits to any target and returns the code with which it was refused: in a SERVER_ERROR, and the
/// same in the acknowledgement if there is one.
async fn refused_emit(
    peer: &mut Peer,
    target: &Value,
    event: &str,
    ack: bool,
) -> Result<String, WaitError> {
    peer.send(json!({
        "cmd": "emit2", "id": 9, "event": event, "args": [1], "ack": ack, "targetClientId": target,
    }))
    .await?;
    let told = peer.wait_for(if ack { "reply" } else { "sent" }).await?;
    let code = server_error(peer).await?;
    if ack {
        let error = &told["value"]["error"];
        assert!(error["message"].is_string(), "{told:?}");
        assert_eq!(error["code"], code.as_str(), "the acknowledgement and SERVER_ERROR differ");
    }
    Ok(code)
}

/// The code of the next SERVER_ERROR.
async fn server_error(peer: &mut Peer) -> Result<String, WaitError> {
    let error = peer.wait_for("error").await?;
    let message = error["message"].as_str().unwrap_or_default();
    assert!(message.starts_with("Error: "), "{error:?}");
    Ok(error["code"].as_str().unwrap_or_default().to_owned())
}

/// Returns the code for a target: what cannot be an id is malformed, `null` and any id are not the partner.
fn expected_code(target: &Value) -> &'static str {
    if target.is_boolean() { "bad-args" } else { "not-paired" }
}
