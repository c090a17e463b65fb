//! ICE servers that cannot be used: the application hears of each once, and the direct path does not suffer.

use socketio_p2p_client::{
    Event, Events, IceFault, IceWarning, P2pBuilder, P2pClientExt as _, Path,
    direct::{DirectConfig, IceServer},
};

use crate::{
    direct::{direct, path},
    support::{
        clients::{client, event, pair},
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

/// Lets a client open a direct path twice, and returns what it was warned of.
async fn warnings_of_two_attempts(server: &TestServer, a: P2pBuilder) -> Vec<IceWarning> {
    let [a, b] = pair(server, a, direct(client(server, "B"))).await;
    let (at_a, mut at_b) = (a.events(), b.events());
    path(&mut at_b, Path::Direct).await;
    a.network_changed();
    path(&mut at_b, Path::Relay).await;
    path(&mut at_b, Path::Direct).await;
    a.close().await;
    warnings(at_a).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_ice_server_is_reported_once_and_the_path_is_direct_without_it() {
    let server = TestServer::start().await;
    let mut config = DirectConfig::default();
    config.ice_servers = vec![IceServer::stun("turn:127.0.0.1:9"), IceServer::stun("stun://a")];
    let a = direct(client(&server, "A")).direct(config);

    let warnings = warnings_of_two_attempts(&server, a).await;

    let expected = [
        IceWarning::left_out("turn:127.0.0.1:9", IceFault::NoCredentials),
        IceWarning::left_out("stun://a", IceFault::Slashes),
    ];
    assert_eq!(warnings, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_does_not_resolve_is_reported_though_no_connection_is_made() {
    let server = TestServer::start().await;
    // A part of a name has 63 bytes at most: the resolver need not ask anybody.
    let unknown = format!("stun:{}.invalid:3478", "a".repeat(64));
    let mut config = DirectConfig::default();
    config.ice_servers = vec![IceServer::stun(&unknown)];

    let client = soon(direct(client(&server, "A")).direct(config).connect()).await.unwrap();

    let mut events = client.events();
    let warning = event(&mut events, |event| match event {
        Event::IceWarning(warning) => Some(warning),
        _ => None,
    });
    assert_eq!(warning.await, IceWarning::left_out(&unknown, IceFault::Unresolved));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_is_asked_before_each_attempt_and_if_it_fails_the_path_is_direct_without_it() {
    let server = TestServer::start().await;
    let a = direct(client(&server, "A"))
        .ice_servers_with(async || Err::<IceServer, _>("the vault is sealed"));

    let warnings = warnings_of_two_attempts(&server, a).await;

    assert!(warnings.len() >= 2, "{warnings:?}");
    assert!(warnings.iter().all(|is| *is == IceWarning::no_servers("the vault is sealed")));
}
