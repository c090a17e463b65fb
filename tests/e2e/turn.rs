//! STUN and TURN servers of a connection's configuration: two ends that see each other by a TURN
//! server only, and whom it lets in.

use std::collections::BTreeSet;
use std::time::Duration;

use socketio_p2p_client::direct::{
    ChannelMessage, DirectConfig, DirectEvent, IceServer, Signal, Step,
};
use socketio_p2p_harness::TurnServer;
use tokio_util::task::TaskTracker;

use crate::support::{
    LONG,
    ends::{self, End},
};

type Story = Result<(), Box<dyn std::error::Error>>;

/// The kind of address in a signal, if there is one: `host`, `srflx` or `relay`.
fn kind(signal: &Signal) -> Option<&str> {
    let Step::Candidate(candidate) = &signal.step else { return None };
    candidate.as_str().split(' ').skip_while(|word| *word != "typ").nth(1)
}

/// Two ends that hear of these kinds of addresses of each other, until both are open or one of them
/// has given up; all kinds that they found.
async fn meet(config: &DirectConfig, told: &[&str]) -> (Option<[End; 2]>, BTreeSet<String>) {
    let tasks = TaskTracker::new();
    let (mut a, mut b) = ends::apart(config, &tasks);
    let mut kinds = BTreeSet::new();
    let (mut a_is_open, mut b_is_open) = (false, false);
    while !a_is_open || !b_is_open {
        let (event, is_open, partner) = tokio::select! {
            event = a.events.recv() => (event, &mut a_is_open, &b.connection),
            event = b.events.recv() => (event, &mut b_is_open, &a.connection),
        };
        match event {
            Some(DirectEvent::Signal(signal)) => {
                let kind = kind(&signal);
                kinds.extend(kind.map(ToOwned::to_owned));
                if kind.is_none_or(|kind| told.contains(&kind)) {
                    partner.signal(signal).ok(); // It may have given up.
                }
            }
            Some(DirectEvent::Open) => *is_open = true,
            Some(DirectEvent::Closed(_)) | None => return (None, kinds),
            Some(event) => panic!("{event:?}"),
        }
    }
    (Some([a, b]), kinds)
}

fn config(server: IceServer) -> DirectConfig {
    let mut config = ends::config();
    config.ice_servers = vec![server];
    config.open_timeout = LONG;
    config
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_see_each_other_by_a_turn_server_only_are_connected_by_it() -> Story {
    let server = TurnServer::start().await?;

    let (ends, kinds) = meet(&config(server.ice_server()), &["relay"]).await;

    let [a, mut b] = ends.ok_or_else(|| format!("not connected: {kinds:?}"))?;
    for number in 0..100_u32 {
        let message = ChannelMessage::from(number.to_be_bytes().to_vec());
        a.connection.send(message.clone()).await?;
        assert_eq!(b.message().await, message);
    }
    assert!(kinds.contains("relay"), "{kinds:?}");
    tokio::join!(a.connection.close(), b.connection.close());
    server.close().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_a_provider_gives_open_a_path_by_the_turn_server() -> Story {
    let server = TurnServer::start().await?;
    let address = server.address();
    let provide = move || async move {
        let url = format!("turn:{address}");
        Ok::<_, std::io::Error>(IceServer::turn(url, TurnServer::USER, TurnServer::PASSWORD))
    };
    let mut provided = ends::config().ice_servers_with(provide);
    provided.open_timeout = LONG;

    let (ends, kinds) = meet(&provided, &["relay"]).await;

    let [a, b] = ends.ok_or_else(|| format!("not connected: {kinds:?}"))?;
    tokio::join!(a.connection.close(), b.connection.close());
    server.close().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_let_in_gets_no_address_at_the_turn_server_and_connects_without() -> Story {
    let server = TurnServer::start().await?;
    let address = server.address();
    let wrong = IceServer::turn(format!("turn:{address}?transport=udp"), TurnServer::USER, "wrong");

    let mut in_vain = config(wrong.clone());
    in_vain.open_timeout = Duration::from_secs(3);
    let (by_relay, kinds) = meet(&in_vain, &["relay"]).await;
    assert!(by_relay.is_none() && !kinds.contains("relay"), "{kinds:?}");

    let (ends, _) = meet(&config(wrong), &["host"]).await;
    let [a, b] = ends.ok_or("not connected")?;
    tokio::join!(a.connection.close(), b.connection.close());
    server.close().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stun_server_tells_how_the_end_is_seen_from_outside() -> Story {
    let server = TurnServer::start().await?;
    let address = server.address();
    let stun = IceServer::stun(format!("stun:{address}"));

    let (ends, kinds) = meet(&config(stun), &["srflx"]).await;

    let [a, b] = ends.ok_or_else(|| format!("not connected: {kinds:?}"))?;
    assert!(kinds.contains("srflx"), "{kinds:?}");
    tokio::join!(a.connection.close(), b.connection.close());
    server.close().await?;
    Ok(())
}
