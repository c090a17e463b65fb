//! ICE servers of the configuration that cannot be used, beside good ones and alone.

use socketio_p2p_client::direct::{DirectEvent, IceFault, IceServer, IceWarning};
use tokio::net::UdpSocket;
use tokio_util::task::TaskTracker;

use crate::Outcome;
use crate::pair::{self, PATIENCE, config};

/// One of each kind, with its address and the reason for which it is left out.
fn bad() -> [(IceServer, &'static str, IceFault); 8] {
    let stun = |url: &'static str, fault| (IceServer::stun(url), url, fault);
    let turn = |url: &'static str, fault| (IceServer::turn(url, "u", "p"), url, fault);
    [
        stun("turn:127.0.0.1:9", IceFault::NoCredentials),
        turn("turn:127.0.0.1:9?transport=quic", IceFault::Query),
        turn("turn:127.0.0.1:9?transport=tcp", IceFault::Transport),
        turn("turns:127.0.0.1:9", IceFault::Transport),
        stun("stun://127.0.0.1:9", IceFault::Slashes),
        stun("stunn:127.0.0.1:9", IceFault::Scheme),
        stun("stun:127.0.0.1:99999", IceFault::Port),
        stun("", IceFault::Empty),
    ]
}

#[tokio::test]
async fn a_bad_ice_server_is_named_and_costs_neither_the_path_nor_the_good_ones() -> Outcome {
    let good = UdpSocket::bind("127.0.0.1:0").await?;
    let good = (IceServer::stun(format!("stun:{}", good.local_addr()?)), good);
    for (server, url, fault) in bad() {
        let mut config = config();
        config.ice_servers = vec![server, good.0.clone()];

        let (mut a, mut b) = pair::apart(&config, &TaskTracker::new());

        let warned = tokio::time::timeout(PATIENCE, a.events.recv()).await?;
        let expected = IceWarning::left_out(url, fault);
        assert!(
            matches!(&warned, Some(DirectEvent::IceWarning(is)) if *is == expected),
            "{warned:?}"
        );
        assert!(matches!(b.events.recv().await, Some(DirectEvent::IceWarning(_))));
        // There is no further warning: it would fail here.
        pair::connect(&mut a, &mut b).await;
        let asked = tokio::time::timeout(PATIENCE, good.1.recv(&mut [0; 64])).await??;
        assert!(asked >= 20, "no STUN request");
    }
    Ok(())
}

#[tokio::test]
async fn the_ends_connect_if_none_of_the_ice_servers_is_good() {
    let mut config = config();
    config.ice_servers = bad().map(|(server, ..)| server).to_vec();

    let (mut a, mut b) = pair::apart(&config, &TaskTracker::new());

    for end in [&mut a, &mut b] {
        for _ in bad() {
            assert!(matches!(end.events.recv().await, Some(DirectEvent::IceWarning(_))));
        }
    }
    pair::connect(&mut a, &mut b).await;
}

#[tokio::test]
async fn a_turn_server_with_an_address_of_ipv6_is_asked() -> Outcome {
    let Ok(server) = UdpSocket::bind("[::1]:0").await else {
        eprintln!("skipped: this machine has no IPv6");
        return Ok(());
    };
    let mut config = config();
    config.bind = vec!["[::1]:0".parse()?];
    config.ice_servers = vec![IceServer::turn(format!("turn:{}", server.local_addr()?), "u", "p")];

    let _ends = pair::apart(&config, &TaskTracker::new());

    let asked = tokio::time::timeout(PATIENCE, server.recv(&mut [0; 256])).await??;
    assert!(asked >= 20, "no request to the TURN server");
    Ok(())
}
