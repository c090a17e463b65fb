//! The end of a pairing, whichever way it comes: the other end is told, once, with the reason.

use std::sync::Arc;

use futures_util::future::join;
use socketio_p2p_client::{
    EndReason, HandlerError, Incoming, P2pBuilder, P2pClient, P2pClientExt, PathPolicy,
};
use tokio::sync::{Semaphore, mpsc};

use crate::support::{
    cable::Cable,
    clients::{all_unpaired, assert_echoes, client, client_at, pair, pair_up, unpaired},
    server::TestServer,
    soon,
    wire::Wire,
};

#[tokio::test(flavor = "multi_thread")]
async fn either_end_can_unregister_and_both_are_told_once() {
    let server = TestServer::start().await;
    let [a, b] = pair(&server, client(&server, "A"), client(&server, "B")).await;
    let (at_a, at_b) = (a.events(), b.events());

    soon(a.unregister_target()).await.unwrap();
    assert_eq!(a.pairing(), None);
    pair_up(&a, &b).await;
    soon(b.unregister_target()).await.unwrap();
    assert_eq!(b.pairing(), None);
    pair_up(&b, &a).await;
    soon(a.unregister_target()).await.unwrap();
    // The answer to this comes after the news.
    soon(b.unregister_target()).await.unwrap();

    soon(join(a.close(), b.close())).await;
    assert_eq!(all_unpaired(at_a).await, [EndReason::Unregistered; 3]);
    assert_eq!(all_unpaired(at_b).await, [EndReason::Unregistered; 3]);
    server.is_empty_soon().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_emitted_before_the_end_of_the_pairing_is_handled() {
    const TIMES: usize = 40;
    let server = TestServer::start().await;
    let (heard, mut hears) = tokio::sync::mpsc::channel(TIMES);
    let b = client(&server, "B").on2("note", move |incoming: Incoming| {
        let told = heard.try_send(incoming.from().as_str().to_owned());
        async move { told.map_err(|_| HandlerError::new("nobody listens")) }
    });
    let [a, b] = pair(&server, client(&server, "A"), b).await;

    for _ in 0..TIMES {
        soon(a.emit2("note", ()).without_ack()).await.unwrap();
        soon(a.unregister_target()).await.unwrap();
        assert_eq!(soon(hears.recv()).await.as_deref(), Some("A"));
        pair_up(&a, &b).await;
    }
    soon(join(a.close(), b.close())).await;
}

#[tokio::test]
async fn an_answer_of_a_v1_client_arrives_though_it_unregisters_at_once() {
    let server = TestServer::start().await;
    let [mut a, mut b] = [Wire::v1(&server, "A").await, Wire::v1(&server, "B").await];
    a.ask_for("B").await;
    b.accept().await;
    a.is_paired().await;
    let call = r#"427["P2P_EMIT_ACKNOWLEDGE",{"targetClientId":"B","event":"chat","args":[]}]"#;
    a.send(call).await;
    let heard = b.text().await;
    let id = heard.strip_prefix("42").and_then(|heard| heard.strip_suffix(r#"["chat"]"#)).unwrap();

    b.send_together(&[&format!("43{id}[1]"), r#"421["P2P_UNREGISTER"]"#]).await;

    assert_eq!(a.text().await, "437[1]");
}

#[tokio::test]
async fn a_client_is_closed_when_its_last_handle_is_dropped_and_its_last_handler_has_ended() {
    let server = TestServer::start().await;
    let gate = Arc::new(Semaphore::new(0));
    let (called, mut is_called) = mpsc::channel(1);
    let handler_gate = gate.clone();
    let slow = move |_: Incoming| {
        let (called, gate) = (called.clone(), handler_gate.clone());
        async move {
            called.try_send(())?;
            gate.acquire().await?.forget();
            Ok("done")
        }
    };
    let [a, b] = pair(&server, client(&server, "A"), client(&server, "B").on2("slow", slow)).await;
    let mut at_a = a.events();
    let weak = b.downgrade();

    let call = a.emit2("slow", ()).start();
    soon(is_called.recv()).await.unwrap();
    drop(b);
    assert!(weak.upgrade().is_some(), "a handler runs");
    assert_echoes(&a).await;
    gate.add_permits(1);

    assert_eq!(soon(call).await.unwrap(), "done");
    unpaired(&mut at_a).await;
    assert!(weak.upgrade().is_none());
}

/// The events that are emitted in a row, without a reply.
const NOTES: usize = 40;

/// A client that uses only this path, and the notes that reach it.
fn reading(
    server: &TestServer,
    id: &str,
    policy: PathPolicy,
) -> (P2pBuilder, mpsc::Receiver<usize>) {
    let (arrived, notes) = mpsc::channel(2 * NOTES);
    let builder = client(server, id).path_policy(policy).on2("note", move |note: Incoming| {
        let arrived = arrived.clone();
        async move { Ok(arrived.try_send(note.args()?)?) }
    });
    (builder, notes)
}

async fn emit_notes(client: &P2pClient) {
    for note in 0..NOTES {
        soon(client.emit2("note", note).without_ack()).await.unwrap();
    }
}

async fn assert_all_arrive(notes: &mut mpsc::Receiver<usize>) {
    for note in 0..NOTES {
        assert_eq!(soon(notes.recv()).await, Some(note));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_events_emitted_before_unregistering_or_closing_arrive_on_either_path_in_either_direction()
 {
    for policy in [PathPolicy::RelayOnly, PathPolicy::DirectOnly] {
        let server = TestServer::start().await;
        let (a, mut at_a) = reading(&server, "A", policy);
        let (b, mut at_b) = reading(&server, "B", policy);
        let [a, b] = pair(&server, a, b).await;

        for _ in 0..5 {
            emit_notes(&a).await;
            soon(a.unregister_target()).await.unwrap();
            assert_all_arrive(&mut at_b).await;
            pair_up(&a, &b).await;

            emit_notes(&b).await;
            soon(b.unregister_target()).await.unwrap();
            assert_all_arrive(&mut at_a).await;
            pair_up(&a, &b).await;
        }

        emit_notes(&a).await;
        soon(a.close()).await;
        assert_all_arrive(&mut at_b).await;

        let (a, mut at_a) = reading(&server, "A2", policy);
        let a = soon(a.connect()).await.unwrap();
        pair_up(&a, &b).await;
        emit_notes(&b).await;
        soon(b.close()).await;
        assert_all_arrive(&mut at_a).await;
        soon(a.close()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_ends_can_unregister_at_the_same_time() {
    let server = TestServer::start().await;
    let [a, b] = pair(&server, client(&server, "A"), client(&server, "B")).await;
    let (at_a, at_b) = (a.events(), b.events());

    for _ in 0..30 {
        let unregistering =
            join(a.unregister_target().into_future(), b.unregister_target().into_future());
        let (from_a, from_b) = soon(unregistering).await;

        from_a.unwrap();
        from_b.unwrap();
        assert_eq!((a.pairing(), b.pairing()), (None, None));
        pair_up(&a, &b).await;
    }

    soon(a.unregister_target()).await.unwrap();
    soon(b.unregister_target()).await.unwrap();
    soon(join(a.close(), b.close())).await;
    assert_eq!(all_unpaired(at_a).await, [EndReason::Unregistered; 31]);
    assert_eq!(all_unpaired(at_b).await, [EndReason::Unregistered; 31]);
}

#[tokio::test(flavor = "multi_thread")]
async fn unregistering_without_a_pairing_is_no_error() {
    let server = TestServer::start().await;
    let a = soon(client(&server, "A").connect()).await.unwrap();

    soon(a.unregister_target()).await.unwrap();
    soon(a.unregister_target()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_that_closes_is_missed() {
    let server = TestServer::start().await;
    let [a, b] = pair(&server, client(&server, "A"), client(&server, "B")).await;
    let (mut at_a, at_b) = (a.events(), b.events());

    soon(b.close()).await;

    assert_eq!(unpaired(&mut at_a).await, EndReason::Disconnected);
    assert_eq!(a.pairing(), None);
    assert_eq!(all_unpaired(at_b).await, [EndReason::Disconnected]);
    assert!(b.is_closed());
    server.becomes(1, 0, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_the_last_handle_closes_the_connection() {
    let server = TestServer::start().await;
    let [a, b] = pair(&server, client(&server, "A"), client(&server, "B")).await;
    let mut at_a = a.events();
    let another_handle = b.clone();

    drop(b);
    assert_echoes(&another_handle).await;
    drop(another_handle);

    assert_eq!(unpaired(&mut at_a).await, EndReason::Disconnected);
    drop(a);
    server.is_empty_soon().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_whose_connection_is_cut_and_who_does_not_return_is_missed() {
    let server = TestServer::start().await;
    let cable = Cable::to(server.address).await;
    let cut_off = client_at(&cable.url, "B").resumes(false);
    let [a, b] = pair(&server, client(&server, "A"), cut_off).await;
    let (mut at_a, at_b) = (a.events(), b.events());

    cable.cut().await;

    assert_eq!(unpaired(&mut at_a).await, EndReason::Disconnected);
    // The one that was cut off notices too, and by itself.
    assert_eq!(all_unpaired(at_b).await, [EndReason::Disconnected]);
    server.becomes(1, 0, 0).await;
    let again = soon(client(&server, "B").connect()).await.unwrap();
    pair_up(&a, &again).await;
}
