//! A connection that drops, and a session that does not notice.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::future::{FutureExt as _, join_all};
use rust_socketio::asynchronous::ClientBuilder;
use serde_json::{Value, json};
use socketio_p2p_client::{
    Code, ConnectError, EndReason, Event, Events, Incoming, P2pBuilder, P2pBuilderExt, P2pClient,
    P2pClientExt, Presence,
};
use socketio_p2p_server::{DuplicatePolicy, P2pServer};
use tokio::net::TcpListener;

use crate::support::{
    LONG,
    cable::Cable,
    clients::{
        all_unpaired, answering, assert_echoes, assert_echoes_v1, client, client_at, connect,
        event, pair, pair_up, unpaired,
    },
    server::TestServer,
    soon,
    wire::Wire,
};

/// A client that notices a dead connection soon.
fn quick(cable: &Cable, id: &str) -> P2pBuilder {
    client_at(&cable.url, id)
        .heartbeat(Duration::from_millis(200), Duration::from_millis(600))
        .backoff(Duration::from_millis(20), Duration::from_millis(200))
}

async fn resumed(events: &mut Events) {
    event(events, |event| match event {
        Event::Resumed(_) => Some(()),
        Event::Restarted(_) => panic!("a new session"),
        _ => None,
    })
    .await;
}

async fn presence(events: &mut Events) -> Presence {
    event(events, |event| match event {
        Event::Partner(presence) => Some(presence),
        _ => None,
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pairing_outlives_a_cut_connection_and_the_partner_sees_it_go_and_return() {
    let server = TestServer::with_grace().await;
    let cable = Cable::to(server.address).await;
    let [a, b] = pair(&server, client(&server, "A"), quick(&cable, "B")).await;
    let (mut at_a, mut at_b) = (a.events(), b.events());
    let pairing = a.pairing();

    cable.sever();

    event(&mut at_b, |event| (event == Event::Away).then_some(())).await;
    resumed(&mut at_b).await;
    assert_eq!(presence(&mut at_a).await, Presence::Away);
    assert_eq!(presence(&mut at_a).await, Presence::Back);
    assert_eq!(a.pairing(), pairing);
    assert_echoes(&a).await;
    assert_echoes(&b).await;
    server.becomes(2, 0, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_under_way_complete_each_once_and_in_order_though_both_ends_are_cut_again_and_again()
{
    const CALLS: usize = 2000;
    let server = TestServer::with_grace().await;
    let cable = Cable::to(server.address).await;
    let ran = Arc::new(AtomicUsize::new(0));
    let counting = ran.clone();
    let b = quick(&cable, "B").on2("count", move |incoming: Incoming| {
        let place = counting.fetch_add(1, Ordering::Relaxed);
        async move { Ok((incoming.args::<usize>()?, place)) }
    });
    let [a, b] = pair(&server, quick(&cable, "A"), b).await;

    let calls = async {
        let mut done = 0;
        for first in (0..CALLS).step_by(50) {
            let calls = (first..first + 50).map(async |call| {
                let reply = a.emit2("count", call).timeout(LONG);
                let reply = reply.with_reply().await.unwrap();
                assert_eq!(reply.args::<(usize, usize)>().unwrap(), (call, call));
            });
            done += join_all(calls).await.len();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        done
    };
    let cutting = async {
        for _ in 0..8 {
            tokio::time::sleep(Duration::from_millis(150)).await;
            cable.sever();
        }
        std::future::pending::<()>().await;
    };
    let done = tokio::select! {
        done = calls => done,
        () = cutting => 0,
    };

    assert_eq!((done, ran.load(Ordering::Relaxed)), (CALLS, CALLS));
    soon(a.close()).await;
    soon(b.close()).await;
    server.is_empty_soon().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_open_connection_is_noticed_by_our_heartbeat_and_replaced() {
    // The server's own heartbeat would notice it too.
    let layer = P2pServer::socket_io().ping_interval(LONG).build_layer();
    let server = TestServer::on(layer, |io| P2pServer::builder().grace(LONG).attach(io)).await;
    let cable = Cable::to(server.address).await;
    let [a, b] = pair(&server, client(&server, "A"), quick(&cable, "B")).await;
    let mut at_b = b.events();

    cable.hush();

    resumed(&mut at_b).await;
    assert_echoes(&a).await;
    assert_echoes(&b).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_made_from_a_single_builder_comes_back_with_the_same_client_of_rust_socketio() {
    let server = TestServer::with_grace().await;
    let cable = Cable::to(server.address).await;
    let single = answering(ClientBuilder::new(cable.url.as_str()).p2p("B"))
        .backoff(Duration::from_millis(20), Duration::from_millis(200));
    let [a, b] = pair(&server, client(&server, "A"), single).await;
    let mut at_b = b.events();

    for _ in 0..3 {
        cable.sever();
        resumed(&mut at_b).await;
        assert_echoes(&a).await;
        assert_echoes(&b).await;
        // Its own client still reaches the server: this is one of its clients.
        b.socket().emit("an-event-of-the-application", json!(1)).await.unwrap();
    }

    soon(b.close()).await;
    server.becomes(1, 0, 0).await;
}

// One thread: the last wait, of five minutes, is spent in virtual time.
#[tokio::test]
async fn a_client_made_from_a_single_builder_whose_rust_socketio_is_gone_ends() {
    let server = TestServer::with_grace().await;
    // Not a panic, which would be reported: but it ends rust_socketio's task as one does.
    let ends_the_task = |_, _| {
        async {
            std::panic::resume_unwind(Box::new("gone"));
        }
        .boxed()
    };
    let single = ClientBuilder::new(server.url.as_str()).on("end", ends_the_task).p2p("A");
    let single = single.heartbeat(Duration::from_millis(200), Duration::from_millis(600));
    let a = soon(single.connect()).await.unwrap();
    let mut events = a.events();

    server.io.emit("end", &json!(1)).await.unwrap();
    event(&mut events, |event| (event == Event::Away).then_some(())).await;
    tokio::time::pause();

    let ended = async { while events.recv().await.unwrap() != Event::Disconnected {} };
    tokio::time::timeout(Duration::from_secs(400), ended).await.expect("it does not stay away");
    assert!(a.is_closed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_closed_while_it_is_away_is_gone_at_once() {
    let server = TestServer::with_grace().await;
    let cable = Cable::to(server.address).await;
    let single = answering(ClientBuilder::new(cable.url.as_str()).p2p("B"));
    for away in [single, quick(&cable, "C")] {
        let away = away.backoff(Duration::from_secs(60), Duration::from_secs(60));
        let b = soon(away.connect()).await.unwrap();
        let mut events = b.events();
        cable.sever();
        event(&mut events, |event| (event == Event::Away).then_some(())).await;

        soon(b.close()).await;

        assert!(b.is_closed());
    }
    server.is_empty_soon().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_with_the_same_id_is_refused_while_the_client_is_away() {
    let server = TestServer::with_grace().await;
    let cable = Cable::to(server.address).await;
    let slow = quick(&cable, "B").backoff(Duration::from_secs(2), Duration::from_secs(2));
    let [a, b] = pair(&server, client(&server, "A"), slow).await;
    let (mut at_a, mut at_b) = (a.events(), b.events());
    cable.sever();
    assert_eq!(presence(&mut at_a).await, Presence::Away);

    let stranger = soon(client(&server, "B").connect()).await;

    assert!(matches!(stranger, Err(ConnectError::Refused(Code::DuplicateId))), "{stranger:?}");
    resumed(&mut at_b).await;
    assert_echoes(&a).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_grace_period_the_partner_is_free_and_the_returning_client_starts_anew() {
    let server =
        TestServer::with(|io| P2pServer::builder().grace(Duration::from_millis(300)).attach(io))
            .await;
    let cable = Cable::to(server.address).await;
    let [a, b] = pair(&server, client(&server, "A"), quick(&cable, "B")).await;
    let (mut at_a, mut at_b) = (a.events(), b.events());

    // It comes back when the grace is over: until then its connections are not accepted.
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    cable.redirect(nobody.local_addr().unwrap());
    cable.sever();
    assert_eq!(unpaired(&mut at_a).await, EndReason::Disconnected);
    cable.redirect(server.address);
    cable.sever();

    event(&mut at_b, |event| matches!(event, Event::Restarted(_)).then_some(())).await;
    assert_eq!(unpaired(&mut at_b).await, EndReason::Disconnected);
    assert_eq!((a.pairing(), b.pairing()), (None, None));
    pair_up(&b, &a).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_ids_are_taken_over_the_client_before_is_closed_and_does_not_come_back() {
    let server = TestServer::with(|io| {
        P2pServer::builder().duplicates(DuplicatePolicy::TakeOver).attach(io)
    })
    .await;
    let [a, old] = pair(&server, client(&server, "A"), client(&server, "B")).await;
    let (mut at_a, at_old) = (a.events(), old.events());

    let new = connect(&server, "B").await;

    assert_eq!(unpaired(&mut at_a).await, EndReason::Replaced);
    assert_eq!(all_unpaired(at_old).await, [EndReason::Replaced]);
    assert!(old.is_closed());
    pair_up(&a, &new).await;
    server.becomes(2, 0, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_v1_partner_does_not_notice_that_a_v2_client_was_away() {
    let server = TestServer::with_grace().await;
    let cable = Cable::to(server.address).await;
    let b = soon(quick(&cable, "B").connect()).await.unwrap();
    let mut wire = Wire::v1(&server, "A").await;
    wire.ask_for("B").await;
    assert_eq!(wire.text().await, "431[true]");
    let mut at_b = b.events();

    cable.sever();
    resumed(&mut at_b).await;
    assert_echoes_v1(&mut wire).await;

    // What it says meanwhile waits.
    cable.hush();
    event(&mut at_b, |event| (event == Event::Away).then_some(())).await;
    assert_echoes_v1(&mut wire).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn emits_wait_while_the_partner_is_away() {
    let server = TestServer::with_grace().await;
    let cable = Cable::to(server.address).await;
    let [a, b] = pair(&server, client(&server, "A"), quick(&cable, "B")).await;
    let mut at_a = a.events();
    cable.sever();
    assert_eq!(presence(&mut at_a).await, Presence::Away);

    let replies = (0..10).map(async |n: u64| {
        let reply: Value = a.emit2("echo", n).await.unwrap();
        assert_eq!(reply, json!([n]));
    });

    soon(join_all(replies)).await;
    drop(b);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_made_without_a_connection_waits_for_the_next() {
    let server = TestServer::with_grace().await;
    let cable = Cable::to(server.address).await;
    let a: P2pClient = soon(quick(&cable, "A").connect()).await.unwrap();
    let _b = connect(&server, "B").await;
    let mut at_a = a.events();
    cable.sever();
    event(&mut at_a, |event| (event == Event::Away).then_some(())).await;

    soon(a.register_target("B")).await.unwrap();

    assert_echoes(&a).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_restarted_knows_nothing_and_clients_start_anew() {
    let before = TestServer::with_grace().await;
    let cable = Cable::to(before.address).await;
    let [a, b] = pair(&before, quick(&cable, "A"), quick(&cable, "B")).await;
    let (mut at_a, mut at_b) = (a.events(), b.events());
    let after = TestServer::with_grace().await;

    cable.redirect(after.address);
    cable.sever();

    for events in [&mut at_a, &mut at_b] {
        event(events, |event| matches!(event, Event::Restarted(_)).then_some(())).await;
        assert_eq!(unpaired(events).await, EndReason::Disconnected);
    }
    pair_up(&a, &b).await;
    after.becomes(2, 0, 1).await;
}
