//! Values between a stock client and the Rust peer: acknowledgements of any arity, and bytes.

use serde_json::{Value, json};
use socketio_p2p_harness::{Peer, Server};

use crate::interop::Story;
use crate::interop::stock::{ALL, Stock};

#[tokio::test]
async fn a_rust_peer_gets_an_acknowledgement_argument_for_argument() -> Story {
    for kind in ALL {
        let server = Server::start().await?;
        let (mut rust, _stock) = paired(&server, kind, "several").await?;

        for arguments in
            [json!([]), json!([1, 2]), json!([null, null]), json!([1, [2], {"3": null}])]
        {
            let reply = rust.emit2("chat", arguments.clone()).await?;
            assert_eq!(reply.event["values"], arguments);
        }
        for argument in [Value::Null, json!("one"), json!([1, 2])] {
            let reply = rust.emit2("chat", json!([argument])).await?;
            assert_eq!(reply.value, argument);
            assert!(reply.event.get("values").is_none(), "not just one: {reply:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn bytes_of_a_stock_client_reach_a_rust_peer_and_come_back() -> Story {
    let arguments = json!([{"z": {"$bin": "AB4E/w=="}, "a": null}, "text", {"$bin": "AQ=="}]);
    for kind in ALL {
        let server = Server::start().await?;
        let (mut rust, mut stock) = paired(&server, kind, "none").await?;

        stock.notify2("note", arguments.clone()).await?;
        let noted = rust.wait_for("incoming").await?;

        assert_eq!(noted["args"], placeholders());
        assert_eq!(noted["blobs"], json!(["001e04ff", "01"]));
        if !kind.is_engine_io_3_over_polling() {
            let reply = stock.emit2("chat", arguments.clone()).await?;
            assert_eq!(reply.event["values"], json!([{"echo": arguments}]));
        }
    }
    Ok(())
}

#[tokio::test]
async fn bytes_in_the_acknowledgement_of_a_stock_client_reach_a_rust_peer() -> Story {
    let answer = r#"[{"z":{"$bin":"AB4E/w=="},"a":null},"text",{"$bin":"AQ=="}]"#;
    for kind in ALL {
        let server = Server::start().await?;
        let (mut rust, _stock) = paired(&server, kind, answer).await?;

        let reply = rust.emit2("chat", json!([])).await?;

        assert_eq!(reply.event["values"], placeholders());
        assert_eq!(reply.event["blobs"], json!(["001e04ff", "01"]));
    }
    Ok(())
}

/// The Rust peer prints bytes as Socket.IO does, and what the placeholders stand for beside them.
fn placeholders() -> Value {
    let blob = |num: u8| json!({"_placeholder": true, "num": num});
    json!([{"z": blob(0), "a": null}, "text", blob(1)])
}

async fn paired(
    server: &Server,
    kind: Stock,
    reply: &str,
) -> Result<(Peer, Peer), Box<dyn std::error::Error>> {
    let mut rust = Peer::start(server, "R").await?;
    let mut stock = kind.peer(server, "S").args(["--reply", reply]).start().await?;
    rust.register("S").await?;
    stock.wait_for("paired").await?;
    Ok((rust, stock))
}
