//! Names and connections: who is there, and since when.

use socketio_p2p_protocol::{
    BrokerConfig, BrokerEvent, ClientEntry, ClientMessage, ClientState, Code, ConnId, Dialect,
    EndReason, Hello, ListPolicy, ResumeToken, ServerMessage,
    broker::Input,
    limits::{DEPARTED_V1_TIME, TOLD_TIME},
};

use crate::scenario::{Scenario, name, token};

fn list(broker: &mut Scenario, client: &str) -> Vec<ServerMessage> {
    broker.say(client, ClientMessage::List { req: Some(9) });
    broker.told(client)
}

#[test]
fn a_v2_client_is_welcomed_first_of_all() {
    let mut broker = Scenario::with_clients([]);
    let conn = broker.admit("a", Dialect::V2).unwrap();

    broker.handle(Input::Connected(conn));
    broker.handle(Input::Connected(conn));

    let told = broker.told("a");
    let [ServerMessage::Welcome(welcome)] = &told[..] else {
        panic!("{told:?}");
    };
    assert_eq!(welcome.client_id, name("a"));
    assert_eq!(welcome.protocol, 2);
    assert_eq!(welcome.pairing, None);
    assert_eq!((welcome.grace_ms, welcome.resume), (0, None), "no grace here");
    assert_eq!(broker.events, [BrokerEvent::Connected(name("a"))]);
}

#[test]
fn a_message_that_comes_before_its_connection_is_announced_is_carried_out() {
    let mut broker = Scenario::with_clients(["b"]);
    let conn = broker.admit("a", Dialect::V2).unwrap();

    broker.register("a", "b");
    broker.handle(Input::Connected(conn));

    let told = broker.told("a");
    assert!(matches!(&told[..], [ServerMessage::Welcome(_)]), "{told:?}");
    assert!(broker.asked("b", "a").is_some());
}

#[test]
fn even_what_is_forbidden_comes_after_the_welcome() {
    let mut broker = Scenario::with_clients([]);
    let conn = broker.admit("a", Dialect::V2).unwrap();

    broker.handle(Input::Forbidden(conn, Some(1), name("b")));

    let told = broker.told("a");
    assert!(
        matches!(&told[..], [ServerMessage::Welcome(_), ServerMessage::RegisterFailed { .. }]),
        "{told:?}"
    );
}

#[test]
fn a_client_that_is_only_admitted_is_seen_by_nobody() {
    let mut broker = Scenario::with_clients(["a"]);
    broker.admit("b", Dialect::V2).unwrap();

    broker.register("a", "b");

    assert_eq!(broker.refusal_to("a"), Some(Code::Offline));
    assert_eq!(broker.broker.clients().len(), 1);
}

#[test]
fn a_client_that_was_only_admitted_leaves_without_a_word() {
    let mut broker = Scenario::with_clients([]);
    let conn = broker.admit("a", Dialect::V1).unwrap();

    broker.handle(Input::Disconnected(conn));

    assert!(broker.events.is_empty());
    assert_eq!(broker.broker.stats(), <_>::default());
}

#[test]
fn an_id_in_use_is_refused_and_its_owner_stays() {
    let mut broker = Scenario::with_clients(["a", "b"]);
    let conn = broker.conn("a");
    broker.pair("a", "b");

    assert_eq!(broker.admit("a", Dialect::V2), Err(Code::DuplicateId));

    assert_eq!(broker.target_of("a"), Some("b"));
    assert_eq!(broker.conn("a"), conn);
}

#[test]
fn a_connection_has_one_name() {
    let mut broker = Scenario::with_clients(["a"]);
    let conn = broker.conn("a");

    let hello = Hello::new(name("b"), Dialect::V2, token(9));
    let second = broker.broker.admit(conn, hello, broker.now);

    assert_eq!(second, Err(Code::DuplicateId));
    broker.disconnect("a");
    assert_eq!(broker.broker.stats(), <_>::default());
}

#[test]
fn the_end_of_an_old_connection_never_touches_its_successor() {
    let mut broker = Scenario::with_clients(["a", "b"]);
    let old = broker.conn("a");
    broker.disconnect("a");
    broker.connect("a", Dialect::V2);
    broker.pair("a", "b");

    broker.handle(Input::Disconnected(old));
    let req = None;
    broker.handle(Input::Received(old, ClientMessage::Unregister { req }));
    broker.handle(Input::Connected(old));

    assert_eq!(broker.target_of("a"), Some("b"));
    assert_eq!(broker.told("b"), []);
}

#[test]
fn what_an_unknown_connection_says_is_ignored() {
    let mut broker = Scenario::with_clients(["a"]);
    let req = Some(1);

    broker.handle(Input::Connected(ConnId(99)));
    broker.handle(Input::Disconnected(ConnId(99)));
    for message in [
        ClientMessage::Unregister { req },
        ClientMessage::Accept { req },
        ClientMessage::List { req },
        ClientMessage::Ping { req: 1 },
    ] {
        broker.handle(Input::Received(ConnId(99), message));
    }
    broker.handle(Input::Forbidden(ConnId(99), req, name("a")));

    assert_eq!(broker.broker.stats().clients, 1);
}

#[test]
fn only_a_paired_v2_client_keeps_its_id_even_if_it_is_silent() {
    let mut broker = Scenario::with_clients(["a", "b"]);
    broker.connect("v1", Dialect::V1);
    broker.connect("c", Dialect::V2);
    let keeps_id = |broker: &Scenario, client| broker.broker.keeps_id(&name(client));
    assert!(!keeps_id(&broker, "a"), "it is free");
    assert!(!keeps_id(&broker, "nobody"));

    broker.pair("a", "b");
    broker.pair("c", "v1");

    assert!(keeps_id(&broker, "a") && keeps_id(&broker, "b"));
    assert!(keeps_id(&broker, "c") && !keeps_id(&broker, "v1"), "v1 has no token");

    broker.unregister("a");

    assert!(!keeps_id(&broker, "a"));
}

#[test]
fn a_ping_is_answered_with_its_number() {
    let mut broker = Scenario::with_clients(["a"]);

    broker.say("a", ClientMessage::Ping { req: 4 });

    assert_eq!(broker.told("a"), [ServerMessage::Pong { req: 4 }]);
}

#[test]
fn the_list_names_connected_clients_in_order_the_caller_among_them() {
    let mut broker = Scenario::new(ListPolicy::All);
    for client in ["c", "b", "a"] {
        broker.connect(client, Dialect::V2);
    }
    broker.pair("a", "b");

    let entry = |id: &str, state| ClientEntry { id: name(id), state };
    assert_eq!(
        list(&mut broker, "c"),
        [ServerMessage::Clients {
            req: Some(9),
            clients: vec![
                entry("a", ClientState::Paired),
                entry("b", ClientState::Paired),
                entry("c", ClientState::Free),
            ],
        }]
    );
}

#[test]
fn who_may_list_is_a_policy() {
    for (policy, v1, v2) in [
        (ListPolicy::V1Only, true, false),
        (ListPolicy::All, true, true),
        (ListPolicy::Nobody, false, false),
    ] {
        let mut broker = Scenario::new(policy);
        broker.connect("v1", Dialect::V1);
        broker.connect("v2", Dialect::V2);

        for (client, allowed) in [("v1", v1), ("v2", v2)] {
            match &list(&mut broker, client)[..] {
                [ServerMessage::Clients { .. }] => assert!(allowed, "{policy:?} {client}"),
                [ServerMessage::Error { refusal, req, .. }] => {
                    assert!(!allowed, "{policy:?} {client}");
                    assert_eq!((refusal.code, *req), (Code::Forbidden, Some(9)));
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn a_v1_client_that_left_while_paired_is_told_so_once_when_it_is_back() {
    let mut broker = Scenario::with_v1_clients(["a", "b"]);
    broker.pair("a", "b");
    broker.disconnect("a");

    for told in [vec![ServerMessage::EndedWhileAway], vec![]] {
        let conn = broker.admit("a", Dialect::V1).unwrap();
        broker.handle(Input::Connected(conn));
        assert_eq!(broker.told("a"), told);
        broker.pass(TOLD_TIME);
        broker.disconnect("a");
    }
}

#[test]
fn a_v1_client_that_was_free_when_it_left_is_not_remembered() {
    let mut broker = Scenario::with_v1_clients(["a", "b"]);
    let pairing = broker.pair("a", "b");
    broker.unregister("a");
    broker.say("b", ClientMessage::Released { pairing });
    broker.disconnect("a");
    broker.disconnect("b");

    for client in ["a", "b"] {
        let conn = broker.admit(client, Dialect::V1).unwrap();
        broker.handle(Input::Connected(conn));
        assert_eq!(broker.told(client), []);
    }
}

#[test]
fn a_v1_client_that_left_is_forgotten_after_ten_minutes() {
    let mut broker = Scenario::with_v1_clients(["a", "b"]);
    broker.pair("a", "b");
    broker.disconnect("a");
    broker.pass(DEPARTED_V1_TIME);

    let conn = broker.admit("a", Dialect::V1).unwrap();
    broker.handle(Input::Connected(conn));

    assert_eq!(broker.told("a"), []);
}

#[test]
fn when_everybody_is_gone_nothing_is_left() {
    let mut broker = Scenario::with_clients(["a", "b", "c", "d"]);
    broker.pair("a", "b");
    broker.register("c", "d");

    for client in ["a", "b", "c", "d"] {
        broker.disconnect(client);
    }

    assert_eq!(broker.broker.stats(), <_>::default());
    assert_eq!(broker.broker.poll_timeout(), None);
    assert!(broker.routes.is_empty());
    let reason = EndReason::Disconnected;
    assert!(broker.unrouted.iter().all(|(_, other)| *other == reason));
}

/// Connects with this version of v2, and returns that of the welcome.
fn agreed(broker: &mut Scenario, protocol: u8, client: &str, resume: Option<ResumeToken>) -> u8 {
    broker.protocol = protocol;
    let conn = broker.admit_with(client, Dialect::V2, resume).unwrap();
    broker.handle(Input::Connected(conn));
    let told = broker.told(client).into_iter();
    let mut welcomes = told.filter_map(|message| match message {
        ServerMessage::Welcome(welcome) => Some(welcome),
        _ => None,
    });
    let welcome = welcomes.next().expect("it is welcomed");
    assert_eq!(welcome.resumed, resume.is_some());
    welcome.protocol
}

#[test]
fn the_welcome_states_the_version_on_which_server_and_client_agreed() {
    let mut broker = Scenario::with_config(BrokerConfig::new(1));

    assert_eq!(agreed(&mut broker, 3, "a", None), 3);
    assert_eq!(agreed(&mut broker, 2, "b", None), 2);
    broker.register("a", "b");
    broker.accept("b", "a");

    let mut partner_protocol = |client| match &broker.told(client)[..] {
        [.., ServerMessage::Registered { pairing, .. }] => pairing.partner_protocol,
        other => panic!("not paired: {other:?}"),
    };
    assert_eq!((partner_protocol("a"), partner_protocol("b")), (2, 3));
}

#[test]
fn a_client_may_resume_with_another_version() {
    let mut broker = Scenario::with_config(BrokerConfig::new(1));
    for client in ["a", "b"] {
        broker.connect(client, Dialect::V2);
    }
    broker.pair("a", "b");
    let resume = broker.token_of("a");

    assert_eq!(agreed(&mut broker, 3, "a", Some(resume)), 3);
}
