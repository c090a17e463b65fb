//! Losing a connection, being away, and coming back to the same pairing.

use std::time::Duration;

use socketio_p2p_protocol::{
    BrokerConfig, BrokerEvent, ClientMessage, ClientState, Code, ConnId, Dialect, DuplicatePolicy,
    EndReason, PairingId, Presence, ResumeToken, ServerMessage, Welcome, broker::Input,
    limits::GRACE,
};

use crate::scenario::{NODE, Scenario, name, token};

fn with_grace<const N: usize>(names: [&str; N]) -> Scenario {
    with_config(names, |_| {})
}

fn with_config<const N: usize>(
    names: [&str; N],
    change: impl FnOnce(&mut BrokerConfig),
) -> Scenario {
    let mut config = BrokerConfig::new(NODE);
    change(&mut config);
    let mut scenario = Scenario::with_config(config);
    for name in names {
        scenario.connect(name, Dialect::V2);
    }
    scenario
}

/// A pair of which `a` is away, and the token that it was told.
fn with_a_away() -> (Scenario, PairingId, ResumeToken) {
    let mut broker = with_grace(["a", "b", "c"]);
    let pairing = broker.pair("a", "b");
    let token = broker.token_of("a");
    broker.disconnect("a");
    (broker, pairing, token)
}

impl Scenario {
    /// Comes back with a token, and says what its welcome said.
    fn come_back(&mut self, client: &str, token: ResumeToken) -> Welcome {
        let conn = self.admit_with(client, Dialect::V2, Some(token)).unwrap();
        self.handle(Input::Connected(conn));
        match self.told(client).into_iter().next() {
            Some(ServerMessage::Welcome(welcome)) => welcome,
            other => panic!("not welcomed: {other:?}"),
        }
    }

    /// Returns what the partner was told of a client's coming and going.
    fn presences_told_to(&mut self, client: &str) -> Vec<Presence> {
        let told = self.told(client).into_iter();
        told.filter_map(|message| match message {
            ServerMessage::Partner { state, .. } => Some(state),
            _ => None,
        })
        .collect()
    }

    /// Both ends' routes lead to the present connection of the other.
    #[track_caller]
    fn assert_routed(&self, pairing: PairingId, a: &str, b: &str) {
        for (from, to) in [(a, b), (b, a)] {
            let route = &self.routes[&self.conn(from)];
            assert_eq!((route.pairing, route.conn), (pairing, self.conn(to)), "{from} to {to}");
        }
    }
}

#[test]
fn a_pairing_outlives_the_connection_of_a_v2_client() {
    let (mut broker, pairing, _) = with_a_away();

    assert_eq!(broker.pairing_of("b"), Some(pairing));
    assert_eq!(broker.presences_told_to("b"), [Presence::Away]);
    assert!(broker.events.ends_with(&[BrokerEvent::Away(name("a"))]));
    assert_eq!(broker.broker.clients()[0].state, ClientState::Away);
    assert_eq!(broker.broker.stats().away, 1);
}

#[test]
fn whoever_has_the_token_takes_the_same_pairing_up_again() {
    let (mut broker, pairing, token) = with_a_away();
    broker.told("b");

    let welcome = broker.come_back("a", token);

    assert!(welcome.resumed);
    assert_eq!(welcome.pairing.map(|info| info.id), Some(pairing));
    assert_eq!(broker.presences_told_to("b"), [Presence::Back]);
    assert!(broker.events.ends_with(&[BrokerEvent::Back(name("a"))]));
    broker.assert_routed(pairing, "a", "b");
    assert_eq!(broker.broker.stats().away, 0);
    assert_eq!(broker.broker.poll_timeout(), None);
}

#[test]
fn the_welcome_comes_before_anything_else_that_a_returning_client_hears() {
    let (mut broker, pairing, token) = with_a_away();
    broker.disconnect("b");
    broker.told("b");
    let conn = broker.admit_with("a", Dialect::V2, Some(token)).unwrap();

    let b = broker.token_of("b");
    broker.come_back("b", b);
    assert_eq!(broker.told("a"), []);
    broker.handle(Input::Connected(conn));

    let told = broker.told("a");
    assert!(matches!(&told[..], [ServerMessage::Welcome(_)]), "{told:?}");
    broker.assert_routed(pairing, "a", "b");
}

#[test]
fn a_client_that_returns_to_a_partner_who_is_away_is_told_so() {
    let (mut broker, pairing, token) = with_a_away();
    broker.disconnect("b");

    let conn = broker.admit_with("a", Dialect::V2, Some(token)).unwrap();
    broker.handle(Input::Connected(conn));

    let told = broker.told("a");
    let [ServerMessage::Welcome(welcome), ServerMessage::Partner { state, .. }] = &told[..] else {
        panic!("{told:?}");
    };
    assert_eq!((welcome.resumed, *state), (true, Presence::Away));
    let b = broker.token_of("b");
    broker.come_back("b", b);
    assert_eq!(broker.presences_told_to("a"), [Presence::Back]);
    broker.assert_routed(pairing, "a", "b");
}

#[test]
fn a_stranger_with_the_same_id_gets_duplicate_id() {
    let (mut broker, pairing, _) = with_a_away();

    assert_eq!(broker.admit("a", Dialect::V2), Err(Code::DuplicateId));
    assert_eq!(broker.admit("a", Dialect::V1), Err(Code::DuplicateId));
    let wrong = broker.admit_with("a", Dialect::V2, Some(ResumeToken::new([7; 16])));
    assert_eq!(wrong, Err(Code::DuplicateId));

    assert_eq!(broker.pairing_of("b"), Some(pairing));
    assert_eq!(broker.presences_told_to("b"), [Presence::Away]);
}

#[test]
fn the_token_of_another_client_is_a_wrong_one() {
    let (mut broker, _, _) = with_a_away();
    let other = broker.token_of("c");

    let wrong = broker.admit_with("a", Dialect::V2, Some(other));

    assert_eq!(wrong, Err(Code::DuplicateId));
}

#[test]
fn a_token_is_new_at_each_connect_and_the_old_one_worth_nothing_once_that_is_known() {
    let (mut broker, _, first) = with_a_away();
    let welcome = broker.come_back("a", first);
    assert_eq!(welcome.resume, Some(broker.token_of("a")));
    broker.say("a", ClientMessage::Ping { req: 1 });
    broker.disconnect("a");

    let again = broker.admit_with("a", Dialect::V2, Some(first));

    assert_eq!(again, Err(Code::DuplicateId));
    assert!(broker.come_back("a", welcome.resume.unwrap()).resumed);
}

#[test]
fn a_client_whose_welcome_was_lost_comes_back_with_the_token_before() {
    let (mut broker, pairing, first) = with_a_away();
    broker.come_back("a", first);
    broker.disconnect("a");

    let welcome = broker.come_back("a", first);

    assert_eq!(welcome.pairing.map(|info| info.id), Some(pairing));
}

#[test]
fn when_the_grace_is_over_the_pairing_ends_with_disconnected() {
    let (mut broker, _, token) = with_a_away();

    broker.pass(GRACE - Duration::from_millis(1));
    assert!(broker.pairing_of("b").is_some());
    broker.pass(Duration::from_millis(1));

    assert_eq!(broker.ends_told_to("b"), [EndReason::Disconnected]);
    assert!(broker.events.ends_with(&[BrokerEvent::Disconnected(name("a"))]));
    assert_eq!(broker.broker.stats().clients, 2);
    let welcome = broker.come_back("a", token);
    assert_eq!((welcome.resumed, welcome.pairing), (false, None), "a new session");
}

#[test]
fn a_dead_connection_that_still_looks_alive_makes_room_for_its_successor() {
    let mut broker = with_grace(["a", "b"]);
    let pairing = broker.pair("a", "b");
    let (old, token) = (broker.conn("a"), broker.token_of("a"));

    let welcome = broker.come_back("a", token);

    assert_eq!(welcome.pairing.map(|info| info.id), Some(pairing));
    assert_eq!(broker.closed, [old]);
    assert_eq!(broker.presences_told_to("b"), [Presence::Away, Presence::Back]);
    broker.handle(Input::Disconnected(old));
    assert_eq!(broker.pairing_of("a"), Some(pairing), "its end touches nobody");
    broker.assert_routed(pairing, "a", "b");
}

#[test]
fn what_an_old_connection_still_says_counts_for_nothing() {
    let mut broker = with_grace(["a", "b"]);
    let pairing = broker.pair("a", "b");
    let (old, token) = (broker.conn("a"), broker.token_of("a"));
    broker.come_back("a", token);

    broker.handle(Input::Received(old, ClientMessage::Unregister { req: Some(1) }));
    broker.handle(Input::Received(old, ClientMessage::Leave));

    assert_eq!(broker.pairing_of("a"), Some(pairing));
}

#[test]
fn a_return_that_fails_halfway_leaves_the_client_away() {
    let (mut broker, pairing, token) = with_a_away();
    let conn = broker.admit_with("a", Dialect::V2, Some(token)).unwrap();
    broker.pass(GRACE * 2);
    assert_eq!(broker.pairing_of("b"), Some(pairing), "it is on its way");

    broker.handle(Input::Disconnected(conn));

    assert_eq!(broker.presences_told_to("b"), [Presence::Away], "told once");
    broker.pass(GRACE);
    assert_eq!(broker.ends_told_to("b"), [EndReason::Disconnected]);
    assert_eq!(broker.broker.stats().clients, 2);
}

#[test]
fn an_away_client_is_busy_to_everybody() {
    let (mut broker, ..) = with_a_away();

    broker.register("c", "a");

    assert_eq!(broker.refusal_to("c"), Some(Code::TargetBusy));
}

#[test]
fn a_partner_who_unregisters_meanwhile_is_free_and_the_returning_client_learns_why() {
    let (mut broker, pairing, token) = with_a_away();

    broker.unregister("b");
    assert_eq!(broker.ends_told_to("b"), [EndReason::Unregistered]);
    broker.register("c", "a");
    assert_eq!(broker.refusal_to("c"), Some(Code::Offline), "it is not there");
    let welcome = broker.come_back("a", token);

    assert!(welcome.resumed);
    assert_eq!(welcome.pairing, None);
    let ended = welcome.ended.unwrap();
    assert_eq!((ended.pairing, ended.reason), (pairing, EndReason::Unregistered));
    assert_eq!(broker.ends_told_to("a"), [], "the welcome said it");
    broker.pair("c", "a");
}

#[test]
fn a_free_client_that_is_away_is_offline_to_a_busy_source_too() {
    let (mut broker, ..) = with_a_away();
    broker.unregister("b");
    broker.register("c", "b");
    broker.accept("b", "c");
    assert_eq!(broker.target_of("c"), Some("b"));

    broker.register("c", "a");

    assert_eq!(broker.refusal_to("c"), Some(Code::Offline));
}

#[test]
fn both_ends_away_come_back_in_any_order() {
    let (mut broker, pairing, a) = with_a_away();
    broker.disconnect("b");
    let b = broker.token_of("b");

    broker.come_back("b", b);
    broker.come_back("a", a);

    broker.assert_routed(pairing, "a", "b");
}

#[test]
fn a_client_that_says_it_leaves_has_no_grace() {
    let mut broker = with_grace(["a", "b"]);
    broker.pair("a", "b");
    let conn = broker.conn("a");

    broker.say("a", ClientMessage::Leave);

    assert_eq!(broker.ends_told_to("b"), [EndReason::Disconnected]);
    assert_eq!(broker.closed, [], "that is the client's own business");
    broker.handle(Input::Disconnected(conn));
    assert_eq!(broker.broker.stats().clients, 1);
}

#[test]
fn a_free_client_has_nothing_to_come_back_to() {
    let mut broker = with_grace(["a"]);
    let token = broker.token_of("a");

    broker.disconnect("a");

    assert_eq!(broker.broker.stats(), <_>::default());
    assert!(!broker.come_back("a", token).resumed);
}

#[test]
fn a_v1_client_has_no_grace_and_is_told_that_its_pairing_ended() {
    let mut broker = with_grace(["a"]);
    broker.connect("b", Dialect::V1);
    broker.register("a", "b");
    broker.accept_by_event("b");
    broker.told("a");

    broker.disconnect("b");

    assert_eq!(broker.ends_told_to("a"), [EndReason::Disconnected]);
    let conn = broker.admit("b", Dialect::V1).unwrap();
    broker.handle(Input::Connected(conn));
    assert_eq!(broker.told("b"), [ServerMessage::EndedWhileAway]);
}

#[test]
fn a_request_of_a_lost_connection_is_taken_back() {
    let mut broker = with_grace(["a", "b", "c"]);
    broker.register("c", "a");
    let token = broker.token_of("c");

    let welcome = broker.come_back("c", token);

    assert!(welcome.resumed, "its dead connection still stood");
    assert_eq!(broker.broker.stats().requests, 0);
    broker.pair("a", "b");
}

#[test]
fn a_pairing_that_is_being_granted_is_given_up_with_a_lost_connection() {
    let mut broker = with_grace(["a", "b"]).holding_grants();
    broker.register("a", "b");
    broker.accept("b", "a");

    broker.disconnect("b");

    assert_eq!(broker.refusal_to("a"), Some(Code::Offline));
    assert_eq!(broker.broker.stats().clients, 1);
}

#[test]
fn where_ids_are_taken_over_the_new_connection_has_it_and_the_partner_is_told_replaced() {
    let mut broker =
        with_config(["a", "b"], |config| config.duplicates = DuplicatePolicy::TakeOver);
    broker.pair("a", "b");
    let old = broker.conn("a");

    let new = broker.connect("a", Dialect::V2);

    assert_eq!(broker.ends_told_to("b"), [EndReason::Replaced]);
    assert_eq!(broker.closed, [old]);
    broker.handle(Input::Disconnected(old));
    assert_eq!(broker.conn("a"), new);
    broker.pair("b", "a");
}

#[test]
fn with_the_token_a_pairing_is_resumed_also_where_ids_are_taken_over() {
    let mut broker =
        with_config(["a", "b"], |config| config.duplicates = DuplicatePolicy::TakeOver);
    let pairing = broker.pair("a", "b");
    let token = broker.token_of("a");

    let welcome = broker.come_back("a", token);

    assert_eq!(welcome.pairing.map(|info| info.id), Some(pairing));
}

#[test]
fn away_clients_are_parted_kicked_and_shut_down_like_others() {
    let (mut broker, ..) = with_a_away();
    broker.handle(Input::Unpair(name("a")));
    assert_eq!(broker.ends_told_to("b"), [EndReason::Kicked]);

    let (mut broker, _, token) = with_a_away();
    broker.handle(Input::Kick(name("a")));
    assert_eq!(broker.ends_told_to("b"), [EndReason::Kicked]);
    assert!(!broker.come_back("a", token).resumed);

    let (mut broker, ..) = with_a_away();
    broker.handle(Input::ShutDown);
    assert_eq!(broker.ends_told_to("b"), [EndReason::ShuttingDown]);
    assert_eq!(broker.broker.stats(), <_>::default());
    assert_eq!(broker.broker.poll_timeout(), None);
}

#[test]
fn a_server_that_is_full_refuses_new_clients_but_not_those_that_return() {
    let mut broker = with_config(["a", "b"], |config| config.clients = 2);
    broker.pair("a", "b");
    let token = broker.token_of("a");
    broker.disconnect("a");

    assert_eq!(broker.admit("c", Dialect::V2), Err(Code::Quota));

    assert!(broker.come_back("a", token).resumed);
}

#[test]
fn a_connection_with_a_name_gets_no_other() {
    let mut broker = with_grace(["a"]);
    let hello = socketio_p2p_protocol::Hello::new(name("b"), Dialect::V2, token(9));

    assert_eq!(broker.broker.admit(ConnId(1), hello, broker.now), Err(Code::DuplicateId));
}
