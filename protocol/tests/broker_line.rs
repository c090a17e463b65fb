//! Waiting in line for a busy target: in order, one at a time, each answered once.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::json;
use socketio_p2p_protocol::{
    BrokerConfig, ClientMessage, Code, Dialect, ReqId, ServerMessage, TargetState,
    broker::Input,
    limits::{
        CONSENT_TIME, GRACE, LINE_INTERVAL, LINE_LENGTH, LINE_TIME, RESERVED_TIME, WATCH_INTERVAL,
    },
};

use crate::scenario::{NODE, Scenario, name};

const MINUTE: Duration = Duration::from_secs(60);

/// Clients whose places are kept when they lose their connection, and "x", the partner of "b".
fn busy<const N: usize>(names: [&str; N]) -> Scenario {
    let mut broker = Scenario::with_config(BrokerConfig::new(NODE));
    for name in ["b", "x"].into_iter().chain(names) {
        broker.connect(name, Dialect::V2);
    }
    broker.pair("x", "b");
    broker
}

fn wait_for(broker: &mut Scenario, source: &str, req: ReqId, wait: Duration) {
    broker.say(
        source,
        ClientMessage::Register {
            req: Some(req),
            target: name("b"),
            payload: Some(json!(source)),
            consent_time: None,
            wait: Some(wait),
        },
    );
}

/// Registers "b" with the number 1, and waits for a minute.
fn wait(broker: &mut Scenario, source: &str) {
    wait_for(broker, source, 1, MINUTE);
}

/// The places that a client was told since the last call, and what else it was told.
fn told(broker: &mut Scenario, source: &str) -> (Vec<usize>, Vec<ServerMessage>) {
    let mut places = Vec::new();
    let mut others = broker.told(source);
    others.retain(|message| match message {
        ServerMessage::Line { place, .. } => {
            places.push(*place);
            false
        }
        _ => true,
    });
    (places, others)
}

fn places(broker: &mut Scenario, source: &str) -> Vec<usize> {
    told(broker, source).0
}

/// The sources for which "b" was asked since the last call.
fn asked(broker: &mut Scenario) -> Vec<String> {
    let told = broker.told("b").into_iter();
    told.filter_map(|message| match message {
        ServerMessage::Register { source, payload, .. } => {
            assert_eq!(payload, Some(json!(source)));
            Some(source.to_string())
        }
        _ => None,
    })
    .collect()
}

fn resume(broker: &mut Scenario, client: &str) {
    let token = broker.token_of(client);
    let conn = broker.admit_with(client, Dialect::V2, Some(token)).unwrap();
    broker.handle(Input::Connected(conn));
}

#[test]
fn a_registration_that_waits_asks_a_free_target_at_once() {
    let mut broker = busy(["a"]);
    broker.unregister("x");

    wait(&mut broker, "a");
    assert_eq!(asked(&mut broker), ["a"]);
    assert_eq!(broker.told("a"), [], "it has no place");
    broker.accept("b", "a");

    assert_eq!(broker.target_of("a"), Some("b"));
}

#[test]
fn a_busy_target_is_waited_for_in_the_order_of_arrival() {
    let mut broker = busy(["a", "c", "d"]);
    for source in ["a", "c", "d"] {
        wait(&mut broker, source);
    }
    assert_eq!(places(&mut broker, "a"), [1]);
    assert_eq!(places(&mut broker, "c"), [2]);
    assert_eq!(places(&mut broker, "d"), [3]);
    broker.told("b");

    let mut partner = "x";
    for source in ["a", "c", "d"] {
        broker.pass(LINE_INTERVAL);
        broker.unregister(partner);
        assert_eq!(asked(&mut broker), [source], "one at a time");
        assert_eq!(places(&mut broker, source).last(), Some(&0), "its turn has come");
        broker.accept("b", source);
        assert_eq!(broker.target_of(source), Some("b"));
        partner = source;
    }
}

#[test]
fn a_place_that_changes_is_told_once_in_an_interval_and_the_newest_last() {
    let mut broker = busy(["a", "c", "d", "e"]);
    for source in ["a", "c", "d", "e"] {
        wait(&mut broker, source);
    }
    assert_eq!(places(&mut broker, "e"), [4]);

    for source in ["c", "a"] {
        broker.say(source, ClientMessage::Cancel { req: 1 });
    }
    assert!(places(&mut broker, "e").is_empty());
    broker.pass(LINE_INTERVAL);

    assert_eq!(places(&mut broker, "e"), [2]);
    assert_eq!(places(&mut broker, "d"), [3, 1]);
}

#[test]
fn a_target_that_declines_is_asked_for_the_next() {
    let mut broker = busy(["a", "c"]);
    wait(&mut broker, "a");
    wait(&mut broker, "c");
    broker.unregister("x");

    broker.decline("b", "a");

    assert_eq!(broker.refusal_to("a"), Some(Code::Declined));
    broker.accept("b", "c");
    assert_eq!(broker.target_of("c"), Some("b"));
}

#[test]
fn a_target_that_does_not_answer_is_asked_for_the_next() {
    let mut broker = busy(["a", "c"]);
    wait(&mut broker, "a");
    wait(&mut broker, "c");
    broker.unregister("x");

    broker.pass(CONSENT_TIME);

    assert_eq!(broker.refusal_to("a"), Some(Code::Timeout));
    assert_eq!(asked(&mut broker), ["a", "c"]);
}

#[test]
fn whoever_waits_for_too_long_is_refused_as_without_waiting() {
    let mut broker = busy(["a", "c"]);
    wait_for(&mut broker, "a", 1, Duration::from_secs(20));
    wait(&mut broker, "c");

    broker.pass(Duration::from_secs(20));

    assert_eq!(broker.refusal_to("a"), Some(Code::TargetBusy));
    assert_eq!(places(&mut broker, "c"), [2, 1]);
}

#[test]
fn nobody_waits_longer_than_the_server_allows() {
    let mut broker = busy(["a"]);
    wait_for(&mut broker, "a", 1, Duration::MAX);

    broker.pass(LINE_TIME - Duration::from_secs(1));
    assert_eq!(broker.refusal_to("a"), None);
    broker.pass(Duration::from_secs(1));

    assert_eq!(broker.refusal_to("a"), Some(Code::TargetBusy));
}

#[test]
fn a_server_without_lines_refuses_at_once() {
    let mut config = BrokerConfig::new(NODE);
    config.limits = config.limits.with_line_time(Duration::ZERO);
    let mut broker = Scenario::with_config(config);
    for name in ["a", "b", "x"] {
        broker.connect(name, Dialect::V2);
    }
    broker.pair("x", "b");

    wait(&mut broker, "a");

    assert_eq!(broker.refusal_to("a"), Some(Code::TargetBusy));
}

#[test]
fn a_full_line_refuses_with_queue_full() {
    let mut broker = busy(["last"]);
    for source in 0..LINE_LENGTH {
        let source = format!("s{source}");
        broker.connect(&source, Dialect::V2);
        wait(&mut broker, &source);
    }

    wait(&mut broker, "last");
    assert_eq!(broker.refusal_to("last"), Some(Code::QueueFull));
    broker.say("s0", ClientMessage::Cancel { req: 1 });
    wait(&mut broker, "last");

    assert_eq!(broker.refusal_to("last"), None);
}

#[test]
fn a_client_waits_in_one_line_only() {
    let mut broker = busy(["a"]);
    wait(&mut broker, "a");

    wait_for(&mut broker, "a", 2, MINUTE);

    assert_eq!(broker.refusals_to("a"), [(Some(2), Code::SourceBusy)]);
}

#[test]
fn a_registration_that_does_not_wait_is_refused_while_others_do() {
    let mut broker = busy(["a", "c", "d"]);
    broker.connect("w", Dialect::V2);
    wait(&mut broker, "a");
    wait(&mut broker, "c");
    broker.unregister("x"); // It is asked for "a", and "c" waits.

    broker.say("w", ClientMessage::Watch { req: 9, target: name("b") });
    assert_eq!(
        broker.told("w"),
        [ServerMessage::Target { req: 9, state: TargetState::Busy }],
        "whoever watches it sees the same"
    );
    broker.register("d", "b");

    assert_eq!(broker.refusal_to("d"), Some(Code::Congested));
}

/// A target that was asked for "a" and "c" after a restart of its server, and says that it is paired with
/// "x".
fn reserved() -> Scenario {
    let mut broker = busy(["a", "c"]);
    broker.unregister("x");
    wait(&mut broker, "a");
    wait(&mut broker, "c");
    let req = broker.asked("b", "a").unwrap();
    broker.say("b", ClientMessage::Reserve { req, partner: name("x") });
    broker.told("b");
    broker
}

#[test]
fn those_in_line_wait_for_a_pairing_that_a_restarted_server_has_forgotten() {
    let mut broker = reserved();
    assert_eq!(broker.refusal_to("a"), None);

    broker.register("x", "b");
    broker.accept("b", "x");

    assert_eq!(broker.target_of("x"), Some("b"));
    broker.unregister("x");
    broker.accept("b", "a");
    assert_eq!(broker.target_of("a"), Some("b"), "in the order of arrival");
}

#[test]
fn those_in_line_do_not_wait_for_long_for_a_partner_that_does_not_come() {
    let mut broker = reserved();
    assert!(asked(&mut broker).is_empty());

    broker.pass(RESERVED_TIME);

    assert_eq!(asked(&mut broker), ["a"]);
}

#[test]
fn a_request_that_does_not_wait_is_declined_by_a_target_whose_pairing_is_forgotten() {
    let mut broker = busy(["a"]);
    broker.unregister("x");
    broker.register("a", "b");
    let req = broker.asked("b", "a").unwrap();

    broker.say("b", ClientMessage::Reserve { req, partner: name("x") });

    assert_eq!(broker.refusal_to("a"), Some(Code::Declined));
}

#[test]
fn a_target_may_ask_one_of_those_who_wait() {
    let mut broker = busy(["a", "c"]);
    wait(&mut broker, "a");
    wait(&mut broker, "c");
    broker.unregister("x");

    broker.register("b", "c"); // They cross.

    assert_eq!(broker.target_of("c"), Some("b"));
    assert_eq!(broker.refusal_to("c"), None);
    broker.pass(LINE_INTERVAL);
    assert_eq!(places(&mut broker, "a"), [1, 0, 1], "it has its place again");
    broker.unregister("c");
    broker.accept("b", "a");
    assert_eq!(broker.target_of("a"), Some("b"));
}

#[test]
fn a_yes_for_one_that_went_back_to_its_place_comes_too_late() {
    let mut broker = busy(["a", "c"]);
    broker.unregister("x");
    wait(&mut broker, "a");
    let first = broker.asked("b", "a");
    broker.register("b", "c");
    broker.accept("c", "b");
    broker.told("b");

    broker.say("b", ClientMessage::Accept { req: first });

    assert_eq!(broker.target_of("b"), Some("c"));
    let told = broker.told("b");
    assert!(matches!(told[..], [ServerMessage::Withdrawn { .. }]), "{told:?}");
    broker.unregister("c");
    assert_ne!(broker.asked("b", "a"), first, "another number");
}

#[test]
fn a_source_that_is_paired_with_another_leaves_the_line() {
    let mut broker = busy(["a", "c", "d"]);
    wait(&mut broker, "a");
    wait(&mut broker, "c");

    broker.pair("d", "a");
    broker.pass(LINE_INTERVAL);

    assert_eq!(places(&mut broker, "c"), [2, 1]);
    broker.unregister("x");
    assert_eq!(asked(&mut broker), ["c"]);
}

#[test]
fn a_registration_in_line_is_taken_back() {
    for unregisters in [false, true] {
        let mut broker = busy(["a", "c"]);
        wait(&mut broker, "a");
        wait(&mut broker, "c");

        match unregisters {
            true => drop(broker.unregister("a")),
            false => broker.say("a", ClientMessage::Cancel { req: 1 }),
        }

        assert_eq!(broker.refusals_to("a"), [(Some(1), Code::Cancelled)]);
        broker.unregister("x");
        assert_eq!(asked(&mut broker), ["c"]);
    }
}

#[test]
fn a_cancel_that_names_no_registration_has_no_effect() {
    let mut broker = busy(["a"]);
    wait(&mut broker, "a");
    broker.told("a");

    broker.say("a", ClientMessage::Cancel { req: 2 });
    broker.say("x", ClientMessage::Cancel { req: 1 });

    assert_eq!(broker.told("a"), []);
    assert_eq!(broker.broker.stats().requests, 1);
}

#[test]
fn the_place_of_a_source_that_lost_its_connection_is_kept() {
    let mut broker = busy(["a", "c"]);
    wait(&mut broker, "a");
    wait(&mut broker, "c");
    broker.disconnect("a");
    broker.pass(GRACE / 2);

    resume(&mut broker, "a");
    let welcome = broker.told("a");
    assert!(
        matches!(&welcome[..], [ServerMessage::Welcome(welcome)] if welcome.resumed),
        "{welcome:?}"
    );
    wait_for(&mut broker, "a", 7, MINUTE);

    assert_eq!(places(&mut broker, "a"), [1]);
    broker.unregister("x");
    assert_eq!(asked(&mut broker), ["a"]);
    broker.accept("b", "a");
    let (_, others) = told(&mut broker, "a");
    assert!(
        matches!(others[..], [ServerMessage::Registered { req: Some(7), .. }]),
        "the number of this connection: {others:?}"
    );
}

#[test]
fn a_source_that_is_away_is_passed_over_and_keeps_its_place() {
    let mut broker = busy(["a", "c"]);
    wait(&mut broker, "a");
    wait(&mut broker, "c");
    broker.disconnect("a");

    broker.unregister("x");
    assert_eq!(asked(&mut broker), ["c"]);
    broker.accept("b", "c");
    resume(&mut broker, "a");
    wait(&mut broker, "a");
    assert_eq!(places(&mut broker, "a"), [1]);
    broker.unregister("c");

    assert_eq!(asked(&mut broker), ["a"]);
}

#[test]
fn a_place_that_is_not_claimed_is_lost_with_the_grace_period() {
    let mut broker = busy(["a", "c"]);
    wait(&mut broker, "a");
    wait(&mut broker, "c");
    broker.disconnect("a");
    resume(&mut broker, "a");
    broker.told("a");

    broker.pass(GRACE);

    assert_eq!(broker.told("a"), [], "it has no request");
    assert_eq!(places(&mut broker, "c").last(), Some(&1));
    assert_eq!(broker.broker.stats().requests, 1);
}

#[test]
fn a_target_is_free_for_its_watchers_when_the_last_in_its_line_is_away() {
    let mut broker = busy(["a", "c", "w"]);
    broker.say("w", ClientMessage::Watch { req: 9, target: name("b") });
    wait(&mut broker, "a");
    wait(&mut broker, "c");
    broker.unregister("x");
    assert_eq!(asked(&mut broker), ["a"]);
    broker.pass(WATCH_INTERVAL);
    broker.told("w");

    broker.disconnect("c");
    broker.pass(WATCH_INTERVAL);

    assert_eq!(broker.told("w"), [ServerMessage::Target { req: 9, state: TargetState::Free }]);
}

#[test]
fn a_source_that_stays_away_loses_its_place() {
    let mut broker = busy(["a", "c"]);
    wait(&mut broker, "a");
    wait(&mut broker, "c");

    broker.disconnect("a");
    broker.pass(GRACE);

    assert_eq!(places(&mut broker, "c").last(), Some(&1));
    assert_eq!(broker.broker.stats().clients, 3);
}

#[test]
fn another_registration_gives_a_kept_place_up() {
    let mut broker = busy(["a", "c"]);
    wait(&mut broker, "a");
    broker.disconnect("a");
    resume(&mut broker, "a");

    broker.register("a", "c");
    broker.accept("c", "a");

    assert_eq!(broker.target_of("a"), Some("c"));
    assert_eq!(broker.broker.stats().requests, 0);
}

/// A place that was not claimed is no wish: its source may have given it up while it was away.
#[test]
fn a_source_whose_place_is_not_claimed_is_asked_for_its_consent() {
    let mut broker = busy(["a"]);
    wait(&mut broker, "a");
    broker.disconnect("a");
    resume(&mut broker, "a");
    broker.unregister("x");
    broker.told("a");

    broker.register("b", "a");
    assert_eq!(broker.target_of("a"), None);
    assert!(broker.asked("a", "b").is_some());
    broker.decline("a", "b");

    assert_eq!((broker.target_of("a"), broker.target_of("b")), (None, None));
    assert_eq!(broker.broker.stats().requests, 0);
}

#[test]
fn a_claim_of_a_place_meets_the_registration_by_its_target() {
    let mut broker = busy(["a"]);
    wait(&mut broker, "a");
    broker.disconnect("a");
    resume(&mut broker, "a");
    broker.unregister("x");
    broker.register("b", "a");

    wait(&mut broker, "a");

    assert_eq!(broker.target_of("a"), Some("b"));
}

#[test]
fn a_source_that_is_lost_while_it_is_asked_for_is_first_again() {
    let mut broker = busy(["a", "c"]);
    wait(&mut broker, "a");
    wait(&mut broker, "c");
    broker.unregister("x");
    let first = broker.asked("b", "a");
    broker.disconnect("a");
    assert_eq!(asked(&mut broker), ["a", "c"], "the next is asked for");

    broker.say("b", ClientMessage::Accept { req: first });
    assert_eq!(broker.target_of("b"), None, "it is not there");
    resume(&mut broker, "a");
    wait(&mut broker, "a");
    broker.decline("b", "c");

    assert_eq!(asked(&mut broker), ["a"]);
}

#[test]
fn those_who_wait_stay_while_their_target_is_away() {
    let mut broker = busy(["a"]);
    wait(&mut broker, "a");
    broker.disconnect("b");
    broker.unregister("x");
    assert_eq!(broker.refusal_to("a"), None);

    resume(&mut broker, "b");

    assert_eq!(asked(&mut broker), ["a"]);
}

#[test]
fn a_target_that_leaves_refuses_those_who_wait() {
    let mut broker = busy(["a", "c"]);
    wait(&mut broker, "a");
    wait(&mut broker, "c");

    broker.say("b", ClientMessage::Leave);

    assert_eq!(broker.refusal_to("a"), Some(Code::Offline));
    assert_eq!(broker.refusal_to("c"), Some(Code::Offline));
    assert_eq!(broker.broker.stats().requests, 0);
}

#[test]
fn an_absent_target_is_not_waited_for() {
    let mut broker = busy(["a"]);
    broker.say("b", ClientMessage::Leave);

    wait(&mut broker, "a");

    assert_eq!(broker.refusal_to("a"), Some(Code::Offline));
}

#[test]
fn a_v1_target_is_asked_for_those_who_wait_one_after_another() {
    let mut broker = Scenario::with_v1_clients(["b", "x"]);
    for source in ["a", "c"] {
        broker.connect(source, Dialect::V2);
    }
    broker.register("x", "b");
    broker.accept_by_event("b");
    for source in ["a", "c"] {
        wait(&mut broker, source);
    }
    broker.told("b");

    broker.disconnect("x");
    assert_eq!(asked(&mut broker), ["a"]);
    broker.accept_by_event("b");
    assert_eq!(broker.target_of("a"), Some("b"));
    broker.unregister("a");
    assert_eq!(asked(&mut broker), ["c"]);
}

#[test]
fn those_who_wait_are_refused_when_the_server_shuts_down() {
    let mut broker = busy(["a"]);
    wait(&mut broker, "a");

    broker.handle(Input::ShutDown);

    assert_eq!(broker.refusal_to("a"), Some(Code::ShuttingDown));
    assert_eq!(broker.broker.stats(), <_>::default());
    assert_eq!(broker.broker.poll_timeout(), None);
}

/// What may happen to those who wait, who are numbered.
#[derive(Clone, Debug)]
enum Happens {
    Wait(usize),
    Cancel(usize),
    Lose(usize),
    Return(usize),
    Answer(bool),
    Free,
    Pass(u64),
}

const WAITERS: usize = 8;

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        6 => (0..WAITERS).prop_map(Happens::Wait),
        1 => (0..WAITERS).prop_map(Happens::Cancel),
        1 => (0..WAITERS).prop_map(Happens::Lose),
        2 => (0..WAITERS).prop_map(Happens::Return),
        3 => prop::bool::weighted(0.8).prop_map(Happens::Answer),
        3 => Just(Happens::Free),
        1 => (0..30_000u64).prop_map(Happens::Pass),
    ]
}

/// One who waits, as the test sees it.
struct Waiter {
    name: String,
    until: Instant,
    /// The time at which its connection was lost.
    lost: Option<Instant>,
}

/// Those who wait, in the order of arrival.
#[derive(Default)]
struct Line(Vec<Waiter>);

impl Line {
    fn enter(&mut self, name: &str, now: Instant) {
        match self.0.iter_mut().find(|waiter| waiter.name == name) {
            Some(waiter) => waiter.lost = None,
            None => {
                self.0.push(Waiter { name: name.to_owned(), until: now + MINUTE, lost: None });
            }
        }
    }

    fn lose(&mut self, name: &str, now: Instant) {
        for waiter in self.0.iter_mut().filter(|waiter| waiter.name == name) {
            waiter.lost.get_or_insert(now); // A connection that claims nothing does not prolong it.
        }
    }

    fn leave(&mut self, name: &str) {
        self.0.retain(|waiter| waiter.name != name);
    }

    /// Forgets those whose places were not claimed in time.
    fn expire(&mut self, now: Instant) {
        self.0.retain(|waiter| match waiter.lost {
            Some(lost) => now < waiter.until.min(lost + GRACE),
            None => true,
        });
    }

    /// The first whose connection stands.
    fn first(&self) -> Option<&str> {
        let first = self.0.iter().find(|waiter| waiter.lost.is_none());
        first.map(|waiter| waiter.name.as_str())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whoever_waits_is_served_in_order_and_answered_once(
        history in prop::collection::vec(happens(), 1..120)
    ) {
        let names: Vec<_> = (0..WAITERS).map(|number| format!("w{number}")).collect();
        let mut broker = busy([]);
        for name in &names {
            broker.connect(name, Dialect::V2);
        }
        broker.told("b");
        let mut line = Line::default();
        let mut there = [true; WAITERS];
        let mut open = [None::<ReqId>; WAITERS];
        let mut is_asked_for = None::<String>;
        let mut last_req = 0;
        for step in history {
            line.expire(broker.now);
            match step {
                Happens::Wait(at) if there[at]
                    && open[at].is_none()
                    && broker.target_of(&names[at]).is_none() =>
                {
                    last_req += 1;
                    open[at] = Some(last_req);
                    line.enter(&names[at], broker.now);
                    wait_for(&mut broker, &names[at], last_req, MINUTE);
                }
                Happens::Cancel(at) => if let Some(req) = open[at] {
                    broker.say(&names[at], ClientMessage::Cancel { req });
                    if is_asked_for.as_ref() == Some(&names[at]) {
                        broker.decline("b", &names[at]); // Too late, but not unanswered.
                    }
                },
                Happens::Lose(at) if there[at] => {
                    (there[at], open[at]) = (false, None);
                    line.lose(&names[at], broker.now);
                    broker.disconnect(&names[at]);
                    if is_asked_for.take_if(|source| *source == names[at]).is_some() {
                        broker.decline("b", &names[at]);
                    }
                }
                Happens::Return(at) if !there[at] => {
                    resume(&mut broker, &names[at]);
                    there[at] = true;
                }
                Happens::Answer(yes) => match (&is_asked_for, yes) {
                    (Some(source), true) => broker.accept("b", source),
                    (Some(source), false) => broker.decline("b", source),
                    (None, _) => {}
                },
                Happens::Free if broker.target_of("b").is_some() => drop(broker.unregister("b")),
                Happens::Pass(millis) => broker.pass(Duration::from_millis(millis)),
                _ => {}
            }
            broker.pass(Duration::ZERO); // What is due happens before anything else.
            line.expire(broker.now);
            for (at, name) in names.iter().enumerate() {
                for message in broker.told(name) {
                    let req = match message {
                        ServerMessage::Line { req, place } => {
                            prop_assert_eq!(Some(req), open[at]);
                            prop_assert!(place <= WAITERS);
                            continue;
                        }
                        ServerMessage::Registered { req, .. } => {
                            prop_assert_eq!(is_asked_for.as_ref(), Some(name), "it was its turn");
                            req
                        }
                        ServerMessage::RegisterFailed { req, .. } => req,
                        _ => continue,
                    };
                    prop_assert!(req.is_some());
                    prop_assert_eq!(req, open[at].take(), "answered once");
                    line.leave(name);
                    is_asked_for.take_if(|source| source == name);
                }
            }
            if let Some(source) = asked(&mut broker).pop() {
                let first = line.first();
                prop_assert!(first.is_none_or(|first| first == source), "{source}, not {first:?}");
                is_asked_for = first.map(str::to_owned);
            }
            let is_free = broker.target_of("b").is_none();
            prop_assert_eq!(is_asked_for.is_some(), is_free && line.first().is_some());
        }
        broker.pass(2 * MINUTE);
        for name in ["b", "x"].into_iter().chain(names.iter().map(String::as_str)) {
            broker.disconnect(name);
        }
        broker.pass(2 * GRACE);
        prop_assert_eq!(broker.broker.stats(), <_>::default());
        prop_assert_eq!(broker.broker.poll_timeout(), None);
    }
}
