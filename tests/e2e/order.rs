//! Emits reach their handlers once, in the order in which they were sent.

use std::{
    future::{Ready, ready},
    sync::{Arc, Mutex},
};

use futures_util::{FutureExt as _, future::join_all, poll};
use serde_json::json;
use socketio_p2p_client::{HandlerError, Incoming, P2pClient, P2pClientExt, PathPolicy};
use tokio::task::JoinSet;

use crate::support::{
    LONG,
    clients::{assert_echoes, client, pair},
    server::TestServer,
    soon,
    wire::Wire,
};

const EMITS: usize = 20_000;

/// Emits that a task starts at once: far more than the window and every queue hold.
const AT_ONCE: usize = 2_000;

#[tokio::test]
async fn a_v1_client_may_call_its_partner_as_soon_as_it_has_said_yes() {
    let server = TestServer::start().await;
    let [mut a, mut b] = [Wire::v1(&server, "A").await, Wire::v1(&server, "B").await];
    a.ask_for("B").await;

    let emit = r#"42["P2P_EMIT",{"targetClientId":"A","event":"chat","args":[1]}]"#;
    b.accept_and(&[emit]).await;

    a.is_paired().await;
    assert_eq!(a.text().await, r#"42["chat",1]"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_thousand_emits_arrive_once_and_in_order() {
    let server = TestServer::start().await;
    let (heard, [a, _b]) = pair_with_recorder(&server).await;

    soon(async {
        for number in 0..EMITS {
            a.emit2("note", number).without_ack().await.unwrap();
        }
    })
    .await;

    assert_echoes(&a).await; // After all the others.
    assert_eq!(heard(), Vec::from_iter(0..EMITS));
}

#[tokio::test(flavor = "multi_thread")]
async fn large_ones_and_small_ones_keep_their_order() {
    let server = TestServer::start().await;
    let (heard, [a, _b]) = pair_with_recorder(&server).await;

    soon(async {
        for number in 0..EMITS {
            // Mostly small, some beyond a batch, a few near the limit of a frame.
            let size = match number % 1000 {
                0 => 200_000,
                1..20 => 20_000,
                _ => number % 50,
            };
            let emit = a.emit2("note", (number, "x".repeat(size)));
            emit.without_ack().await.unwrap();
        }
    })
    .await;

    assert_echoes(&a).await;
    assert_eq!(heard(), Vec::from_iter(0..EMITS));
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_keep_the_order_of_their_first_polls_however_many_a_task_makes_at_once() {
    let server = TestServer::start().await;
    let (heard, [a, _b]) = pair_with_recorder(&server).await;

    soon(async {
        let mut calls = Vec::new();
        for batch in [0..20, 20..40] {
            // Most of what tokio lets a task do at once is used up.
            for _ in 0..115 {
                tokio::task::consume_budget().await;
            }
            for number in batch {
                let mut call = a.emit2("note", number);
                if poll!(&mut call).is_pending() {
                    calls.push(call);
                }
            }
            // Later ones are polled for the first time before earlier ones are polled again.
            tokio::task::yield_now().await;
        }
        for reply in join_all(calls).await {
            reply.unwrap();
        }
    })
    .await;

    assert_eq!(heard(), Vec::from_iter(0..40));
}

#[tokio::test(flavor = "multi_thread")]
async fn emits_that_start_at_once_keep_the_order_of_their_first_polls_by_the_relay() {
    let server = TestServer::start().await;
    let (heard, [a, _b]) = pair_with_recorder(&server).await;

    start_at_once(&a).await;

    assert_eq!(heard(), Vec::from_iter((0..AT_ONCE).chain(0..AT_ONCE)));
}

#[tokio::test(flavor = "multi_thread")]
async fn emits_that_start_at_once_keep_the_order_of_their_first_polls_on_the_direct_path() {
    let server = TestServer::start().await;
    let (record, heard) = recorder();
    let direct = |id| client(&server, id).path_policy(PathPolicy::DirectOnly);
    let [a, _b] = pair(&server, direct("A"), direct("B").on2("note", record)).await;

    start_at_once(&a).await;

    assert_eq!(heard(), Vec::from_iter((0..AT_ONCE).chain(0..AT_ONCE)));
}

#[tokio::test]
async fn emits_are_sent_in_the_order_of_their_first_polls_whichever_of_them_is_polled_again() {
    let server = TestServer::start().await;
    let (heard, [a, _b]) = pair_with_recorder(&server).await;
    let polled_once = |number| {
        let mut call = a.emit2("note", number);
        assert!((&mut call).now_or_never().is_none());
        call
    };

    let mut calls: Vec<_> = (0..AT_ONCE).map(polled_once).collect();
    let last = calls.pop().unwrap();

    assert_eq!(soon(last).await.unwrap(), json!(AT_ONCE - 1));
    assert_eq!(heard(), Vec::from_iter(0..AT_ONCE));
}

#[tokio::test(flavor = "multi_thread")]
async fn emits_that_were_started_keep_that_order_in_tasks_of_their_own() {
    let server = TestServer::start().await;
    let (heard, [a, _b]) = pair_with_recorder(&server).await;

    let mut tasks = JoinSet::new();
    for number in 0..AT_ONCE {
        tasks.spawn(a.emit2("note", number).timeout(LONG).start());
    }
    for reply in soon(tasks.join_all()).await {
        reply.unwrap();
    }

    assert_eq!(heard(), Vec::from_iter(0..AT_ONCE));
}

/// Starts all calls at once, and then all emits without an acknowledgement.
async fn start_at_once(client: &P2pClient) {
    let calls = (0..AT_ONCE).map(|number| client.emit2("note", number).timeout(LONG));
    for (number, reply) in soon(join_all(calls)).await.into_iter().enumerate() {
        assert_eq!(reply.unwrap(), json!(number));
    }
    let notes = (0..AT_ONCE).map(|number| client.emit2("note", number).without_ack().timeout(LONG));
    for sent in soon(join_all(notes)).await {
        sent.unwrap();
    }
    assert_echoes(client).await; // After all the others.
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_and_plain_emits_keep_one_order() {
    let server = TestServer::start().await;
    let (heard, [a, _b]) = pair_with_recorder(&server).await;

    soon(async {
        for number in 0..2000 {
            if number % 10 == 0 {
                let reply = a.emit2("note", number).await.unwrap();
                assert_eq!(reply, json!(number));
            } else {
                a.emit2("note", number).without_ack().await.unwrap();
            }
        }
    })
    .await;

    assert_echoes(&a).await;
    assert_eq!(heard(), Vec::from_iter(0..2000));
}

#[tokio::test(flavor = "multi_thread")]
async fn both_directions_keep_their_order_at_the_same_time() {
    let server = TestServer::start().await;
    let (heard, [a, b]) = pair_with_recorder(&server).await;
    let (record, heard_by_a) = recorder();
    a.on2("note", record);

    let send = async |client: &P2pClient| {
        for number in 0..EMITS / 4 {
            client.emit2("note", number).without_ack().await.unwrap();
        }
        assert_echoes(client).await;
    };
    soon(async { tokio::join!(send(&a), send(&b)) }).await;

    assert_eq!(heard(), Vec::from_iter(0..EMITS / 4));
    assert_eq!(heard_by_a(), Vec::from_iter(0..EMITS / 4));
}

/// Pairs two clients; returns them with a function that lists what B's handler of `note` received.
async fn pair_with_recorder(server: &TestServer) -> (impl Fn() -> Vec<usize>, [P2pClient; 2]) {
    let (record, heard) = recorder();
    let b = client(server, "B").on2("note", record);
    (heard, pair(server, client(server, "A"), b).await)
}

type Recorded = Ready<Result<usize, HandlerError>>;

/// A handler that notes the numbers that come, and what it noted.
fn recorder() -> (impl Fn(Incoming) -> Recorded, impl Fn() -> Vec<usize>) {
    let numbers = Arc::new(Mutex::new(Vec::new()));
    let heard = numbers.clone();
    let record = move |incoming: Incoming| {
        let number = incoming.values()[0].as_u64().unwrap() as usize;
        numbers.lock().unwrap().push(number);
        ready(Ok(number))
    };
    (record, move || heard.lock().unwrap().clone())
}
