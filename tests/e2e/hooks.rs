//! The server's side of the API: what it knows, what it can do, whom it lets in.

use serde_json::json;
use socketio_p2p_client::{Code, ConnectError, P2pClientExt};
use socketio_p2p_server::{ClientId, EndReason, Event, EventsError, Handshake, P2pServer};

use crate::support::{
    clients::{all_unpaired, assert_echoes, client, connect, pair, refused, unpaired},
    server::{TestServer, next},
    soon,
};

#[tokio::test(flavor = "multi_thread")]
async fn the_server_knows_who_is_there_and_who_is_paired() {
    let server = TestServer::start().await;
    let [a, b] = pair(&server, client(&server, "A"), client(&server, "B")).await;
    let _c = connect(&server, "C").await;
    let id = |id: &str| id.parse::<ClientId>().unwrap();

    let names: Vec<_> = server.p2p.clients().into_iter().map(|entry| entry.id).collect();
    assert_eq!(names, [id("A"), id("B"), id("C")]);
    let pairing = a.pairing().unwrap().id;
    assert_eq!(server.p2p.pairing_of(&id("A")), Some((pairing, id("B"))));
    assert_eq!(server.p2p.pairing_of(&id("B")), Some((pairing, id("A"))));
    assert_eq!(server.p2p.pairing_of(&id("C")), None);
    assert_eq!(server.p2p.pairing_of(&id("nobody")), None);
    let stats = server.p2p.stats();
    assert_eq!((stats.clients, stats.requests, stats.pairings), (3, 0, 1));

    drop((a, b, _c));
    server.is_empty_soon().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_parts_a_pair_and_both_may_pair_anew() {
    let server = TestServer::start().await;
    let [a, b] = pair(&server, client(&server, "A"), client(&server, "B")).await;
    let (mut at_a, mut at_b) = (a.events(), b.events());

    server.p2p.unpair(b.id());
    server.p2p.unpair(b.id());

    assert_eq!(unpaired(&mut at_a).await, EndReason::Kicked);
    assert_eq!(unpaired(&mut at_b).await, EndReason::Kicked);
    soon(a.register_target("B")).await.unwrap();
    assert_echoes(&a).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_kicks_a_client_and_it_may_come_back() {
    let server = TestServer::start().await;
    let [a, b] = pair(&server, client(&server, "A"), client(&server, "B")).await;
    let (mut at_a, at_b) = (a.events(), b.events());

    server.p2p.kick(b.id());
    server.p2p.kick(&"nobody".parse().unwrap());

    assert_eq!(unpaired(&mut at_a).await, EndReason::Kicked);
    assert_eq!(all_unpaired(at_b).await, [EndReason::Kicked]);
    assert!(b.is_closed());
    let again = connect(&server, "B").await;
    soon(again.register_target("A")).await.unwrap();
    assert_echoes(&again).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_is_told_what_happens() {
    let server = TestServer::start().await;
    let mut events = server.p2p.events();
    let (a, b) = (connect(&server, "A").await, connect(&server, "B").await);
    let id = |id: &str| id.parse::<ClientId>().unwrap();

    refused(soon(b.register_target("C")).await);
    soon(a.register_target("B")).await.unwrap();
    soon(b.unregister_target()).await.unwrap();
    soon(a.close()).await;

    let mut seen = Vec::new();
    loop {
        let event = next(&mut events, Some).await;
        let last = event == Event::Disconnected(id("A"));
        seen.push(event);
        if last {
            break;
        }
    }
    let (source, target) = (id("A"), id("B"));
    let Some(Event::Paired { pairing, .. }) = seen.get(4).cloned() else {
        panic!("{seen:?}");
    };
    let expected = [
        Event::Connected(id("A")),
        Event::Connected(id("B")),
        Event::Refused { source: id("B"), target: id("C"), code: Code::Offline },
        Event::Registered { source: source.clone(), target: target.clone() },
        Event::Paired { pairing, source: source.clone(), target: target.clone() },
        Event::Unpaired { pairing, source, target, reason: EndReason::Unregistered },
        Event::Disconnected(id("A")),
    ];
    assert_eq!(seen, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_of_the_servers_events_that_lags_is_told_how_far() {
    let server = TestServer::start().await;
    let (a, _b) = (connect(&server, "A").await, connect(&server, "B").await);
    let mut events = server.p2p.events();

    // Three events a round, and 1,024 are kept. The last ones may not be published yet, nor may those of the two
    // connections have been.
    for _ in 0..400 {
        soon(a.register_target("B")).await.unwrap();
        soon(a.unregister_target()).await.unwrap();
    }

    let lagged = soon(events.recv()).await.unwrap_err();
    assert!(
        matches!(lagged, EventsError::Lagged(missed) if (170..=178).contains(&missed)),
        "{lagged:?}"
    );
    soon(events.recv()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_needs_the_servers_leave() {
    let server = TestServer::with(|io| {
        let allowed = |source: &ClientId, target: &ClientId| {
            source.as_str() == "admin" || target.as_str() != "admin"
        };
        P2pServer::builder().authorize(allowed).attach(io)
    })
    .await;
    let (a, admin) = (connect(&server, "A").await, connect(&server, "admin").await);

    assert_eq!(refused(soon(a.register_target("admin")).await), Code::Forbidden);
    assert_eq!(a.pairing(), None);
    soon(admin.register_target("A")).await.unwrap();

    assert_echoes(&admin).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_application_decides_who_a_connection_is() {
    let server = TestServer::with(|io| P2pServer::builder().identify(by_token).attach(io)).await;

    // Whatever it claims to be.
    let a = client(&server, "root").auth(json!({ "token": "secret-of-A" }));
    let a = soon(a.connect()).await.unwrap();
    let b = client(&server, "B").auth(json!({ "token": "secret-of-B" }));
    let b = soon(b.connect()).await.unwrap();
    soon(a.register_target("B")).await.unwrap();
    assert_echoes(&a).await;
    assert_eq!(b.pairing().unwrap().partner.as_str(), "A");

    let stranger = soon(client(&server, "A").connect()).await;
    assert!(matches!(stranger, Err(ConnectError::Refused(Code::Forbidden))), "{stranger:?}");
    let twice = client(&server, "A").auth(json!({ "token": "secret-of-A" }));
    let twice = soon(twice.connect()).await;
    assert!(matches!(twice, Err(ConnectError::Refused(Code::DuplicateId))), "{twice:?}");
}

fn by_token(handshake: &Handshake<'_>) -> Result<Option<ClientId>, Code> {
    let token = handshake.auth["token"].as_str().ok_or(Code::Forbidden)?;
    let name = token.strip_prefix("secret-of-").ok_or(Code::Forbidden)?;
    name.parse().map(Some).map_err(|_| Code::BadClientId)
}
