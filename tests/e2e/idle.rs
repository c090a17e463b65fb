//! The datagrams of a direct path over which nothing is sent.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use socketio_p2p_client::direct::{ChannelOptions, DirectChannel, DirectConfig, DirectSendError};
use socketio_p2p_client::{P2pBuilder, P2pClientExt as _, Path, PathConfig, PathPolicy};
use socketio_p2p_harness::UdpWeather;

use crate::support::clients::{assert_echoes, client, pair};
use crate::support::{LONG, server::TestServer, soon};

/// Time without a datagram after which a path counts as quiet.
const QUIET: Duration = Duration::from_millis(400);

/// A client whose heartbeats become as rare as can be, and its datagrams.
fn quiet(builder: P2pBuilder) -> (P2pBuilder, Arc<UdpWeather>) {
    let weather = Arc::new(UdpWeather::new(1));
    let mut config = DirectConfig::default();
    config.bind = vec!["127.0.0.1:0".parse().unwrap()];
    config.faults = Some(Arc::clone(&weather) as _);
    let paths = PathConfig::default().heartbeat(Duration::from_millis(20), LONG);
    let paths = paths.heartbeat_idle(LONG);
    (builder.path_policy(PathPolicy::PreferDirect).paths(paths).direct(config), weather)
}

/// Waits until no datagram has come or gone for a while. ICE would not be quiet by itself.
async fn falls_quiet(weather: &UdpWeather) {
    soon(async {
        loop {
            let before = weather.counts();
            tokio::time::sleep(QUIET).await;
            if weather.counts() == before {
                return;
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_path_is_quiet_until_an_emit_or_a_message_on_a_channel() {
    let server = TestServer::start().await;
    let (a, weather) = quiet(client(&server, "A"));
    let [a, b] = pair(&server, a, quiet(client(&server, "B")).0).await;
    b.on_channel(|channel: DirectChannel| async move { while channel.recv().await.is_some() {} });
    let mut events = a.events();
    crate::direct::path(&mut events, Path::Direct).await;
    let channel = soon(a.channel("raw", ChannelOptions::unreliable(0))).await.unwrap();
    falls_quiet(&weather).await;

    // A heartbeat follows each, and it is not the only one.
    let before = weather.counts().passed;
    assert_echoes(&a).await;
    until(&weather, before + 20).await;
    falls_quiet(&weather).await;

    let before = weather.counts().passed;
    // A busy machine may take longer than such a message waits.
    while soon(channel.send(Bytes::from_static(b"x"))).await == Err(DirectSendError::Late) {}
    until(&weather, before + 20).await;
}

/// Waits until so many datagrams have passed.
async fn until(weather: &UdpWeather, count: u64) {
    soon(async {
        while weather.counts().passed < count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}
