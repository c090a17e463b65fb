//! Watching a target: the state at once, each change, and no more than one message in a while.

use std::time::Duration;

use socketio_p2p_protocol::{
    BrokerConfig, ClientMessage, Code, Dialect, ReqId, ServerMessage, TargetState,
    TargetState::{Absent, Busy, Free},
    broker::Input,
    limits::{GRACE, WATCH_INTERVAL, WATCHERS, WATCHES},
};

use crate::scenario::{NODE, Scenario, name};

const REQ: ReqId = 1;

fn watch(broker: &mut Scenario, watcher: &str, target: &str) {
    broker.say(watcher, ClientMessage::Watch { req: REQ, target: name(target) });
}

/// The states that a watcher was told since the last call.
fn states(broker: &mut Scenario, watcher: &str) -> Vec<TargetState> {
    let told = broker.told(watcher).into_iter();
    told.filter_map(|message| match message {
        ServerMessage::Target { req: REQ, state } => Some(state),
        _ => None,
    })
    .collect()
}

/// With clients whose pairings outlive their connections.
fn with_grace<const N: usize>(names: [&str; N]) -> Scenario {
    let mut broker = Scenario::with_config(BrokerConfig::new(NODE));
    for name in names {
        broker.connect(name, Dialect::V2);
    }
    broker
}

#[test]
fn a_watch_is_answered_with_the_present_state() {
    let mut broker = Scenario::with_clients(["w", "free", "a", "b"]);
    broker.pair("a", "b");

    for (target, state) in [("free", Free), ("b", Busy), ("nobody", Absent), ("w", Free)] {
        watch(&mut broker, "w", target);

        assert_eq!(states(&mut broker, "w"), [state], "{target}");
        broker.say("w", ClientMessage::Cancel { req: REQ });
    }
}

#[test]
fn a_v1_client_can_be_watched() {
    let mut broker = Scenario::with_v1_clients(["a", "b"]);
    broker.connect("w", Dialect::V2);

    watch(&mut broker, "w", "a");
    broker.pass(WATCH_INTERVAL);
    broker.register("a", "b");
    broker.accept_by_event("b");

    assert_eq!(states(&mut broker, "w"), [Free, Busy]);
}

#[test]
fn each_change_is_told() {
    let mut broker = Scenario::with_clients(["w", "a"]);
    watch(&mut broker, "w", "b");
    let mut told = states(&mut broker, "w");

    for change in 0..4 {
        broker.pass(WATCH_INTERVAL);
        match change {
            0 => drop(broker.connect("b", Dialect::V2)),
            1 => drop(broker.pair("a", "b")),
            2 => drop(broker.unregister("a")),
            _ => broker.disconnect("b"),
        }
        told.extend(states(&mut broker, "w"));
    }

    assert_eq!(told, [Absent, Free, Busy, Free, Absent]);
}

#[test]
fn a_target_is_busy_while_its_pairing_is_granted() {
    let mut broker = Scenario::with_clients(["w", "a", "b"]).holding_grants();
    watch(&mut broker, "w", "b");
    broker.pass(WATCH_INTERVAL);

    broker.register("a", "b");
    assert_eq!(states(&mut broker, "w"), [Free], "a request does not make it busy");
    broker.accept("b", "a");
    assert_eq!(states(&mut broker, "w"), [Busy]);
    broker.pass(WATCH_INTERVAL);
    let grant = broker.grants[0];
    broker.handle(Input::Granted(grant, Err(Code::Quota)));

    assert_eq!(states(&mut broker, "w"), [Free]);
}

#[test]
fn a_paired_target_that_is_away_is_busy_until_its_grace_is_over() {
    let mut broker = with_grace(["w", "a", "b"]);
    broker.pair("a", "b");
    watch(&mut broker, "w", "b");
    broker.pass(WATCH_INTERVAL);

    broker.disconnect("b");
    assert_eq!(states(&mut broker, "w"), [Busy]);
    broker.pass(GRACE);

    assert_eq!(states(&mut broker, "w"), [Absent]);
}

#[test]
fn a_target_whose_connection_is_not_announced_yet_is_absent() {
    let mut broker = Scenario::with_clients(["w"]);
    let conn = broker.admit("b", Dialect::V2).unwrap();

    watch(&mut broker, "w", "b");
    assert_eq!(states(&mut broker, "w"), [Absent]);
    broker.pass(WATCH_INTERVAL);
    broker.handle(Input::Connected(conn));

    assert_eq!(states(&mut broker, "w"), [Free]);
}

#[test]
fn a_change_soon_after_another_is_told_when_the_interval_is_over() {
    let mut broker = Scenario::with_clients(["w", "a", "b"]);
    watch(&mut broker, "w", "b");
    broker.told("w");

    broker.pair("a", "b");
    assert_eq!(states(&mut broker, "w"), []);
    broker.pass(WATCH_INTERVAL);

    assert_eq!(states(&mut broker, "w"), [Busy]);
}

#[test]
fn a_target_that_changes_without_end_costs_one_message_in_each_interval() {
    let mut broker = Scenario::with_clients(["w", "a", "b"]);
    watch(&mut broker, "w", "b");
    let mut told = states(&mut broker, "w");

    let times: u32 = 1_000;
    for _ in 0..times {
        broker.pair("a", "b");
        broker.pass(WATCH_INTERVAL / 100);
        told.extend(states(&mut broker, "w"));
        broker.unregister("a");
        broker.pass(WATCH_INTERVAL / 100);
        told.extend(states(&mut broker, "w"));
    }
    broker.pass(WATCH_INTERVAL);
    told.extend(states(&mut broker, "w"));

    let intervals = 2 * times as usize / 100;
    assert!(told.len() <= intervals + 2, "{} in {intervals} intervals", told.len());
    assert_eq!(told.last(), Some(&Free), "the newest");
    assert!(told.windows(2).all(|two| two[0] != two[1]), "no state twice");
}

#[test]
fn a_target_that_is_again_as_it_was_told_costs_no_message() {
    let mut broker = Scenario::with_clients(["w", "a", "b"]);
    watch(&mut broker, "w", "b");
    broker.told("w");

    broker.pair("a", "b");
    broker.unregister("a");
    broker.pass(2 * WATCH_INTERVAL);

    assert_eq!(states(&mut broker, "w"), []);
    assert_eq!(broker.broker.poll_timeout(), None);
}

#[test]
fn a_watch_that_was_ended_is_told_nothing() {
    let mut broker = Scenario::with_clients(["w", "a", "b"]);
    watch(&mut broker, "w", "b");
    broker.told("w");
    broker.pair("a", "b"); // Its news is due.

    broker.say("w", ClientMessage::Cancel { req: REQ });
    broker.say("w", ClientMessage::Cancel { req: 99 });
    broker.pass(2 * WATCH_INTERVAL);
    broker.unregister("a");

    assert_eq!(broker.told("w"), []);
    assert_eq!(broker.broker.stats().watches, 0);
}

#[test]
fn a_second_watch_of_the_same_target_takes_the_place_of_the_first() {
    let mut broker = Scenario::with_clients(["w", "a", "b"]);
    broker.say("w", ClientMessage::Watch { req: 7, target: name("b") });
    watch(&mut broker, "w", "b");
    broker.told("w");

    broker.pair("a", "b");
    broker.pass(WATCH_INTERVAL);

    assert_eq!(broker.told("w"), [ServerMessage::Target { req: REQ, state: Busy }]);
    assert_eq!(broker.broker.stats().watches, 1);
}

#[test]
fn the_number_of_a_watch_cannot_be_used_for_another() {
    let mut broker = Scenario::with_clients(["w", "a", "b"]);
    watch(&mut broker, "w", "a");
    broker.told("w");

    watch(&mut broker, "w", "b");

    let told = broker.told("w");
    assert!(
        matches!(&told[..], [ServerMessage::Error { refusal, req: Some(REQ), .. }] if refusal.code == Code::BadArgs),
        "{told:?}"
    );
}

#[test]
fn a_watch_ends_with_its_connection() {
    let mut broker = with_grace(["w", "a", "b"]);
    broker.pair("w", "a");
    watch(&mut broker, "w", "b");

    broker.disconnect("w");
    assert_eq!(broker.broker.stats().watches, 0, "also if its client may come back");
    let token = broker.token_of("w");
    let conn = broker.admit_with("w", Dialect::V2, Some(token)).unwrap();
    broker.handle(Input::Connected(conn));
    broker.told("w");
    broker.pass(WATCH_INTERVAL);
    broker.disconnect("b");

    assert_eq!(states(&mut broker, "w"), []);
}

#[test]
fn a_client_watches_a_limited_number_of_targets() {
    let mut broker = Scenario::with_clients(["w"]);
    for req in 0..WATCHES as ReqId {
        broker.say("w", ClientMessage::Watch { req, target: name(&format!("t{req}")) });
    }
    assert_eq!(broker.told("w").len(), WATCHES);

    let req = WATCHES as ReqId;
    broker.say("w", ClientMessage::Watch { req, target: name("more") });
    let [ServerMessage::Error { refusal, req: Some(refused), .. }] = &broker.told("w")[..] else {
        panic!("it is refused");
    };
    assert_eq!((refusal.code, *refused), (Code::Quota, req));

    broker.say("w", ClientMessage::Cancel { req: 0 });
    broker.say("w", ClientMessage::Watch { req, target: name("more") });
    assert_eq!(broker.told("w"), [ServerMessage::Target { req, state: Absent }]);
}

#[test]
fn a_target_is_watched_by_a_limited_number_of_clients() {
    let mut broker = Scenario::with_clients(["last"]);
    for watcher in 0..WATCHERS {
        let watcher = format!("w{watcher}");
        broker.connect(&watcher, Dialect::V2);
        watch(&mut broker, &watcher, "b");
    }

    watch(&mut broker, "last", "b");

    let told = broker.told("last");
    assert!(
        matches!(&told[..], [ServerMessage::Error { refusal, .. }] if refusal.code == Code::Quota),
        "{told:?}"
    );
    broker.disconnect("w0");
    watch(&mut broker, "last", "b");
    assert_eq!(states(&mut broker, "last"), [Absent]);
}

#[test]
fn nothing_is_left_of_watches_when_the_server_shuts_down() {
    let mut broker = Scenario::with_clients(["w", "a", "b"]);
    watch(&mut broker, "w", "b");
    broker.pair("a", "b");

    broker.handle(Input::ShutDown);

    assert_eq!(broker.broker.stats(), <_>::default());
    assert_eq!(broker.broker.poll_timeout(), None);
    assert!(states(&mut broker, "w").len() <= 1, "what was told before");
    broker.pass(Duration::from_secs(10));
}
