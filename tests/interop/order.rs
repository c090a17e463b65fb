//! Emits from one client to its partner keep their order.

use serde_json::json;
use socketio_p2p_harness::Server;

use crate::interop::Story;
use crate::interop::stock::{PAIRS, Stock, UPGRADING, paired};

const EMITS: u64 = 1_000;

#[tokio::test]
async fn a_thousand_emits_arrive_in_order() -> Story {
    for kinds in PAIRS {
        arrive_in_order(kinds).await?;
    }
    Ok(())
}

#[tokio::test]
async fn emits_arrive_in_order_while_the_clients_upgrade_to_websocket() -> Story {
    for kind in UPGRADING {
        arrive_in_order((kind, kind)).await?;
    }
    Ok(())
}

async fn arrive_in_order(kinds: (Stock, Stock)) -> Story {
    let server = Server::start().await?;
    let (mut a, mut b) = paired(&server, kinds).await?;

    for n in 0..EMITS {
        let ack = n % 10 == 0;
        let emit = json!({"cmd": "emit2", "id": n, "event": "note", "args": [n], "ack": ack});
        a.send(emit).await?;
    }

    for n in 0..EMITS {
        assert_eq!(b.wait_for("incoming").await?["args"], json!([n]));
    }
    Ok(())
}
