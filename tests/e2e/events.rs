//! The events of a client's application.

use futures_util::future::join;
use serde_json::json;
use socketio_p2p_client::{Code, Event, EventsError, P2pClientExt, RequestError};
use socketio_p2p_server::{ClientState, ListPolicy, P2pServer};

use crate::support::{
    LONG,
    clients::{all_unpaired, client, connect, pair_up},
    server::TestServer,
    soon,
};

#[tokio::test(flavor = "multi_thread")]
async fn each_pairing_has_one_beginning_and_one_end() {
    let server = TestServer::start().await;
    let (a, b) = (connect(&server, "A").await, connect(&server, "B").await);
    let mut events = b.events();

    pair_up(&a, &b).await;
    soon(a.unregister_target()).await.unwrap();
    server.becomes(2, 0, 0).await;
    pair_up(&b, &a).await;
    server.p2p.unpair(b.id());
    server.becomes(2, 0, 0).await;
    pair_up(&a, &b).await;
    soon(a.close()).await;
    server.becomes(1, 0, 0).await;
    // Whatever the server said before, it said before this answer.
    soon(b.unregister_target()).await.unwrap();
    soon(b.close()).await;

    let mut seen = Vec::new();
    soon(async {
        while let Ok(event) = events.recv().await {
            seen.push(match event {
                Event::Connected(_) => "connected".to_owned(),
                Event::Paired(info) => format!("paired, initiator: {}", info.initiator),
                Event::Unpaired { pairing, reason } => {
                    format!("unpaired from {}: {reason}", pairing.partner)
                }
                Event::Disconnected => "disconnected".to_owned(),
                other => panic!("{other:?}"),
            });
        }
    })
    .await;
    assert_eq!(
        seen,
        [
            "connected",
            "paired, initiator: false",
            "unpaired from A: unregistered",
            "paired, initiator: true",
            "unpaired from A: kicked",
            "paired, initiator: false",
            "unpaired from A: disconnected",
            "disconnected",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_lags_is_told_how_far() {
    let server = TestServer::start().await;
    let (a, b) = (connect(&server, "A").await, connect(&server, "B").await);
    let mut events = a.events();

    // Two events a round, and 256 are kept.
    for _ in 0..200 {
        soon(a.register_target("B")).await.unwrap();
        soon(a.unregister_target()).await.unwrap();
    }

    let lagged = soon(events.recv()).await.unwrap_err();
    assert!(matches!(lagged, EventsError::Lagged(missed) if missed >= 144), "{lagged:?}");
    soon(events.recv()).await.unwrap();
    drop(b);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_client_says_so_to_everybody_for_ever() {
    let server = TestServer::start().await;
    let a = connect(&server, "A").await;
    let first = a.events();
    soon(a.unregister_target()).await.unwrap(); // The welcome is an event of before.
    let mut second = a.events();

    soon(a.close()).await;

    assert_eq!(all_unpaired(first).await, []);
    assert_eq!(soon(second.recv()).await, Ok(Event::Disconnected));
    for events in [&mut second, &mut a.events()] {
        assert_eq!(soon(events.recv()).await, Err(EventsError::Closed));
        assert_eq!(soon(events.recv()).await, Err(EventsError::Closed));
    }
    // Closing and asking once more hang nobody.
    soon(join(a.close(), a.close())).await;
    let error = soon(a.unregister_target()).await.unwrap_err();
    assert!(matches!(error, RequestError::Closed), "{error:?}");
    soon(a.emit2("echo", json!(1)).timeout(LONG)).await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_of_clients_is_for_those_whom_the_server_allows() {
    let forbids = TestServer::start().await;
    let a = connect(&forbids, "A").await;
    let error = soon(a.clients()).await.unwrap_err();
    assert!(
        matches!(&error, RequestError::Refused(why) if why.code == Code::Forbidden),
        "{error:?}"
    );

    let allows =
        TestServer::with(|io| P2pServer::builder().list_clients(ListPolicy::All).attach(io)).await;
    let (a, b) = (connect(&allows, "A").await, connect(&allows, "B").await);
    let c = soon(client(&allows, "C").connect()).await.unwrap();
    pair_up(&c, &a).await;
    let listed = soon(b.clients()).await.unwrap();
    let listed: Vec<_> = listed.iter().map(|entry| (entry.id.as_str(), entry.state)).collect();
    let (free, paired) = (ClientState::Free, ClientState::Paired);
    assert_eq!(listed, [("A", paired), ("B", free), ("C", paired)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_a_later_server_is_counted_and_has_no_other_effect() {
    let server = TestServer::start().await;
    let (a, b) = (connect(&server, "A").await, connect(&server, "B").await);
    pair_up(&a, &b).await;

    for event in ["P2P_NOVEL", "novel"] {
        server.io.emit(event, &json!({ "novel": true })).await.unwrap();
    }
    // Whatever the server sent before, it sent before this answer.
    soon(a.unregister_target()).await.unwrap();

    assert_eq!(a.counters().unknown, 1);
    assert_eq!(a.counters().unusable, 0);
}
