//! The rules that only v1 clients have: one question at a time, answers without a name, and an
//! unregister that is answered once the partner is free.

use std::time::Duration;

use socketio_p2p_protocol::{
    ClientMessage, Code, Dialect, EndReason, ListPolicy, ServerMessage,
    broker::{BrokerEvent, Input},
    limits::{
        CONSENT_TIME, DEPARTED_V1_TIME, LATE_ANSWER_TIME, RELEASE_TIMEOUT, REPETITIONS, TOLD_TIME,
    },
};

use crate::scenario::Scenario;

/// A v1 target "t" beside which the v2 clients "1" and "2" wait.
fn crowd() -> Scenario {
    let mut broker = Scenario::with_v1_clients(["t"]);
    broker.connect("1", Dialect::V2);
    broker.connect("2", Dialect::V2);
    broker.register("1", "t");
    broker.register("2", "t");
    broker
}

#[test]
fn a_v1_client_is_asked_one_at_a_time() {
    let mut broker = crowd();
    assert!(broker.asked("t", "1").is_some());
    assert_eq!(broker.asked("t", "2"), None);

    broker.decline_by_event("t");

    assert_eq!(broker.refusal_to("1"), Some(Code::Declined));
    assert!(broker.asked("t", "2").is_some());
    broker.accept_by_event("t");
    assert_eq!(broker.target_of("t"), Some("2"));
}

#[test]
fn a_late_yes_by_event_is_not_one_to_the_next_question() {
    let mut broker = Scenario::with_v1_clients(["t"]);
    broker.connect("1", Dialect::V2);
    broker.connect("2", Dialect::V2);
    broker.register("1", "t");
    broker.pass(Duration::from_secs(1));
    broker.register("2", "t");
    broker.pass(CONSENT_TIME - Duration::from_secs(1));
    assert_eq!(broker.refusal_to("1"), Some(Code::Timeout));

    broker.accept_by_event("t");

    assert_eq!(broker.target_of("t"), None);
    assert!(broker.asked("t", "2").is_some(), "after that it is asked the next");
    broker.accept_by_event("t");
    assert_eq!(broker.target_of("t"), Some("2"));
}

#[test]
fn a_v1_client_that_never_answers_is_asked_the_next_when_no_answer_is_expected_any_more() {
    let mut broker = Scenario::with_v1_clients(["t"]);
    broker.connect("1", Dialect::V2);
    broker.connect("2", Dialect::V2);
    broker.register("1", "t");

    broker.pass(CONSENT_TIME + LATE_ANSWER_TIME - Duration::from_secs(1));
    broker.register("2", "t");
    assert_eq!(broker.asked("t", "2"), None);
    broker.pass(Duration::from_secs(1));

    assert!(broker.asked("t", "2").is_some());
    broker.accept_by_event("t");
    assert_eq!(broker.target_of("t"), Some("2"));
}

#[test]
fn a_v1_client_that_answers_by_acknowledgement_is_asked_the_next_after_the_consent_time() {
    let mut broker = crowd();
    broker.decline("t", "1");
    broker.register("1", "t");
    broker.pass(CONSENT_TIME);
    broker.register("2", "t");
    broker.pass(CONSENT_TIME);

    broker.register("1", "t");

    assert!(broker.asked("t", "1").is_some());
}

#[test]
fn a_v1_client_may_answer_by_acknowledgement_or_by_event() {
    for by_event in [true, false] {
        let mut broker = crowd();

        if by_event {
            broker.accept_by_event("t");
        } else {
            broker.accept("t", "1");
        }

        assert_eq!(broker.target_of("t"), Some("1"));
        assert_eq!(broker.refusal_to("2"), Some(Code::TargetBusy));
    }
}

/// Some clients do both; the second answer must not be taken for one to the next request.
#[test]
fn of_two_answers_the_first_counts() {
    let mut broker = crowd();
    broker.decline("t", "1");
    broker.decline_by_event("t");
    assert_eq!(broker.told("2"), [], "it was not declined");
    broker.accept("t", "2");
    assert_eq!(broker.target_of("t"), Some("2"));

    let mut broker = crowd();
    broker.decline_by_event("t");
    broker.decline("t", "1");
    assert_eq!(broker.told("2"), []);
    broker.accept_by_event("t");
    broker.accept("t", "2");
    assert_eq!(broker.target_of("t"), Some("2"));
}

#[test]
fn an_answer_to_a_request_that_was_taken_back_is_not_one_to_the_next() {
    let mut broker = crowd();
    broker.told("t");

    broker.unregister("1");
    assert_eq!(broker.asked("t", "2"), None, "its answer to 1 is under way");
    assert_eq!(broker.refusal_to("1"), Some(Code::Cancelled));
    broker.accept_by_event("t");

    assert_eq!(broker.target_of("t"), None);
    let told = broker.told("t");
    assert!(
        matches!(&told[..], [ServerMessage::Withdrawn { .. }, ServerMessage::Register { .. }]),
        "it forgets 1, and is asked 2: {told:?}"
    );
    broker.accept_by_event("t");
    assert_eq!(broker.target_of("t"), Some("2"));
}

#[test]
fn the_answer_to_a_request_that_was_taken_back_is_waited_for_as_long_as_to_others() {
    let mut broker = Scenario::with_v1_clients(["t", "1", "2"]);
    broker.register("1", "t");
    broker.disconnect("1");
    broker.pass(CONSENT_TIME + LATE_ANSWER_TIME - Duration::from_secs(5));
    broker.register("2", "t");
    assert_eq!(broker.asked("t", "2"), None);

    broker.pass(Duration::from_secs(5));

    assert!(broker.asked("t", "2").is_some());
    assert_eq!(broker.told("1"), [], "it is gone");
}

/// It was asked by one when it was paired with another: its answer is still to come.
#[test]
fn the_answer_that_a_pairing_overtook_is_not_one_to_a_later_request() {
    let mut broker = Scenario::with_v1_clients(["t", "1", "2", "3"]);
    broker.register("1", "t");
    broker.register("2", "t");
    broker.register("t", "2");
    assert_eq!(broker.target_of("t"), Some("2"));
    broker.disconnect("2");
    broker.register("3", "t");

    broker.accept_by_event("t");

    assert_eq!(broker.target_of("t"), None, "it meant 1");
    broker.accept_by_event("t");
    assert_eq!(broker.target_of("t"), Some("3"));
}

#[test]
fn a_no_to_a_request_that_was_taken_back_answers_nobody() {
    let mut broker = crowd();
    broker.unregister("1");
    broker.told("1");

    broker.decline_by_event("t");

    assert_eq!(broker.told("1"), []);
    assert!(broker.asked("t", "2").is_some());
}

#[test]
fn a_v1_client_whose_yes_came_too_late_is_told_unless_it_is_paired() {
    let mut broker = Scenario::with_v1_clients(["t"]);
    broker.connect("1", Dialect::V2);
    broker.register("1", "t");
    broker.pass(CONSENT_TIME);
    broker.told("t");

    broker.accept_by_event("t");
    let told = broker.told("t");
    assert!(matches!(&told[..], [ServerMessage::Withdrawn { .. }]), "{told:?}");

    broker.register("1", "t");
    broker.accept_by_event("t");
    broker.told("t");
    broker.accept_by_event("t");
    assert_eq!(broker.told("t"), []);
}

#[test]
fn a_yes_without_a_question_pairs_nobody() {
    let mut broker = Scenario::with_v1_clients(["a", "b"]);

    broker.accept_by_event("a");
    broker.decline_by_event("b");

    assert_eq!(broker.broker.stats().pairings, 0);
}

#[test]
fn a_packet_without_a_number_is_carried_out_and_answered_without_one() {
    let mut broker = Scenario::with_v1_clients(["a", "b"]);
    let target = "b".parse().unwrap();
    let message = ClientMessage::Register {
        req: None,
        target,
        payload: None,
        consent_time: None,
        wait: None,
    };

    broker.say("a", message);
    broker.accept_by_event("b");

    assert_eq!(broker.target_of("a"), Some("b"));
    let told = broker.told("a");
    assert!(matches!(&told[..], [ServerMessage::Registered { req: None, .. }]), "{told:?}");
}

fn unregistered(req: u64) -> ServerMessage {
    ServerMessage::Unregistered { req: Some(req) }
}

#[test]
fn a_v1_unregister_is_answered_once_the_v1_partner_confirmed() {
    let mut broker = Scenario::with_v1_clients(["a", "b"]);
    let pairing = broker.pair("a", "b");

    let req = broker.unregister("a");
    assert_eq!(broker.ends_told_to("a"), [EndReason::Unregistered]);
    assert_eq!(broker.ends_told_to("b"), [EndReason::Unregistered]);
    assert_eq!(broker.target_of("b"), None);
    broker.say("a", ClientMessage::Released { pairing });
    assert_eq!(broker.told("a"), [], "it cannot confirm for its partner");
    broker.say("b", ClientMessage::Released { pairing });

    assert_eq!(broker.told("a"), [unregistered(req)]);
    assert_eq!(broker.broker.poll_timeout(), None);
}

#[test]
fn a_v1_unregister_is_answered_after_three_seconds_at_the_latest() {
    let mut broker = Scenario::with_v1_clients(["a", "b"]);
    let pairing = broker.pair("a", "b");
    let req = broker.unregister("a");
    broker.told("a");

    broker.pass(RELEASE_TIMEOUT - Duration::from_millis(1));
    assert_eq!(broker.told("a"), []);
    broker.pass(Duration::from_millis(1));

    assert_eq!(broker.told("a"), [unregistered(req)]);
    broker.say("b", ClientMessage::Released { pairing });
    assert_eq!(broker.told("a"), [], "a late confirmation changes nothing");
}

#[test]
fn a_confirmation_of_another_pairing_counts_for_nothing() {
    let mut broker = Scenario::with_v1_clients(["a", "b"]);
    let first = broker.pair("a", "b");
    broker.unregister("a");
    broker.say("b", ClientMessage::Released { pairing: first });
    broker.pair("a", "b");
    broker.unregister("a");
    broker.told("a");

    broker.say("b", ClientMessage::Released { pairing: first });

    assert_eq!(broker.told("a"), []);
}

#[test]
fn a_v1_unregister_is_answered_when_the_partner_leaves() {
    let mut broker = Scenario::with_v1_clients(["a", "b"]);
    broker.pair("a", "b");
    let req = broker.unregister("a");
    broker.told("a");

    broker.disconnect("b");

    assert_eq!(broker.told("a"), [unregistered(req)]);
}

#[test]
fn an_initiator_that_leaves_is_waited_for_no_longer() {
    let mut broker = Scenario::with_v1_clients(["a", "b"]);
    let pairing = broker.pair("a", "b");
    broker.unregister("a");
    broker.told("a");

    broker.disconnect("a");
    broker.connect("a", Dialect::V1);
    broker.say("b", ClientMessage::Released { pairing });

    assert_eq!(broker.told("a"), [], "its successor has not asked");
    assert_eq!(broker.broker.poll_timeout(), None);
}

#[test]
fn a_v1_unregister_is_answered_when_either_is_paired_anew() {
    let mut broker = Scenario::with_v1_clients(["a", "b", "c"]);
    broker.pair("a", "b");
    let req = broker.unregister("a");
    broker.told("a");

    broker.pair("c", "b");

    assert_eq!(broker.told("a"), [unregistered(req)]);
    assert_eq!(broker.broker.poll_timeout(), None);
}

/// A client that drops its target when it is answered would drop the new one.
#[test]
fn a_v1_unregister_is_answered_before_a_registration_that_followed_it() {
    let mut broker = Scenario::with_v1_clients(["a", "b"]);
    broker.pair("a", "b");
    let req = broker.unregister("a");
    broker.told("a");

    broker.register("a", "b");
    broker.accept("b", "a");

    let told = broker.told("a");
    let [first, ServerMessage::Registered { .. }] = &told[..] else { panic!("{told:?}") };
    assert_eq!(*first, unregistered(req));
}

#[test]
fn a_v1_unregister_is_answered_when_the_server_shuts_down() {
    let mut broker = Scenario::with_v1_clients(["a", "b"]);
    broker.pair("a", "b");
    let req = broker.unregister("a");
    broker.told("a");

    broker.handle(Input::ShutDown);

    assert_eq!(broker.told("a"), [unregistered(req)]);
}

#[test]
fn a_v1_unregister_is_answered_at_once_when_nobody_has_to_confirm() {
    let mut broker = Scenario::new(ListPolicy::default());
    broker.connect("a", Dialect::V1);
    broker.connect("b", Dialect::V2);

    let free = broker.unregister("a");
    assert_eq!(broker.told("a"), [unregistered(free)]);

    broker.pair("a", "b");
    let paired = broker.unregister("a");
    assert_eq!(broker.told("a")[1..], [unregistered(paired)]);
    assert_eq!(broker.ends_told_to("b"), [EndReason::Unregistered]);
}

#[test]
fn the_v1_partner_of_one_who_disconnects_is_told_once() {
    let mut broker = Scenario::with_v1_clients(["a", "b"]);
    broker.pair("a", "b");

    broker.disconnect("a");

    assert_eq!(broker.ends_told_to("b"), [EndReason::Disconnected]);
    let req = broker.unregister("b");
    assert_eq!(broker.told("b"), [unregistered(req)], "it is free already");
}

/// Returns what a v1 client is told when it connects.
fn told_on_arrival(broker: &mut Scenario, client: &str) -> Vec<ServerMessage> {
    let conn = broker.admit(client, Dialect::V1).unwrap();
    broker.handle(Input::Connected(conn));
    broker.told(client)
}

fn told_on_return(broker: &mut Scenario, client: &str) -> Vec<ServerMessage> {
    broker.disconnect(client);
    told_on_arrival(broker, client)
}

#[test]
fn a_new_server_tells_each_v1_client_once_that_it_has_no_pairing() {
    let mut broker = Scenario::new(ListPolicy::default());

    for client in ["a", "b"] {
        let told = told_on_arrival(&mut broker, client);
        assert_eq!(told, [ServerMessage::EndedWhileAway], "a server before may have paired it");
        broker.pass(TOLD_TIME);
        assert_eq!(told_on_return(&mut broker, client), []);
    }

    broker.pass(DEPARTED_V1_TIME);
    assert_eq!(told_on_arrival(&mut broker, "c"), []);
}

#[test]
fn a_v1_client_that_has_not_confirmed_the_end_of_its_pairing_is_told_on_its_return() {
    let ends: [fn(&mut Scenario); 3] = [
        |broker| {
            broker.unregister("2");
        },
        |broker| broker.disconnect("2"),
        |broker| broker.handle(Input::Unpair("2".parse().unwrap())),
    ];
    for end in ends {
        let mut broker = Scenario::with_v1_clients(["t"]);
        broker.connect("2", Dialect::V2);
        broker.pair("2", "t");

        end(&mut broker);

        assert_eq!(told_on_return(&mut broker, "t"), [ServerMessage::EndedWhileAway]);
        broker.pass(TOLD_TIME);
        assert_eq!(told_on_return(&mut broker, "t"), [], "once");
    }
}

#[test]
fn a_v1_client_that_knows_of_the_end_is_not_told_again() {
    let mut broker = Scenario::with_v1_clients(["t"]);
    broker.connect("2", Dialect::V2);
    let pairing = broker.pair("2", "t");
    broker.unregister("2");
    broker.say("t", ClientMessage::Released { pairing });
    assert_eq!(told_on_return(&mut broker, "t"), []);

    broker.pair("2", "t");
    broker.unregister("t");
    assert_eq!(told_on_return(&mut broker, "t"), [], "it ended it itself");
}

#[test]
fn a_v1_client_is_told_on_its_return_if_a_yes_of_its_may_have_been_lost() {
    let mut broker = crowd();
    assert_eq!(told_on_return(&mut broker, "t"), [ServerMessage::EndedWhileAway]);

    broker.register("1", "t");
    broker.pass(CONSENT_TIME);
    broker.accept_by_event("t");
    assert_eq!(told_on_return(&mut broker, "t"), [ServerMessage::EndedWhileAway], "too late");
}

/// Its message may be lost with the connection.
#[test]
fn a_v1_client_that_is_lost_soon_after_it_was_told_is_told_again() {
    let mut broker = Scenario::new(ListPolicy::default());
    assert_eq!(told_on_arrival(&mut broker, "a"), [ServerMessage::EndedWhileAway]);

    broker.pass(TOLD_TIME - Duration::from_secs(1));

    assert_eq!(told_on_return(&mut broker, "a"), [ServerMessage::EndedWhileAway]);
    broker.pass(TOLD_TIME);
    assert_eq!(told_on_return(&mut broker, "a"), []);
}

/// It may have said yes when its answer was no longer expected.
#[test]
fn a_v1_client_that_did_not_answer_in_time_is_told_on_its_return() {
    let mut broker = crowd();
    broker.decline("t", "1");
    broker.pass(CONSENT_TIME + LATE_ANSWER_TIME + TOLD_TIME);

    assert_eq!(told_on_return(&mut broker, "t"), [ServerMessage::EndedWhileAway]);
}

fn registered_under(broker: &mut Scenario, client: &str) -> Vec<Option<u64>> {
    let told = broker.told(client).into_iter();
    told.filter_map(|message| match message {
        ServerMessage::Registered { req, .. } => Some(req),
        _ => None,
    })
    .collect()
}

#[test]
fn a_v1_registration_that_is_repeated_joins_the_one_that_waits() {
    let mut broker = Scenario::with_v1_clients(["s", "t"]);
    let reqs: Vec<_> = (0..3).map(|_| Some(broker.register("s", "t"))).collect();
    assert_eq!(broker.refusals_to("s"), [], "it waits");
    let questions = broker.told("t").into_iter();
    assert_eq!(questions.filter(|m| matches!(m, ServerMessage::Register { .. })).count(), 1);

    broker.accept_by_event("t");

    assert_eq!(registered_under(&mut broker, "s"), reqs);
    let paired = broker.events.iter().filter(|e| matches!(e, BrokerEvent::Paired { .. }));
    assert_eq!(paired.count(), 1);
}

#[test]
fn a_refusal_answers_a_v1_registration_and_its_repetitions() {
    let mut broker = Scenario::with_v1_clients(["s", "t"]);
    let reqs = [(); 2].map(|()| (Some(broker.register("s", "t")), Code::Declined));

    broker.decline_by_event("t");

    assert_eq!(broker.refusals_to("s"), reqs);
    let refused = broker.events.iter().filter(|e| matches!(e, BrokerEvent::Refused { .. }));
    assert_eq!(refused.count(), 1);
}

#[test]
fn a_v1_registration_of_somebody_else_joins_nothing() {
    let mut broker = Scenario::with_v1_clients(["s", "t", "u"]);
    broker.register("s", "t");

    broker.register("s", "u");

    assert_eq!(broker.refusal_to("s"), Some(Code::SourceBusy));
    assert_eq!(broker.asked("u", "s"), None);
}

#[test]
fn the_repetitions_of_a_v1_registration_are_limited() {
    let mut broker = Scenario::with_v1_clients(["s", "t"]);
    for _ in 0..REPETITIONS {
        broker.register("s", "t");
    }
    assert_eq!(broker.refusals_to("s"), []);

    broker.register("s", "t");

    assert_eq!(broker.refusal_to("s"), Some(Code::SourceBusy));
}

#[test]
fn a_v1_registration_is_taken_back_by_unregister() {
    let mut broker = Scenario::with_v1_clients(["s", "t"]);
    let reqs = [(); 2].map(|()| (Some(broker.register("s", "t")), Code::Cancelled));

    broker.unregister("s");

    assert_eq!(broker.refusals_to("s"), reqs);
    broker.accept_by_event("t");
    assert_eq!(broker.target_of("s"), None, "it would be paired behind its back");
}
