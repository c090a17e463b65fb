//! A stock client and the Rust peer: paired from either side, talking both ways.

use serde_json::json;
use socketio_p2p_harness::{Peer, RegisterError, Server};

use crate::interop::Story;
use crate::interop::stock::{ALL, paired_with_rust, refusal};

#[tokio::test]
async fn a_stock_client_registers_a_rust_peer() -> Story {
    for kind in ALL {
        let server = Server::start().await?;
        let mut rust = Peer::start(&server, "R").await?;
        let mut stock = kind.peer(&server, "S").start().await?;

        stock.register("R").await?;

        assert_eq!(rust.wait_for("paired").await?["partner"], "S");
        talk(&mut rust, &mut stock).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_rust_peer_registers_a_stock_client_that_answers_in_either_style() -> Story {
    for style in ["ack", "event"] {
        for kind in ALL {
            let server = Server::start().await?;
            let mut rust = Peer::start(&server, "R").await?;
            let mut stock = kind.peer(&server, "S").args(["--answer", style]).start().await?;

            rust.register("S").await?;

            assert_eq!(stock.wait_for("paired").await?["partner"], "R", "{style}");
            talk(&mut rust, &mut stock).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn either_may_decline_the_other() -> Story {
    for kind in ALL {
        let server = Server::start().await?;
        let declining = Peer::builder(&server, "R").args(["--accept", "false"]);
        let mut rust = declining.start().await?;
        let mut stock = kind.peer(&server, "S").args(["--answer", "decline"]).start().await?;

        let by_stock = rust.register("S").await.unwrap_err();
        let by_rust = refusal(&mut stock, "R").await;

        let RegisterError::Refused { code, .. } = by_stock else { panic!("{by_stock}") };
        assert_eq!((code.as_str(), by_rust.as_str()), ("declined", "declined"));
    }
    Ok(())
}

#[tokio::test]
async fn either_may_end_the_pairing() -> Story {
    for kind in ALL {
        let server = Server::start().await?;
        let (mut rust, mut stock) = paired_with_rust(&server, kind).await?;
        stock.unregister().await?;
        assert_eq!(rust.wait_for("unpaired").await?["reason"], "unregistered");

        rust.register("S").await?;
        stock.expect("the second pairing", |event| event["partner"] == "R").await?;
        rust.unregister().await?;
        stock.wait_for("unpaired").await?;

        stock.register("R").await?;
        rust.wait_for("paired").await?;
        stock.quit().await?;
        assert_eq!(rust.wait_for("unpaired").await?["reason"], "disconnected");
    }
    Ok(())
}

#[tokio::test]
async fn a_stock_client_is_told_once_that_a_rust_peer_has_gone() -> Story {
    for kind in ALL {
        let server = Server::start().await?;
        let mut rust = Peer::start(&server, "R").await?;
        let mut stock = kind.peer(&server, "S").start().await?;
        rust.register("S").await?;
        stock.wait_for("paired").await?;

        rust.quit().await?;

        stock.wait_for("unpaired").await?;
        let rest = stock.quit().await?;
        assert!(rest.iter().all(|event| event.name() != "unpaired"), "told twice: {rest:?}");
    }
    Ok(())
}

/// Acknowledged and unacknowledged emits both ways, of no, one and several arguments.
async fn talk(rust: &mut Peer, stock: &mut Peer) -> Story {
    for arguments in [json!([]), json!([null]), json!(["one", {"two": [2, null]}, 3])] {
        let reply = stock.emit2("chat", arguments.clone()).await?;
        let incoming = rust.wait_for("incoming").await?;
        assert_eq!(reply.event["values"], json!([{"echo": arguments}]));
        assert_eq!(incoming["from"], "S");
        assert_eq!((&incoming["name"], &incoming["args"]), (&json!("chat"), &arguments));

        let reply = rust.emit2("chat", arguments.clone()).await?;
        let incoming = stock.wait_for("incoming").await?;
        assert_eq!((reply.value, reply.path.as_str()), (json!({"echo": arguments}), "relay"));
        assert_eq!((&incoming["name"], &incoming["args"]), (&json!("chat"), &arguments));

        stock.notify2("note", arguments.clone()).await?;
        assert_eq!(rust.wait_for("incoming").await?["args"], arguments);
        rust.notify2("note", arguments.clone()).await?;
        assert_eq!(stock.wait_for("incoming").await?["args"], arguments);
    }
    Ok(())
}
