//! STUN and TURN servers of a connection's configuration: two ends that see each other by a TURN
//! server only, and whom it lets in.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use socketio_p2p_client::direct::{
    ChannelMessage, DirectConfig, DirectEvent, IceServer, Signal, Step,
};
use socketio_p2p_harness::UdpWeather;
use tokio::net::UdpSocket;
use tokio_util::task::TaskTracker;
use turn::auth::{AuthHandler, generate_auth_key};
use turn::relay::relay_static::RelayAddressGeneratorStatic;
use turn::server::Server;
use turn::server::config::{ConnConfig, ServerConfig};
use turn_util::vnet::net::Net;

use crate::support::{
    LONG,
    ends::{self, End},
};

const REALM: &str = "example.org";
const USER: &str = "alice";
const PASSWORD: &str = "open sesame";
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

type Story = Result<(), Box<dyn std::error::Error>>;

struct OneUser;

impl AuthHandler for OneUser {
    fn auth_handle(&self, user: &str, realm: &str, _: SocketAddr) -> Result<Vec<u8>, turn::Error> {
        let key = (user == USER).then(|| generate_auth_key(USER, realm, PASSWORD));
        key.ok_or(turn::Error::ErrFakeErr)
    }
}

/// A server on a port of its own, which also answers as a STUN server.
async fn turn_server() -> Result<(Server, SocketAddr), Box<dyn std::error::Error>> {
    let socket = UdpSocket::bind((LOOPBACK, 0)).await?;
    let address = socket.local_addr()?;
    let relay = RelayAddressGeneratorStatic {
        relay_address: LOOPBACK,
        address: LOOPBACK.to_string(),
        net: Arc::new(Net::new(None)),
    };
    let listening = ConnConfig { conn: Arc::new(socket), relay_addr_generator: Box::new(relay) };
    let config = ServerConfig {
        conn_configs: vec![listening],
        realm: REALM.to_owned(),
        channel_bind_timeout: Duration::ZERO,
        auth_handler: Arc::new(OneUser),
        alloc_close_notify: None,
    };
    Ok((Server::new(config).await?, address))
}

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
    let (server, address) = turn_server().await?;
    let ours = IceServer::turn(format!("turn:{address}?transport=udp"), USER, PASSWORD);

    let (ends, kinds) = meet(&config(ours), &["relay"]).await;

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
    let (server, address) = turn_server().await?;
    let provide = move || async move {
        let url = format!("turn:{address}");
        Ok::<_, std::io::Error>(IceServer::turn(url, USER, PASSWORD))
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
    let (server, address) = turn_server().await?;
    let wrong = IceServer::turn(format!("turn:{address}?transport=udp"), USER, "wrong");

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
    let (server, address) = turn_server().await?;
    let stun = IceServer::stun(format!("stun:{address}"));

    let (ends, kinds) = meet(&config(stun), &["srflx"]).await;

    let [a, b] = ends.ok_or_else(|| format!("not connected: {kinds:?}"))?;
    assert!(kinds.contains("srflx"), "{kinds:?}");
    tokio::join!(a.connection.close(), b.connection.close());
    server.close().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn the_time_of_an_opening_by_a_turn_server_20_ms_from_each_end_is_printed() -> Story {
    const OPENINGS: usize = 20;
    let (server, address) = turn_server().await?;
    let ours = IceServer::turn(format!("turn:{address}?transport=udp"), USER, PASSWORD);
    let mut times = Vec::new();
    for seed in 0..OPENINGS {
        let delay = Duration::from_millis(20);
        let mut far = config(ours.clone());
        far.faults = Some(Arc::new(UdpWeather::new(seed as u64).delay(delay..delay).both_ways()));
        let since = Instant::now();
        let (ends, kinds) = meet(&far, &["relay"]).await;
        let [a, b] = ends.ok_or_else(|| format!("not connected: {kinds:?}"))?;
        times.push(since.elapsed());
        tokio::join!(a.connection.close(), b.connection.close());
    }
    times.sort();
    let (least, median, most) = (times[0], times[OPENINGS / 2], times[OPENINGS - 1]);
    println!("{OPENINGS} relayed: p50 {median:.0?} ({least:.0?} to {most:.0?})");
    server.close().await?;
    Ok(())
}
