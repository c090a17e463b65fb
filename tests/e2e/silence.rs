//! Clients that are gone without a word, noticed long before Engine.IO would.

use std::time::Duration;

use socketio_p2p_server::P2pServer;

use crate::support::{LONG, poll::Poll, server::TestServer, wire::Wire};

/// The interval of the pings: as often as Engine.IO's library can be told to.
const INTERVAL: Duration = Duration::from_secs(1);

/// A server whose Engine.IO gives nobody up.
async fn patient_server() -> TestServer {
    let layer = P2pServer::socket_io().ping_interval(INTERVAL).ping_timeout(LONG).build_layer();
    TestServer::on(layer, |io| P2pServer::builder().attach(io)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_falls_silent_is_missed_whatever_its_age_and_transport() {
    let server = patient_server().await;

    // It answers no ping.
    let _new = Wire::v1(&server, "new-websocket").await;

    // It pings once, at its interval, and no more.
    let mut old = Wire::v1_eio3(&server, "old-websocket").await;
    let mut old_polling = Poll::open(&server, "EIO=3&clientId=old-polling").await;
    server.knows("old-polling").await;
    old_polling.poll().await;
    tokio::time::sleep(INTERVAL).await;
    old.send("2").await;
    old_polling.post("1:2").await;

    // It polls once, and no more.
    let mut new_polling = Poll::open(&server, "EIO=4&clientId=new-polling").await;
    new_polling.post("40").await;
    new_polling.poll().await;

    server.is_empty_soon().await;
}
