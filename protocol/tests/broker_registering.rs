//! Asking, answering, refusing: a request holds nobody's slot and is answered exactly once.

use std::time::Duration;

use serde_json::json;
use socketio_p2p_protocol::{
    BrokerConfig, BrokerEvent, ClientMessage, Code, Dialect, PairingInfo, ServerMessage,
    broker::Input,
    limits::{CONSENT_TIME, CONSENT_TIME_MAX, INBOX_REQUESTS, Limits},
};

use crate::scenario::{NODE, Scenario, name, pairing};

#[test]
fn both_ends_are_told_once_the_target_accepts() {
    let mut broker = Scenario::with_clients(["a", "b"]);
    let req = broker.register("a", "b");

    broker.accept("b", "a");

    let info = |partner: &str, initiator| PairingInfo {
        id: pairing(1),
        partner: name(partner),
        initiator,
        partner_protocol: 2,
        direct: false,
    };
    assert_eq!(
        broker.told("a"),
        [ServerMessage::Registered { req: Some(req), pairing: info("b", true) }]
    );
    assert_eq!(
        broker.told("b")[1..],
        [ServerMessage::Registered { req: None, pairing: info("a", false) }]
    );
    assert_eq!(broker.target_of("a"), Some("b"));
    assert_eq!(broker.target_of("b"), Some("a"));
}

#[test]
fn the_routes_of_both_ends_name_each_other() {
    let mut broker = Scenario::with_clients(["a", "b"]);

    let id = broker.pair("a", "b");

    let (a, b) = (broker.conn("a"), broker.conn("b"));
    assert_eq!(broker.routes[&a].conn, b);
    assert_eq!(broker.routes[&a].client, name("b"));
    assert_eq!(broker.routes[&a].pairing, id);
    assert_eq!(broker.routes[&b].conn, a);
    assert_eq!(broker.routes[&b].pairing, id);
}

#[test]
fn the_payload_of_a_registration_reaches_the_target() {
    let mut broker = Scenario::with_clients(["a", "b"]);

    let message = ClientMessage::Register {
        req: Some(1),
        target: name("b"),
        payload: Some(json!({"token": 7})),
        consent_time: None,
        wait: None,
    };
    broker.say("a", message);

    assert_eq!(
        broker.told("b"),
        [ServerMessage::Register {
            req: 1,
            source: name("a"),
            payload: Some(json!({"token": 7})),
            consent_time: CONSENT_TIME
        }]
    );
}

#[test]
fn an_offline_target_is_refused() {
    let mut broker = Scenario::with_clients(["a"]);

    let req = broker.register("a", "b");

    assert_eq!(
        broker.refusals_to("a"),
        [(Some(req), Code::Offline)],
        "with the number of the request"
    );
}

#[test]
fn nobody_is_paired_with_itself() {
    let mut broker = Scenario::with_clients(["a"]);

    broker.register("a", "a");

    assert_eq!(broker.refusal_to("a"), Some(Code::SelfTarget));
}

#[test]
fn a_third_client_cannot_pair_with_a_paired_one() {
    let mut broker = Scenario::with_clients(["a", "b", "c"]);
    broker.pair("a", "b");

    broker.register("c", "b");
    broker.register("c", "a");

    assert_eq!(
        broker.refusals_to("c").iter().map(|(_, code)| *code).collect::<Vec<_>>(),
        [Code::TargetBusy, Code::TargetBusy]
    );
    assert_eq!(broker.target_of("b"), Some("a"));
}

#[test]
fn a_paired_client_cannot_take_a_second_target() {
    let mut broker = Scenario::with_clients(["a", "b", "c"]);
    broker.pair("a", "b");

    broker.register("a", "c");
    broker.register("b", "c");

    assert_eq!(broker.refusal_to("a"), Some(Code::SourceBusy));
    assert_eq!(broker.refusal_to("b"), Some(Code::SourceBusy));
    assert_eq!(broker.told("c"), []);
}

#[test]
fn a_client_that_asks_somebody_cannot_ask_another() {
    let mut broker = Scenario::with_clients(["a", "b", "c"]);
    broker.register("a", "b");

    let again = broker.register("a", "b");
    let other = broker.register("a", "c");

    assert_eq!(
        broker.refusals_to("a"),
        [(Some(again), Code::SourceBusy), (Some(other), Code::SourceBusy)]
    );
    broker.accept("b", "a");
    assert_eq!(broker.target_of("a"), Some("b"), "the first goes on");
}

#[test]
fn nobody_is_kept_busy_by_being_asked() {
    let mut broker = Scenario::with_clients(["a", "b", "c"]);
    broker.register("a", "b");

    broker.register("b", "c");
    broker.accept("c", "b");

    assert_eq!(broker.target_of("b"), Some("c"));
    assert_eq!(broker.refusal_to("a"), Some(Code::TargetBusy));
}

#[test]
fn a_no_is_told_with_its_reason() {
    let mut broker = Scenario::with_clients(["a", "b"]);
    let req = broker.register("a", "b");

    let reason = Some("not today".to_owned());
    let asked = broker.asked("b", "a");
    broker.say("b", ClientMessage::Decline { req: asked, reason });

    let [ServerMessage::RegisterFailed { req: answered, refusal, .. }] = &broker.told("a")[..]
    else {
        panic!("one refusal");
    };
    assert_eq!(*answered, Some(req));
    assert_eq!(refusal.code, Code::Declined);
    assert_eq!(refusal.message, "not today");
    assert_eq!(broker.target_of("b"), None);
}

#[test]
fn after_ten_seconds_without_an_answer_a_request_is_refused() {
    let mut broker = Scenario::with_clients(["a", "b"]);
    let req = broker.register("a", "b");

    broker.pass(CONSENT_TIME - Duration::from_millis(1));
    assert_eq!(broker.told("a"), []);
    broker.pass(Duration::from_millis(1));

    assert_eq!(broker.refusals_to("a"), [(Some(req), Code::Timeout)]);
    assert_eq!(broker.broker.stats().requests, 0);
}

fn patient(longest: u64) -> Scenario {
    let mut config = BrokerConfig::new(1);
    config.limits = config.limits.with_consent_time(Duration::from_secs(longest));
    let mut broker = Scenario::with_config(config);
    for client in ["a", "b", "c"] {
        broker.connect(client, Dialect::V2);
    }
    broker
}

fn ask_for(broker: &mut Scenario, source: &str, seconds: u64) {
    let consent_time = Some(Duration::from_secs(seconds));
    let (req, target) = (Some(1), name("b"));
    broker.say(
        source,
        ClientMessage::Register { req, target, payload: None, consent_time, wait: None },
    );
}

#[test]
fn a_request_waits_as_long_as_the_server_is_set_to() {
    let mut broker = patient(120);
    let req = broker.register("a", "b");

    broker.pass(Duration::from_secs(119));
    broker.accept("b", "a");

    assert_eq!(broker.target_of("a"), Some("b"));
    assert!(broker.told("a").iter().any(
        |told| matches!(told, ServerMessage::Registered { req: told, .. } if *told == Some(req))
    ));
}

#[test]
fn a_request_may_wait_for_less_than_the_server_allows_and_not_for_more() {
    for (seconds, waits) in [(3, 3), (60, 60), (3_000, 60)] {
        let mut broker = patient(60);

        ask_for(&mut broker, "a", seconds);

        let [ServerMessage::Register { consent_time, .. }] = broker.told("b")[..] else {
            panic!("one question");
        };
        assert_eq!(consent_time, Duration::from_secs(waits));
        broker.pass(Duration::from_secs(waits) - Duration::from_millis(1));
        assert_eq!(broker.refusal_to("a"), None);
        broker.pass(Duration::from_millis(1));
        assert_eq!(broker.refusal_to("a"), Some(Code::Timeout));
    }
}

#[test]
fn a_request_that_waits_for_less_is_refused_before_an_older_one() {
    let mut broker = patient(60);
    ask_for(&mut broker, "a", 60);
    ask_for(&mut broker, "c", 5);

    broker.pass(Duration::from_secs(5));

    assert_eq!(broker.refusal_to("c"), Some(Code::Timeout));
    assert_eq!(broker.refusal_to("a"), None);
    broker.accept("b", "a");
    assert_eq!(broker.target_of("a"), Some("b"));
}

#[test]
fn a_server_waits_for_consent_for_ten_minutes_at_most() {
    let longest = Limits::default().with_consent_time(Duration::MAX).consent_time();
    assert_eq!(longest, CONSENT_TIME_MAX);
    let shortest = Limits::default().with_consent_time(Duration::ZERO).consent_time();
    assert_eq!(shortest, Duration::from_millis(1));
}

#[test]
fn a_yes_that_comes_too_late_is_answered_and_pairs_nobody() {
    let mut broker = Scenario::with_clients(["a", "b"]);
    broker.register("a", "b");
    broker.pass(CONSENT_TIME);
    let asked = broker.asked("b", "a");
    broker.told("b");

    broker.accept("b", "a");

    assert_eq!(broker.told("b"), [ServerMessage::Withdrawn { req: asked, code: Code::Timeout }]);
    assert_eq!(broker.target_of("b"), None);
}

#[test]
fn a_no_that_comes_too_late_is_ignored() {
    let mut broker = Scenario::with_clients(["a", "b"]);
    broker.register("a", "b");
    broker.pass(CONSENT_TIME);
    broker.told("a");
    broker.told("b");

    broker.decline("b", "a");

    assert_eq!(broker.told("a"), []);
    assert_eq!(broker.told("b"), []);
}

#[test]
fn the_fifth_request_beside_one_target_is_refused_at_once() {
    let mut broker = Scenario::with_clients(["t", "1", "2", "3", "4", "5"]);
    for source in ["1", "2", "3", "4"] {
        broker.register(source, "t");
    }

    broker.register("5", "t");

    assert_eq!(broker.refusal_to("5"), Some(Code::Congested));
    assert_eq!(broker.told("t").len(), INBOX_REQUESTS);
}

#[test]
fn whoever_is_accepted_first_is_paired_and_the_others_are_refused() {
    let mut broker = Scenario::with_clients(["t", "1", "2", "3"]);
    for source in ["1", "2", "3"] {
        broker.register(source, "t");
    }

    broker.accept("t", "2");

    assert_eq!(broker.target_of("t"), Some("2"));
    assert_eq!(broker.refusal_to("1"), Some(Code::TargetBusy));
    assert_eq!(broker.refusal_to("3"), Some(Code::TargetBusy));
    broker.accept("t", "1");
    assert_eq!(broker.target_of("t"), Some("2"), "a second yes is too late");
}

#[test]
fn an_answer_to_a_request_of_another_target_counts_for_nothing() {
    let mut broker = Scenario::with_clients(["a", "b", "c"]);
    broker.register("a", "b");
    let asked = broker.asked("b", "a");

    broker.say("c", ClientMessage::Accept { req: asked });
    let reason = None;
    broker.say("c", ClientMessage::Decline { req: asked, reason });

    assert_eq!(broker.told("a"), []);
    assert_eq!(broker.target_of("c"), None);
    broker.accept("b", "a");
    assert_eq!(broker.target_of("a"), Some("b"));
}

#[test]
fn what_the_host_forbids_is_refused_and_nobody_is_asked() {
    let mut broker = Scenario::with_clients(["a", "b"]);

    broker.handle(Input::Forbidden(broker.conn("a"), Some(5), name("b")));

    assert_eq!(broker.refusals_to("a"), [(Some(5), Code::Forbidden)]);
    assert_eq!(broker.told("b"), []);
}

#[test]
fn registering_the_present_partner_again_succeeds() {
    let mut broker = Scenario::with_clients(["a", "b"]);
    let id = broker.pair("a", "b");

    for (source, target) in [("a", "b"), ("b", "a")] {
        let req = broker.register(source, target);

        let [ServerMessage::Registered { req: answered, pairing }] = &broker.told(source)[..]
        else {
            panic!("one success");
        };
        assert_eq!(*answered, Some(req));
        assert_eq!(pairing.id, id);
        assert_eq!(pairing.initiator, source == "a");
        assert_eq!(broker.told(target), [], "the partner hears nothing of it");
    }
}

#[test]
fn a_request_whose_source_unregisters_is_taken_back() {
    let mut broker = Scenario::with_clients(["a", "b"]);
    let req = broker.register("a", "b");
    broker.told("b");

    let unregister = broker.unregister("a");

    let told = broker.told("a");
    let [
        ServerMessage::RegisterFailed { req: first, refusal, .. },
        ServerMessage::Error { req: second, refusal: nothing, .. },
    ] = &told[..]
    else {
        panic!("{told:?}");
    };
    assert_eq!((*first, refusal.code), (Some(req), Code::Cancelled));
    assert_eq!((*second, nothing.code), (Some(unregister), Code::NotPaired));
    broker.accept("b", "a");
    assert_eq!(broker.target_of("b"), None);
}

#[test]
fn a_source_that_leaves_takes_its_request_with_it() {
    let mut broker = Scenario::with_clients(["a", "b"]);
    broker.register("a", "b");
    let conn = broker.conn("a");

    broker.disconnect("a");
    broker.accept("b", "a");

    assert_eq!(broker.target_of("b"), None);
    assert_eq!(broker.broker.stats().requests, 0);
    assert_eq!(broker.conn("a"), conn);
    assert_eq!(broker.told("a"), [], "nothing is sent to who is gone");
}

#[test]
fn a_target_that_leaves_while_asked_is_offline() {
    let mut broker = Scenario::with_clients(["a", "b"]);
    let req = broker.register("a", "b");

    broker.disconnect("b");

    assert_eq!(broker.refusals_to("a"), [(Some(req), Code::Offline)]);
}

#[test]
fn the_application_is_told_of_every_request_and_its_end() {
    let mut broker = Scenario::with_clients(["a", "b"]);
    broker.events.clear();

    broker.register("a", "b");
    broker.decline("b", "a");
    broker.pair("a", "b");

    let registered = BrokerEvent::Registered { source: name("a"), target: name("b") };
    assert_eq!(
        broker.events,
        [
            registered.clone(),
            BrokerEvent::Refused { source: name("a"), target: name("b"), code: Code::Declined },
            registered,
            BrokerEvent::Paired { pairing: pairing(1), source: name("a"), target: name("b") },
        ]
    );
    assert_eq!(pairing(1).to_string(), format!("{NODE:x}-1"));
}

#[test]
fn a_source_that_asks_and_takes_back_fills_the_inbox_and_no_more() {
    let mut broker = Scenario::with_clients(["a", "t"]);

    for _ in 0..100 {
        broker.register("a", "t");
        broker.unregister("a");
    }

    let asked = broker.told("t");
    assert_eq!(asked.len(), INBOX_REQUESTS);
    assert_eq!(broker.refusals_to("a").last().map(|(_, code)| *code), Some(Code::Congested));
    broker.pass(CONSENT_TIME);
    broker.register("a", "t");
    assert_eq!(broker.told("t").len(), 1);
}
