//! Emits reach their handlers once, in the order in which they were sent.

use std::{
    future::{Ready, ready},
    sync::{Arc, Mutex},
};

use futures_util::{future::join_all, poll};
use serde_json::json;
use socketio_p2p_client::{HandlerError, Incoming, P2pClient, P2pClientExt};

use crate::support::{
    clients::{assert_echoes, client, pair},
    server::TestServer,
    soon,
    wire::Wire,
};

const EMITS: usize = 20_000;

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
                let mut call = a.emit2("note", number).into_future();
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
