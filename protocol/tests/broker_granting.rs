//! Between yes and paired: the grant, which may come later, not at all, or be refused.

use socketio_p2p_protocol::{
    ClientState, Code, ConnId, Dialect, EndReason, ServerMessage, broker::Input,
    limits::GRANT_TIMEOUT,
};

use crate::scenario::{Scenario, name, pairing};

fn granting() -> Scenario {
    let mut broker = Scenario::with_clients(["a", "b", "c"]).holding_grants();
    broker.register("a", "b");
    broker.accept("b", "a");
    broker.told("b");
    broker
}

#[test]
fn nobody_is_paired_before_the_grant() {
    let mut broker = granting();

    assert_eq!(broker.target_of("a"), None);
    assert_eq!(broker.told("a"), []);
    assert!(broker.routes.is_empty());
    assert_eq!(broker.broker.clients()[0].state, ClientState::Free);

    broker.handle(Input::Granted(broker.grants[0], Ok(())));

    assert_eq!(broker.target_of("a"), Some("b"));
    assert_eq!(broker.routes.len(), 2);
}

#[test]
fn both_ends_are_held_while_their_pairing_is_granted() {
    let mut broker = granting();

    broker.register("c", "a");
    broker.register("c", "b");
    broker.register("a", "c");
    broker.register("b", "c");

    let codes = |refusals: Vec<(_, Code)>| refusals.into_iter().map(|(_, code)| code).collect();
    let (c, a): (Vec<_>, Vec<_>) = (codes(broker.refusals_to("c")), codes(broker.refusals_to("a")));
    assert_eq!(c, [Code::TargetBusy, Code::TargetBusy]);
    assert_eq!(a, [Code::SourceBusy]);
    assert_eq!(broker.refusal_to("b"), Some(Code::SourceBusy));
}

#[test]
fn a_yes_of_another_target_is_checked_again_at_acceptance() {
    let mut broker = Scenario::with_clients(["a", "b", "c"]).holding_grants();
    broker.register("a", "b");
    broker.register("b", "c");
    broker.accept("b", "a");
    let asked = broker.asked("c", "b");
    broker.told("c");

    broker.accept("c", "b");

    assert_eq!(broker.refusal_to("b"), Some(Code::SourceBusy));
    assert_eq!(broker.told("c"), [ServerMessage::Withdrawn { req: asked, code: Code::SourceBusy }]);
    assert_eq!(broker.grants.len(), 1);
}

#[test]
fn a_grant_that_is_refused_is_told_to_both_and_frees_both() {
    let mut broker = granting();
    let asked = broker.asked("b", "a");

    broker.handle(Input::Granted(broker.grants[0], Err(Code::TargetBusy)));

    assert_eq!(broker.refusal_to("a"), Some(Code::TargetBusy));
    assert_eq!(broker.told("b"), [ServerMessage::Withdrawn { req: asked, code: Code::TargetBusy }]);
    broker.register("c", "a");
    assert_eq!(broker.refusal_to("c"), None);
}

#[test]
fn a_refused_grant_of_crossing_requests_answers_both() {
    let mut broker = Scenario::with_clients(["a", "b"]).holding_grants();
    let first = broker.register("a", "b");
    let second = broker.register("b", "a");

    broker.handle(Input::Granted(broker.grants[0], Err(Code::Forbidden)));

    assert_eq!(broker.refusals_to("a"), [(Some(first), Code::Forbidden)]);
    assert_eq!(broker.refusals_to("b"), [(Some(second), Code::Forbidden)]);
}

#[test]
fn a_grant_that_does_not_come_in_time_is_refused_and_a_late_one_ignored() {
    let mut broker = granting();

    broker.pass(GRANT_TIMEOUT);
    assert_eq!(broker.refusal_to("a"), Some(Code::Timeout));
    broker.handle(Input::Granted(broker.grants[0], Ok(())));

    assert_eq!(broker.target_of("a"), None);
    assert_eq!(broker.broker.stats().pairings, 0);
}

#[test]
fn a_grant_nobody_asked_for_is_ignored() {
    let mut broker = granting();

    broker.handle(Input::Granted(pairing(99), Ok(())));

    assert_eq!(broker.target_of("a"), None);
}

#[test]
fn an_end_that_leaves_while_granting_frees_the_other() {
    for (leaver, other, told) in [("a", "b", false), ("b", "a", true)] {
        let mut broker = granting();

        broker.disconnect(leaver);
        broker.handle(Input::Granted(broker.grants[0], Ok(())));

        assert_eq!(broker.target_of(other), None);
        assert_eq!(broker.broker.stats().pairings, 0);
        if told {
            assert_eq!(broker.refusal_to("a"), Some(Code::Offline));
        } else {
            let asked = broker.asked("b", "a");
            let code = Code::Offline;
            assert_eq!(broker.told("b"), [ServerMessage::Withdrawn { req: asked, code }]);
        }
        broker.register("c", other);
        assert_eq!(broker.refusal_to("c"), None, "it is free");
    }
}

#[test]
fn an_end_that_unregisters_while_granting_takes_it_back() {
    for client in ["a", "b"] {
        let mut broker = granting();

        broker.unregister(client);
        broker.handle(Input::Granted(broker.grants[0], Ok(())));

        assert_eq!(broker.refusal_to("a"), Some(Code::Cancelled));
        assert_eq!(broker.target_of("a"), None);
        assert_eq!(broker.target_of("b"), None);
    }
}

#[test]
fn a_kicked_end_while_granting_frees_the_other() {
    let mut broker = granting();

    broker.handle(Input::Kick(name("b")));

    assert_eq!(broker.refusal_to("a"), Some(Code::Offline));
    assert_eq!(broker.closed, [broker.conn("b")]);
}

/// Found by the model.
#[test]
fn a_client_that_is_kicked_while_granting_is_asked_nothing_more() {
    let mut broker = Scenario::with_v1_clients(["a", "b", "c"]).holding_grants();
    broker.register("a", "b");
    broker.register("c", "b");
    broker.accept_by_event("b");

    broker.handle(Input::Kick(name("b")));

    assert_eq!(broker.asked("b", "c"), None);
    assert_eq!(broker.refusal_to("c"), Some(Code::Offline));
}

#[test]
fn a_shut_down_while_granting_answers_both() {
    let mut broker = granting();

    broker.handle(Input::ShutDown);

    assert_eq!(broker.refusal_to("a"), Some(Code::ShuttingDown));
    assert_eq!(broker.broker.stats().pairings, 0);
}

/// It was asked one at a time, and the first of its requests came to nothing.
#[test]
fn a_v1_target_is_asked_the_next_when_a_grant_is_refused() {
    let mut broker = Scenario::with_v1_clients(["t", "1", "2"]).holding_grants();
    broker.register("1", "t");
    broker.register("2", "t");
    broker.accept_by_event("t");
    assert_eq!(broker.asked("t", "2"), None);
    broker.told("t");

    broker.handle(Input::Granted(broker.grants[0], Err(Code::Quota)));

    let told = broker.told("t");
    assert!(
        matches!(
            &told[..],
            [ServerMessage::Withdrawn { code: Code::Quota, .. }, ServerMessage::Register { .. }]
        ),
        "first it forgets, then it is asked: {told:?}"
    );
}

#[test]
fn a_v1_client_that_leaves_while_granting_is_told_when_it_is_back() {
    let mut broker = Scenario::with_v1_clients(["a", "b"]).holding_grants();
    broker.register("a", "b");
    broker.accept_by_event("b");
    broker.disconnect("b");

    let conn = broker.admit("b", Dialect::V1).unwrap();
    broker.handle(Input::Connected(conn));

    assert_eq!(broker.told("b"), [ServerMessage::EndedWhileAway]);
}

#[test]
fn a_refused_grant_says_why_a_route_never_was() {
    let mut broker = granting();

    broker.handle(Input::Granted(broker.grants[0], Err(Code::Quota)));

    assert_eq!(broker.unrouted, Vec::<(ConnId, EndReason)>::new());
}
