//! ICE servers that cannot be used: the application hears of each once, and the direct path does not suffer.

use socketio_p2p_client::{
    Event, Events, IceFault, IceWarning, P2pClientExt as _, Path,
    direct::{DirectConfig, IceServer},
};

use crate::{
    direct::{direct, path},
    support::{
        clients::{client, pair},
        server::TestServer,
        soon,
    },
};

/// Returns the warnings until the client is closed.
async fn warnings(mut events: Events) -> Vec<IceWarning> {
    let mut warnings = Vec::new();
    while let Ok(event) = soon(events.recv()).await {
        if let Event::IceWarning(warning) = event {
            warnings.push(warning);
        }
    }
    warnings
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_ice_server_is_reported_once_and_the_path_is_direct_without_it() {
    let server = TestServer::start().await;
    let mut config = DirectConfig::default();
    config.ice_servers = vec![IceServer::stun("turn:127.0.0.1:9"), IceServer::stun("stun://a")];
    let a = direct(client(&server, "A")).direct(config);

    let [a, b] = pair(&server, a, direct(client(&server, "B"))).await;
    let (at_a, mut at_b) = (a.events(), b.events());
    path(&mut at_b, Path::Direct).await;
    a.network_changed();
    path(&mut at_b, Path::Relay).await;
    path(&mut at_b, Path::Direct).await;
    a.close().await;

    let expected = [
        IceWarning::left_out("turn:127.0.0.1:9", IceFault::NoCredentials),
        IceWarning::left_out("stun://a", IceFault::Slashes),
    ];
    assert_eq!(warnings(at_a).await, expected);
}
