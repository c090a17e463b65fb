//! A service that serves one client at a time, and those who wait in line for it.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::Value;
use socketio_p2p_client::{
    Code, Event, Events, Incoming, P2pBuilder, P2pClient, P2pClientExt as _,
};
use socketio_p2p_server::P2pServer;
use tokio::task::JoinSet;

use crate::support::{
    LONG,
    cable::Cable,
    clients::{answering, client, client_at, connect, event, pair_up, refused},
    server::{TestServer, patient},
    soon,
};

const CALLERS: usize = 20;

/// A service that notes whom it serves.
fn service(builder: P2pBuilder, served: &Arc<Mutex<Vec<String>>>) -> P2pBuilder {
    let served = served.clone();
    answering(builder).on2("serve", move |incoming: Incoming| {
        let served = served.clone();
        async move {
            served.lock().map_err(|_| "a handler panicked")?.push(incoming.from().to_string());
            Ok(())
        }
    })
}

/// Waits for the service, is served, and makes room for the next.
async fn be_served(caller: P2pClient) {
    soon(caller.register_target("B").wait_in_line(LONG)).await.unwrap();
    let _: Value = soon(caller.emit2("serve", ())).await.unwrap();
    soon(caller.unregister_target()).await.unwrap();
}

async fn place(events: &mut Events) -> usize {
    event(events, |event| match event {
        Event::InLine { place, .. } => Some(place),
        _ => None,
    })
    .await
}

fn quick(builder: P2pBuilder) -> P2pBuilder {
    builder.backoff(Duration::from_millis(20), Duration::from_millis(200))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_serves_its_callers_one_after_another_in_the_order_of_their_arrival() {
    let server = TestServer::start().await;
    let served = Arc::default();
    let _b = soon(service(client(&server, "B"), &served).connect()).await.unwrap();
    let holder = connect(&server, "holder").await;
    soon(holder.register_target("B")).await.unwrap();

    let mut waiting = JoinSet::new();
    let mut names = Vec::new();
    for number in 0..CALLERS {
        let name = format!("caller-{number:02}");
        let caller = connect(&server, &name).await;
        let mut events = caller.events();
        waiting.spawn(be_served(caller));
        assert_eq!(place(&mut events).await, number + 1);
        names.push(name);
    }
    soon(holder.unregister_target()).await.unwrap();
    while let Some(done) = soon(waiting.join_next()).await {
        done.unwrap();
    }

    assert_eq!(*served.lock().unwrap(), names, "each once, in order");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_is_served_once_also_by_a_restarted_server() {
    let before = TestServer::with(|io| P2pServer::builder().limits(patient()).attach(io)).await;
    let [cable, callers] = [Cable::to(before.address).await, Cable::to(before.address).await];
    let served = Arc::default();
    let b = soon(quick(service(client_at(&cable.url, "B"), &served)).connect()).await.unwrap();
    let mut at_b = b.events();
    let holder = connect(&before, "holder").await;
    soon(holder.register_target("B")).await.unwrap();
    let mut waiting = JoinSet::new();
    let mut names = Vec::new();
    for number in 0..CALLERS {
        let name = format!("caller-{number:02}");
        let caller = soon(quick(client_at(&callers.url, &name)).connect()).await.unwrap();
        let mut events = caller.events();
        waiting.spawn(be_served(caller));
        assert_eq!(place(&mut events).await, number + 1);
        names.push(name);
    }

    let after = TestServer::with(|io| P2pServer::builder().limits(patient()).attach(io)).await;
    // The service is there first: to a caller that is back before it, it would be offline.
    cable.redirect(after.address);
    cable.sever();
    event(&mut at_b, |event| matches!(event, Event::Restarted(_)).then_some(())).await;
    callers.redirect(after.address);
    callers.sever();
    while let Some(done) = soon(waiting.join_next()).await {
        done.unwrap();
    }

    let mut served = served.lock().unwrap().clone();
    served.sort_unstable();
    assert_eq!(served, names, "each once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_in_line_survives_a_cut_connection() {
    let server = TestServer::with_grace().await;
    let cable = Cable::to(server.address).await;
    let served = Arc::default();
    let _b = soon(service(client(&server, "B"), &served).connect()).await.unwrap();
    let holder = connect(&server, "holder").await;
    soon(holder.register_target("B")).await.unwrap();
    let first = soon(quick(client_at(&cable.url, "first")).connect()).await.unwrap();
    let second = connect(&server, "second").await;
    let mut events = [first.events(), second.events()];
    let mut waiting = JoinSet::new();
    for (caller, events) in [first, second].into_iter().zip(&mut events) {
        waiting.spawn(be_served(caller));
        place(events).await;
    }

    cable.sever();
    assert_eq!(place(&mut events[0]).await, 1, "it is told its place again");
    soon(holder.unregister_target()).await.unwrap();
    while let Some(done) = soon(waiting.join_next()).await {
        done.unwrap();
    }

    assert_eq!(*served.lock().unwrap(), ["first", "second"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_the_future_gives_the_place_up() {
    let server = TestServer::start().await;
    let (a, b) = (connect(&server, "A").await, connect(&server, "B").await);
    pair_up(&a, &b).await;
    let (c, d) = (connect(&server, "C").await, connect(&server, "D").await);
    let mut events = [c.events(), d.events()];
    let waiting = c.register_target("B").wait_in_line(LONG).into_future();
    tokio::select! {
        _ = waiting => panic!("it is busy"),
        place = place(&mut events[0]) => assert_eq!(place, 1),
    }
    let waiting = d.register_target("B").wait_in_line(LONG);

    let leaves = async {
        // Its registration may overtake the end of the other's.
        while place(&mut events[1]).await > 1 {}
        soon(a.unregister_target()).await.unwrap();
    };
    let (registered, ()) = tokio::join!(soon(waiting), leaves);
    registered.unwrap();
    assert_eq!(c.pairing(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_that_takes_too_long_is_refused_as_busy() {
    let server = TestServer::start().await;
    let (a, b) = (connect(&server, "A").await, connect(&server, "B").await);
    pair_up(&a, &b).await;
    let c = connect(&server, "C").await;

    let waited = soon(c.register_target("B").wait_in_line(Duration::from_millis(50))).await;

    assert_eq!(refused(waited), Code::TargetBusy);
    server.becomes(3, 0, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_lines_refuses_at_once() {
    let server = TestServer::with(|io| {
        P2pServer::builder().limits(patient()).line_time(Duration::ZERO).attach(io)
    })
    .await;
    let (a, b) = (connect(&server, "A").await, connect(&server, "B").await);
    pair_up(&a, &b).await;
    let c = connect(&server, "C").await;

    assert_eq!(refused(soon(c.register_target("B").wait_in_line(LONG)).await), Code::TargetBusy);
}
