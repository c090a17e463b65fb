//! Settings at both ends of the range of their types.

use std::time::Duration;

use futures_util::future::join;
use socketio_p2p_client::{
    Event, P2pBuilder, P2pClientExt, PathConfig, PathPolicy, direct::DirectConfig,
};

use crate::support::{
    clients::{assert_echoes, client, event, pair},
    panics,
    server::TestServer,
    soon,
};

/// Sets every duration of the direct path.
fn direct(builder: P2pBuilder, duration: Duration) -> P2pBuilder {
    let mut paths = PathConfig::default();
    paths.timeout = duration;
    paths.heartbeat_interval = duration;
    paths.heartbeat_timeout = duration;
    paths.restart_after = duration;
    paths.retry_min = duration;
    paths.retry_max = duration;
    paths.hold = duration;
    let mut direct = DirectConfig::default();
    direct.open_timeout = duration;
    direct.silent_after = duration;
    direct.failed_after = duration;
    direct.keep_alive = duration;
    direct.linger = duration;
    builder.path_policy(PathPolicy::PreferDirect).paths(paths).direct(direct)
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_whose_every_duration_is_endless_talk_and_close() {
    let server = TestServer::with_grace().await;
    let endless = |id| {
        direct(client(&server, id), Duration::MAX)
            .connect_timeout(Duration::MAX)
            .heartbeat(Duration::MAX, Duration::MAX)
            .backoff(Duration::MAX, Duration::MAX)
    };
    let [a, b] = pair(&server, endless("A"), endless("B")).await;

    assert_echoes(&a).await;
    soon(b.emit2("echo", 1).timeout(Duration::MAX).ttl(Duration::MAX)).await.unwrap();
    soon(b.unregister_target().timeout(Duration::MAX)).await.unwrap();
    soon(a.register_target("B").timeout(Duration::MAX)).await.unwrap();

    soon(join(a.close(), b.close())).await;
    server.is_empty_soon().await;
    panics::assert_none();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_direct_path_whose_every_duration_is_zero_leaves_the_relay_to_work() {
    let server = TestServer::start().await;
    let hasty = |id| direct(client(&server, id), Duration::ZERO);
    let [a, b] = pair(&server, hasty("A"), hasty("B")).await;

    assert_echoes(&a).await;
    assert_echoes(&b).await;

    soon(join(a.close(), b.close())).await;
    server.is_empty_soon().await;
    panics::assert_none();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_whose_heartbeat_and_backoff_are_zero_reconnects_without_end_until_it_is_closed() {
    let server = TestServer::with_grace().await;
    let hasty = client(&server, "A")
        .heartbeat(Duration::ZERO, Duration::ZERO)
        .backoff(Duration::ZERO, Duration::ZERO);
    let a = soon(hasty.connect()).await.unwrap();
    let mut events = a.events();

    for _ in 0..3 {
        event(&mut events, |event| (event == Event::Away).then_some(())).await;
    }

    soon(a.close()).await;
    panics::assert_none();
}
