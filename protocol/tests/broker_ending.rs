//! The end of a pairing: whoever ends it, the freed partner is told once, with the reason.

use std::time::Duration;

use socketio_p2p_protocol::{BrokerEvent, Code, Dialect, EndReason, ServerMessage, broker::Input};

use crate::scenario::{Scenario, name};

#[test]
fn either_end_may_unregister_and_both_are_told_once() {
    for (asker, partner) in [("a", "b"), ("b", "a")] {
        let mut broker = Scenario::with_clients(["a", "b"]);
        let id = broker.pair("a", "b");

        let req = broker.unregister(asker);

        let told =
            |req| ServerMessage::Disconnect { pairing: id, reason: EndReason::Unregistered, req };
        assert_eq!(broker.told(asker), [told(Some(req))], "which is its answer");
        assert_eq!(broker.told(partner), [told(None)]);
        assert_eq!(broker.target_of(asker), None);
        assert_eq!(broker.target_of(partner), None);
        assert!(broker.routes.is_empty());
    }
}

#[test]
fn ends_that_both_unregister_are_told_of_one_end() {
    let mut broker = Scenario::with_clients(["a", "b"]);
    broker.pair("a", "b");

    broker.unregister("a");
    let second = broker.unregister("b");

    assert_eq!(broker.ends_told_to("a"), [EndReason::Unregistered]);
    let told = broker.told("b");
    let [ServerMessage::Disconnect { .. }, ServerMessage::Error { req, refusal, .. }] = &told[..]
    else {
        panic!("{told:?}");
    };
    assert_eq!((*req, refusal.code), (Some(second), Code::NotPaired));
}

#[test]
fn without_a_pairing_unregister_says_so() {
    let mut broker = Scenario::with_clients(["a"]);

    let req = broker.unregister("a");

    let told = broker.told("a");
    assert!(
        matches!(&told[..], [ServerMessage::Error { req: answered, refusal, .. }]
            if *answered == Some(req) && refusal.code == Code::NotPaired),
        "{told:?}"
    );
}

#[test]
fn the_partner_of_one_who_disconnects_is_told_once_and_is_free() {
    for (leaver, partner) in [("a", "b"), ("b", "a")] {
        let mut broker = Scenario::with_clients(["a", "b", "c"]);
        broker.pair("a", "b");

        broker.disconnect(leaver);
        broker.disconnect(leaver);

        assert_eq!(broker.ends_told_to(partner), [EndReason::Disconnected]);
        assert_eq!(broker.told(leaver), []);
        broker.pair("c", partner);
    }
}

#[test]
fn a_freed_client_can_be_paired_anew_under_another_number() {
    let mut broker = Scenario::with_clients(["a", "b"]);
    let first = broker.pair("a", "b");
    broker.unregister("a");

    let second = broker.pair("b", "a");

    assert_ne!(first, second);
}

#[test]
fn unpair_parts_two_clients_and_leaves_both_connected() {
    let mut broker = Scenario::with_clients(["a", "b"]);
    broker.pair("a", "b");

    broker.handle(Input::Unpair(name("b")));

    assert_eq!(broker.ends_told_to("a"), [EndReason::Kicked]);
    assert_eq!(broker.ends_told_to("b"), [EndReason::Kicked]);
    assert_eq!(broker.broker.stats().clients, 2);
    assert!(broker.closed.is_empty());
}

#[test]
fn unpair_of_a_free_or_unknown_client_does_nothing() {
    let mut broker = Scenario::with_clients(["a", "b"]);
    broker.register("a", "b");
    broker.told("b");

    broker.handle(Input::Unpair(name("a")));
    broker.handle(Input::Unpair(name("nobody")));

    assert_eq!(broker.told("a"), []);
    assert_eq!(broker.broker.stats().requests, 1);
}

#[test]
fn a_kicked_client_is_told_and_cut_off_and_its_partner_told() {
    let mut broker = Scenario::with_clients(["a", "b"]);
    broker.pair("a", "b");

    broker.handle(Input::Kick(name("a")));

    assert_eq!(broker.ends_told_to("a"), [EndReason::Kicked]);
    assert_eq!(broker.ends_told_to("b"), [EndReason::Kicked]);
    assert_eq!(broker.closed, [broker.conn("a")]);
    assert_eq!(broker.broker.stats().clients, 1);
    assert!(broker.admit("a", Dialect::V2).is_ok(), "its name is free");
}

#[test]
fn a_kicked_client_has_its_requests_answered_and_those_beside_it() {
    let mut broker = Scenario::with_clients(["a", "b", "c"]);
    let own = broker.register("a", "b");
    let other = broker.register("c", "a");

    broker.handle(Input::Kick(name("a")));

    assert_eq!(broker.refusals_to("a"), [(Some(own), Code::Forbidden)]);
    assert_eq!(broker.refusals_to("c"), [(Some(other), Code::Offline)]);
    assert_eq!(broker.broker.stats().requests, 0);
}

#[test]
fn a_server_that_shuts_down_answers_everything_and_hangs_up_on_everybody() {
    let mut broker = Scenario::with_clients(["a", "b", "c", "d"]);
    broker.pair("a", "b");
    let req = broker.register("c", "d");
    broker.events.clear();

    broker.handle(Input::ShutDown);

    assert_eq!(broker.ends_told_to("a"), [EndReason::ShuttingDown]);
    assert_eq!(broker.ends_told_to("b"), [EndReason::ShuttingDown]);
    assert_eq!(broker.refusals_to("c"), [(Some(req), Code::ShuttingDown)]);
    assert_eq!(broker.hung_up.len(), 4);
    assert_eq!(broker.closed, [], "that would tell stock clients to stay away");
    assert_eq!(broker.broker.stats(), <_>::default());
    assert_eq!(broker.broker.poll_timeout(), None);
    let gone = |event: &&BrokerEvent| matches!(event, BrokerEvent::Disconnected(_));
    assert_eq!(broker.events.iter().filter(gone).count(), 4);
    assert_eq!(broker.admit("e", Dialect::V2), Err(Code::ShuttingDown));
}

#[test]
fn messages_and_deadlines_after_the_shut_down_do_nothing() {
    let mut broker = Scenario::with_clients(["a", "b"]);
    broker.pair("a", "b");
    broker.handle(Input::ShutDown);
    broker.told("a");

    broker.register("a", "b");
    broker.unregister("a");
    broker.disconnect("a");
    broker.pass(Duration::from_secs(60));

    assert_eq!(broker.told("a"), []);
    assert_eq!(broker.broker.stats(), <_>::default());
}

#[test]
fn the_application_is_told_of_each_end_once() {
    let mut broker = Scenario::with_clients(["a", "b"]);
    let pairing = broker.pair("a", "b");
    broker.events.clear();

    broker.disconnect("b");

    assert_eq!(
        broker.events,
        [
            BrokerEvent::Unpaired {
                pairing,
                source: name("a"),
                target: name("b"),
                reason: EndReason::Disconnected,
            },
            BrokerEvent::Disconnected(name("b")),
        ]
    );
    let reason = EndReason::Disconnected;
    assert_eq!(broker.unrouted, [(broker.conn("a"), reason), (broker.conn("b"), reason)]);
}
