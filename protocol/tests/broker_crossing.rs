//! Requests that cross.

use std::time::Duration;

use socketio_p2p_protocol::{Code, Dialect, ListPolicy, ServerMessage};

use crate::scenario::Scenario;

#[test]
fn requests_that_cross_become_one_pairing_and_both_are_answered() {
    let mut broker = Scenario::with_clients(["a", "b"]);

    let first = broker.register("a", "b");
    let second = broker.register("b", "a");

    let registered = |message: &ServerMessage| match message {
        ServerMessage::Registered { req, pairing } => Some((*req, pairing.initiator)),
        _ => None,
    };
    let told_a: Vec<_> = broker.told("a").iter().filter_map(registered).collect();
    let told_b: Vec<_> = broker.told("b").iter().filter_map(registered).collect();
    assert_eq!(told_a, [(Some(first), true)], "the first is the initiator");
    assert_eq!(told_b, [(Some(second), false)]);
    assert_eq!(broker.broker.stats().pairings, 1);
}

#[test]
fn the_answer_to_a_request_that_crossed_changes_nothing() {
    for dialect in [Dialect::V1, Dialect::V2] {
        let mut broker = Scenario::new(ListPolicy::default());
        broker.connect("a", dialect);
        broker.connect("b", dialect);
        broker.register("a", "b");
        broker.register("b", "a");

        broker.decline("b", "a");
        broker.accept("b", "a");

        assert_eq!(broker.target_of("a"), Some("b"));
    }
}

#[test]
fn a_client_that_asks_a_third_may_still_cross() {
    let mut broker = Scenario::with_clients(["a", "b", "c"]);
    broker.register("a", "b");
    let third = broker.register("b", "c");

    broker.register("b", "a");

    assert_eq!(broker.target_of("a"), Some("b"));
    assert_eq!(broker.refusals_to("b"), [(Some(third), Code::SourceBusy)]);
    broker.accept("c", "b");
    assert_eq!(broker.target_of("c"), None);
}

/// A→B, B→C, C→A at once, and then the three yeses in every order.
#[test]
fn a_crossing_triangle_ends_in_one_pairing_and_every_request_is_answered_once() {
    let yeses = [("b", "a"), ("c", "b"), ("a", "c")];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut broker = Scenario::with_clients(["a", "b", "c"]);
        let requests = [
            ("a", broker.register("a", "b")),
            ("b", broker.register("b", "c")),
            ("c", broker.register("c", "a")),
        ];

        for yes in order {
            let (target, source) = yeses[yes];
            broker.accept(target, source);
        }

        broker.pass(Duration::from_secs(20));
        assert_eq!(broker.broker.stats().pairings, 1, "{order:?}");
        assert_eq!(broker.broker.stats().requests, 0, "{order:?}");
        for (client, req) in requests {
            let told = broker.told(client);
            let answers = told.iter().filter(|message| {
                matches!(message, ServerMessage::Registered { req: answered, .. }
                    | ServerMessage::RegisterFailed { req: answered, .. } if *answered == Some(req))
            });
            assert_eq!(answers.count(), 1, "{order:?}: {told:?}");
        }
    }
}

#[test]
fn a_triangle_of_which_nobody_answers_ends_in_timeouts() {
    let mut broker = Scenario::with_clients(["a", "b", "c"]);
    broker.register("a", "b");
    broker.register("b", "c");
    broker.register("c", "a");

    broker.pass(Duration::from_secs(10));

    for client in ["a", "b", "c"] {
        assert_eq!(broker.refusal_to(client), Some(Code::Timeout));
    }
}
