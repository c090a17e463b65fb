//! The window: the only queue, and what happens while it is full.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{FutureExt as _, future::join_all};
use serde_json::{Value, json};
use socketio_p2p_client::{
    Cause, Code, EmitError, HandlerError, Incoming, P2pBuilder, P2pClientExt,
};
use tokio::sync::Semaphore;

use crate::support::{
    LONG,
    clients::{assert_echoes, client, pair},
    server::TestServer,
    soon,
};

/// More than all handlers, the window, and what waits before it.
const PLENTY: usize = 1500;

#[tokio::test(flavor = "multi_thread")]
async fn an_emit_that_never_got_room_is_not_executed() {
    let server = TestServer::start().await;
    let (b, gate) = gated(client(&server, "B"));
    let [a, _b] = pair(&server, client(&server, "A"), b).await;

    // Handlers that do not end fill all there is.
    let emits = (0..256).map(|_| a.emit2("gated", ()).timeout(LONG).without_ack());
    for result in soon(join_all(emits.map(IntoFuture::into_future))).await {
        result.unwrap();
    }
    let patience = Duration::from_millis(500);
    let emits = (256..PLENTY).map(|_| a.emit2("gated", ()).timeout(patience).without_ack());
    let results = soon(join_all(emits.map(IntoFuture::into_future))).await;

    let sent = 256 + results.iter().filter(|result| result.is_ok()).count();
    assert!(sent < PLENTY, "all were sent");
    for error in results.into_iter().filter_map(Result::err) {
        let timeout = Cause::Code(Code::Timeout);
        assert!(
            matches!(error, EmitError::NotExecuted { cause: c, .. } if c == timeout),
            "{error:?}"
        );
    }

    // Exactly those that were sent run.
    gate.add_permits(PLENTY);
    assert_echoes(&a).await;
    assert_eq!(gate.available_permits(), PLENTY - sent);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_beyond_the_handlers_wait_and_are_all_answered() {
    let server = TestServer::start().await;
    let (b, gate) = gated(client(&server, "B"));
    let [a, _b] = pair(&server, client(&server, "A"), b).await;

    let calls = (0..PLENTY).map(|_| a.emit2("gated", ()).timeout(LONG).into_future());
    let calls = join_all(calls);
    let opening = async { gate.add_permits(PLENTY) };
    let (results, ()) = soon(async { tokio::join!(calls, opening) }).await;

    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), PLENTY);
    assert_eq!(gate.available_permits(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_fill_each_others_window_still_answer_each_other() {
    let server = TestServer::start().await;
    let [a, b] = pair(&server, client(&server, "A"), client(&server, "B")).await;
    let text = "x".repeat(10_000);

    let calls = |from| {
        let text = &text;
        join_all(
            (0..600)
                .map(move |_| P2pClientExt::emit2(from, "echo", text).timeout(LONG).into_future()),
        )
    };
    let (from_a, from_b) = soon(async { tokio::join!(calls(&a), calls(&b)) }).await;

    for result in from_a.into_iter().chain(from_b) {
        let reply: Value = result.unwrap();
        assert_eq!(reply, serde_json::json!([text]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emit_dropped_while_it_waits_for_room_is_not_sent() {
    let server = TestServer::start().await;
    let (b, gate) = gated(client(&server, "B"));
    let [a, _b] = pair(&server, client(&server, "A"), b).await;
    // Emits until no more gets room for a while: there is none left.
    let patience = Duration::from_secs(1);
    let mut sent = 0;
    loop {
        let filling = (0..PLENTY).map(|_| a.emit2("gated", ()).timeout(patience).without_ack());
        let filled = soon(join_all(filling.map(IntoFuture::into_future))).await;
        let more = filled.iter().filter(|result| result.is_ok()).count();
        if more == 0 {
            break;
        }
        sent += more;
    }

    let waiting: Vec<_> = (0..20)
        .map(|_| {
            let mut emit = a.emit2("gated", ()).into_future();
            assert!((&mut emit).now_or_never().is_none());
            emit
        })
        .collect();
    drop(waiting);

    gate.add_permits(sent + PLENTY);
    assert_echoes(&a).await;
    assert_eq!(gate.available_permits(), PLENTY);
}

#[tokio::test(flavor = "multi_thread")]
async fn handlers_that_never_return_hold_up_nothing_once_their_callers_gave_up() {
    let server = TestServer::start().await;
    let started = Arc::new(AtomicUsize::new(0));
    let counting = started.clone();
    let b = client(&server, "B").on2("never", move |_: Incoming| {
        counting.fetch_add(1, Ordering::Relaxed);
        std::future::pending::<Result<(), HandlerError>>()
    });
    let [a, _b] = pair(&server, client(&server, "A"), b).await;

    // More than there are places, at both ends.
    let patience = Duration::from_millis(20);
    soon(async {
        while started.load(Ordering::Relaxed) < PLENTY {
            let calls = (0..64).map(|_| a.emit2("never", ()).timeout(patience));
            for result in join_all(calls.map(IntoFuture::into_future)).await {
                assert!(result.is_err(), "{result:?}");
            }
        }
    })
    .await;

    assert_echoes(&a).await;
}

/// A client whose handler of `gated` waits for a permit, and keeps it.
fn gated(builder: P2pBuilder) -> (P2pBuilder, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(0));
    let handler_gate = gate.clone();
    let builder = builder.on2("gated", move |_: Incoming| {
        let gate = handler_gate.clone();
        async move {
            gate.acquire().await.map_err(|_| HandlerError::new("closed"))?.forget();
            Ok(())
        }
    });
    (builder, gate)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emit_whose_time_is_over_before_a_handler_is_free_is_not_executed() {
    let server = TestServer::start().await;
    let ran = Arc::new(AtomicUsize::new(0));
    let counting = ran.clone();
    let (b, gate) = gated(client(&server, "B"));
    let b = b.on2("late", move |_: Incoming| {
        counting.fetch_add(1, Ordering::Relaxed);
        std::future::ready(Ok(()))
    });
    let [a, b] = pair(&server, client(&server, "A"), b).await;
    for _ in 0..256 {
        soon(a.emit2("gated", ()).without_ack()).await.unwrap();
    }

    // Far more than it takes to be sent.
    let ttl = Duration::from_secs(4);
    soon(a.emit2("late", ()).ttl(ttl).without_ack()).await.unwrap();
    // The reply comes after it, and is received although no handler is free.
    assert_echoes(&b).await;
    tokio::time::sleep(ttl + Duration::from_secs(1)).await;
    gate.add_permits(256);

    let in_time: Value = soon(a.emit2("echo", 1).ttl(LONG)).await.unwrap();
    assert_eq!((in_time, ran.load(Ordering::Relaxed)), (json!([1]), 0));
}
