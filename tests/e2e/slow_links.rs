//! Values that take longer on a slow network than a silence that ends a connection.

use std::time::Duration;

use futures_util::FutureExt as _;
use serde_json::{Value, json};
use socketio_p2p_client::{Event, P2pClientExt as _};
use socketio_p2p_harness::{FaultProxy, fault_proxy::Fault};

use crate::support::{
    LONG,
    clients::{client, client_at, pair},
    server::TestServer,
    soon,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_takes_twice_the_time_of_a_silence_costs_no_session() {
    const SILENCE: Duration = Duration::from_secs(2);
    const BYTES: usize = 256 * 1024;
    let server = TestServer::with_grace().await;
    let proxy = FaultProxy::start(server.address, 1).await.unwrap();
    let slow = client_at(&proxy.url(), "A").heartbeat(SILENCE / 4, SILENCE);
    let [a, b] = pair(&server, slow, client(&server, "B")).await;
    let mut events = [a.events(), b.events()];
    let throttle = Fault::Throttle { rate: BYTES / 4, lasts: LONG };
    assert_eq!(proxy.inject_all(throttle), 1);

    // 4 s there, and 4 s back.
    let text = "x".repeat(BYTES);
    let reply: Value = soon(a.emit2("echo", &text).timeout(LONG)).await.unwrap();

    assert!(reply == json!([text]), "{} bytes came back", reply.to_string().len());
    for events in &mut events {
        while let Some(event) = events.recv().now_or_never() {
            let event = event.unwrap();
            assert!(matches!(event, Event::Connected(_) | Event::Paired(_)), "{event:?}");
        }
    }
}
