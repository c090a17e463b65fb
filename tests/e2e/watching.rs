//! Watching whether a target is absent, free or busy.

use futures_util::StreamExt as _;
use socketio_p2p_client::{
    Code, Event, P2pBuilder, P2pClientExt as _, TargetState, TargetWatch, WatchError,
};
use socketio_p2p_server::{ListPolicy, P2pServer};
use std::time::Duration;

use crate::support::{
    cable::Cable,
    clients::{client, client_at, connect, event, pair_up},
    server::{TestServer, patient},
    soon,
};

/// A server on which W may watch everybody.
async fn server() -> TestServer {
    TestServer::with(|io| {
        let builder = P2pServer::builder().limits(patient()).list_clients(ListPolicy::All);
        builder.watch(|watcher, _| watcher.as_str() == "W").attach(io)
    })
    .await
}

async fn next(watch: &mut TargetWatch) -> TargetState {
    soon(watch.recv()).await.unwrap()
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, WatchError>) -> Code {
    match result {
        Err(WatchError::Refused { refusal, .. }) => refusal.code,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_watches_nobody_unless_the_server_allows_it() {
    for server in [TestServer::start().await, server().await] {
        let (a, _b) = (connect(&server, "A").await, connect(&server, "B").await);

        // The same answer tells it nothing.
        assert_eq!(refused(soon(a.watch_target("B")).await), Code::Forbidden);
        assert_eq!(refused(soon(a.watch_target("nobody")).await), Code::Forbidden);
        assert!(matches!(soon(a.watch_target("")).await, Err(WatchError::Target { .. })));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_sees_its_target_come_be_paired_and_go() {
    let server = server().await;
    let w = connect(&server, "W").await;
    let mut watch = soon(w.watch_target("B")).await.unwrap();

    assert_eq!(watch.state(), TargetState::Absent);
    assert_eq!(next(&mut watch).await, TargetState::Absent);
    let (a, b) = (connect(&server, "A").await, connect(&server, "B").await);
    assert_eq!(next(&mut watch).await, TargetState::Free);
    pair_up(&a, &b).await;
    assert_eq!(next(&mut watch).await, TargetState::Busy);
    soon(a.unregister_target()).await.unwrap();
    assert_eq!(next(&mut watch).await, TargetState::Free);
    soon(b.close()).await;
    assert_eq!(next(&mut watch).await, TargetState::Absent);

    soon(w.close()).await;
    assert!(matches!(soon(watch.recv()).await, Err(WatchError::Closed { .. })));
    assert_eq!(soon(watch.next()).await, None);
    drop(a);
    server.is_empty_soon().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_ends_when_its_handle_or_its_future_is_dropped() {
    let server = server().await;
    let w = connect(&server, "W").await;

    let watches =
        [soon(w.watch_target("B")).await.unwrap(), soon(w.watch_target("B")).await.unwrap()];
    assert_eq!(server.p2p.stats().watches, 1, "they share one");
    drop(watches);
    tokio::select! {
        biased;
        _ = w.watch_target("C").into_future() => panic!("it needs the server's answer"),
        () = std::future::ready(()) => {}
    }
    // The answer to this comes after their ends.
    soon(w.clients()).await.unwrap();

    assert_eq!(server.p2p.stats().watches, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_stands_again_after_a_cut_and_at_a_restarted_server() {
    let before = server().await;
    let cable = Cable::to(before.address).await;
    let w = soon(quick(client_at(&cable.url, "W")).connect()).await.unwrap();
    let (mut watch, mut events) = (soon(w.watch_target("B")).await.unwrap(), w.events());
    assert_eq!(next(&mut watch).await, TargetState::Absent);

    cable.sever();
    assert_eq!(next(&mut watch).await, TargetState::Absent, "once more, on the new connection");
    let after = server().await;
    let _b = connect(&after, "B").await;
    cable.redirect(after.address);
    cable.sever();
    assert_eq!(next(&mut watch).await, TargetState::Free);

    let strict = TestServer::start().await;
    cable.redirect(strict.address);
    cable.sever();
    assert_eq!(refused(soon(watch.recv()).await), Code::Forbidden);
    event(&mut events, |event| matches!(event, Event::Restarted(_)).then_some(())).await;
    assert!(matches!(soon(watch.recv()).await, Err(WatchError::Closed { .. })));
    assert!(!w.is_closed());
}

fn quick(builder: P2pBuilder) -> P2pBuilder {
    builder.backoff(Duration::from_millis(20), Duration::from_millis(200))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_does_not_keep_its_client_connected() {
    let server = server().await;
    let w = soon(client(&server, "W").connect()).await.unwrap();
    let mut watch = soon(w.watch_target("B")).await.unwrap();
    next(&mut watch).await;

    drop(w);

    assert!(matches!(soon(watch.recv()).await, Err(WatchError::Closed { .. })));
    server.is_empty_soon().await;
}
