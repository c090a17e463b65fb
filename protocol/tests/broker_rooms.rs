//! Rooms: each two members have a pairing, and exclusive pairing does not notice.

use std::collections::BTreeSet;

use socketio_p2p_protocol::{
    BrokerConfig, BrokerEvent, ClientMessage, Code, Dialect, EndReason, PairingId, PairingInfo,
    Presence, ReqId, RoomName, RoomState, ServerMessage,
    broker::Input,
    limits::{GRACE, ROOM_MEMBERS, ROOMS_OF_CLIENT},
};

use crate::scenario::{NODE, Scenario, name, token};

const REQ: ReqId = 9;

fn room(name: &str) -> RoomName {
    name.parse().unwrap()
}

/// A broker with clients whose pairings outlive their connections.
fn with_clients<const N: usize>(names: [&str; N]) -> Scenario {
    let mut broker = Scenario::with_config(BrokerConfig::new(NODE));
    for name in names {
        broker.connect(name, Dialect::V2);
        broker.told(name);
    }
    broker
}

fn join_with(broker: &mut Scenario, client: &str, in_room: &str, most: Option<usize>) {
    broker.say(client, ClientMessage::Join { req: REQ, room: room(in_room), most });
}

/// Joins the room, and returns the members that the client was told of.
fn join(broker: &mut Scenario, client: &str) -> Vec<PairingInfo> {
    join_with(broker, client, "lobby", None);
    match &broker.told(client)[..] {
        [ServerMessage::Joined { req: REQ, state }, ..] => {
            assert_eq!(state.room, room("lobby"));
            state.members.clone()
        }
        told => panic!("not joined: {told:?}"),
    }
}

fn refusal(broker: &mut Scenario, client: &str) -> Code {
    match &broker.told(client)[..] {
        [ServerMessage::Error { refusal, req: Some(REQ), pairing: None }] => refusal.code,
        told => panic!("not refused: {told:?}"),
    }
}

/// The pairings over which the messages of a client are relayed.
fn routes(broker: &Scenario, client: &str) -> BTreeSet<(PairingId, String)> {
    let conn = broker.conn(client);
    let of_client = broker.room_routes.iter().filter(|((from, _), _)| *from == conn);
    of_client.map(|((_, pairing), to)| (*pairing, to.client.to_string())).collect()
}

#[test]
fn each_two_members_have_a_pairing_whose_initiator_joined_later() {
    let mut broker = with_clients(["A", "B", "C"]);

    assert!(join(&mut broker, "A").is_empty());
    let of_b = join(&mut broker, "B");
    let of_c = join(&mut broker, "C");

    assert_eq!(of_b.iter().map(|info| info.partner.as_str()).collect::<Vec<_>>(), ["A"]);
    assert_eq!(of_c.iter().map(|info| info.partner.as_str()).collect::<Vec<_>>(), ["A", "B"]);
    assert!(of_b.iter().chain(&of_c).all(|info| info.initiator && info.partner_protocol == 2));
    let told_a: Vec<_> = broker
        .told("A")
        .into_iter()
        .map(|message| match message {
            ServerMessage::Member { room: in_room, pairing } => {
                assert_eq!((in_room, pairing.initiator), (room("lobby"), false));
                (pairing.id, pairing.partner.to_string())
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(told_a, [(of_b[0].id, "B".to_owned()), (of_c[0].id, "C".to_owned())]);
    assert_eq!(routes(&broker, "A"), told_a.into_iter().collect());
    assert_eq!(routes(&broker, "C").len(), 2);
    assert_eq!(broker.broker.stats().room_pairings, 3);
    assert_eq!(broker.broker.members_of(&room("lobby")), ["A", "B", "C"].map(name));
}

#[test]
fn who_joins_again_has_the_same_pairings() {
    let mut broker = with_clients(["A", "B"]);
    join(&mut broker, "A");
    let first = join(&mut broker, "B");
    broker.told("A");

    assert_eq!(join(&mut broker, "B"), first);
    assert!(broker.told("A").is_empty(), "nothing has changed for A");
}

#[test]
fn a_room_has_as_many_members_as_all_of_them_agree_to() {
    let mut broker = with_clients(["A", "B", "C", "D"]);
    join_with(&mut broker, "A", "lobby", Some(3));
    broker.told("A");
    join(&mut broker, "B");

    join_with(&mut broker, "C", "lobby", Some(2));
    assert_eq!(refusal(&mut broker, "C"), Code::Quota, "with C there would be three");
    join(&mut broker, "C");
    join_with(&mut broker, "D", "lobby", None);
    assert_eq!(refusal(&mut broker, "D"), Code::Quota);

    broker.say("A", ClientMessage::Exit { req: REQ, room: room("lobby") });
    join(&mut broker, "D");
}

#[test]
fn the_members_of_a_room_the_rooms_of_a_client_and_the_rooms_are_limited() {
    let mut config = BrokerConfig::new(NODE);
    config.rooms = ROOMS_OF_CLIENT;
    let mut broker = Scenario::with_config(config);
    for number in 0..=ROOM_MEMBERS {
        let name = format!("m{number}");
        broker.connect(&name, Dialect::V2);
        broker.told(&name);
        join_with(&mut broker, &name, "lobby", Some(usize::MAX));
        if number == ROOM_MEMBERS {
            assert_eq!(refusal(&mut broker, &name), Code::Quota, "the room is full");
        } else {
            broker.told(&name);
        }
    }
    for number in 1..=ROOMS_OF_CLIENT {
        join_with(&mut broker, "m0", &format!("room {number}"), None);
    }
    let refused: Vec<_> = broker
        .told("m0")
        .into_iter()
        .filter_map(|message| match message {
            ServerMessage::Error { refusal, .. } => Some(refusal.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(refused, ["this client is in too many rooms (quota)"]);
    join_with(&mut broker, "m1", "one more", None);
    let told = broker.told("m1");
    let Some(ServerMessage::Error { refusal, .. }) = told.last() else { panic!("{told:?}") };
    assert_eq!(refusal.message, "there are too many rooms");
}

#[test]
fn the_end_of_a_membership_ends_its_pairings_once() {
    let mut broker = with_clients(["A", "B", "C"]);
    join(&mut broker, "A");
    let with_a = join(&mut broker, "B")[0].id;
    join(&mut broker, "C");
    broker.told("A");
    broker.told("B");

    broker.say("B", ClientMessage::Exit { req: REQ, room: room("lobby") });

    let reason = EndReason::Unregistered;
    let exited = ServerMessage::Exited { req: Some(REQ), room: room("lobby"), reason };
    assert_eq!(broker.told("B"), std::slice::from_ref(&exited));
    let ended = ServerMessage::Disconnect { pairing: with_a, reason, req: None };
    assert_eq!(broker.told("A"), [ended]);
    assert!(routes(&broker, "B").is_empty());
    assert_eq!(routes(&broker, "A").len(), 1);
    assert!(broker.events.contains(&BrokerEvent::Left {
        room: room("lobby"),
        client: name("B"),
        reason
    }));

    broker.say("B", ClientMessage::Exit { req: REQ, room: room("lobby") });
    assert_eq!(broker.told("B"), [exited], "it is answered also if there is none");
    assert!(broker.told("A").is_empty());
}

#[test]
fn a_member_may_be_paired_with_another_and_with_any_client() {
    let mut broker = with_clients(["A", "B", "C"]);
    join(&mut broker, "A");
    let in_room = join(&mut broker, "B")[0].id;

    let pairing = broker.pair("A", "B");
    assert_ne!(pairing, in_room);
    broker.register("C", "A");
    assert_eq!(broker.refusal_to("C"), Some(Code::TargetBusy));
    broker.unregister("A");

    assert_eq!(routes(&broker, "A"), BTreeSet::from([(in_room, "B".to_owned())]));
    broker.pair("C", "A");
}

#[test]
fn a_member_that_lost_its_connection_is_away_and_comes_back_to_its_rooms() {
    let mut broker = with_clients(["A", "B", "C"]);
    join(&mut broker, "A");
    let pairing = join(&mut broker, "B")[0].id;
    broker.told("A");
    let shown = token(broker.conn("B").0);

    broker.disconnect("B");
    let told = |state| ServerMessage::Partner { pairing, state };
    assert_eq!(broker.told("A"), [told(Presence::Away)]);
    let of_c = join(&mut broker, "C");
    let with_b = of_c.iter().find(|info| info.partner == "B").unwrap().id;
    assert_eq!(of_c.len(), 2);
    assert_eq!(routes(&broker, "C").len(), 1, "nobody is there at the other end yet");

    let conn = broker.admit_with("B", Dialect::V2, Some(shown)).unwrap();
    broker.told("A");
    broker.handle(Input::Connected(conn));

    assert_eq!(broker.told("A"), [told(Presence::Back)]);
    let [ServerMessage::Welcome(welcome)] = &broker.told("B")[..] else { panic!() };
    let [RoomState { room: in_room, members }] = &welcome.rooms[..] else { panic!() };
    let ids: Vec<_> = members.iter().map(|info| info.id).collect();
    assert_eq!((in_room, ids, welcome.resumed), (&room("lobby"), vec![pairing, with_b], true));
    assert_eq!(routes(&broker, "B").len(), 2);
    assert_eq!(routes(&broker, "C").len(), 2);
}

#[test]
fn a_member_that_does_not_come_back_in_time_leaves_its_rooms() {
    let mut broker = with_clients(["A", "B"]);
    join(&mut broker, "A");
    let pairing = join(&mut broker, "B")[0].id;
    broker.disconnect("B");
    broker.told("A");

    broker.pass(GRACE);

    let reason = EndReason::Disconnected;
    assert_eq!(broker.told("A"), [ServerMessage::Disconnect { pairing, reason, req: None }]);
    assert_eq!(broker.broker.members_of(&room("lobby")), [name("A")]);
    assert_eq!(broker.broker.stats().room_pairings, 0);
}

#[test]
fn a_host_removes_a_client_from_a_room_and_a_server_that_shuts_down_all() {
    let mut broker = with_clients(["A", "B", "C"]);
    join(&mut broker, "A");
    join(&mut broker, "B");
    broker.told("A");
    broker.told("B");
    let told = |reason| ServerMessage::Exited { req: None, room: room("lobby"), reason };

    broker.handle(Input::RemoveFromRoom(name("B"), room("lobby")));
    broker.handle(Input::RemoveFromRoom(name("C"), room("lobby")));
    assert_eq!(broker.told("B"), [told(EndReason::Kicked)]);
    assert!(broker.told("C").is_empty(), "it was no member");
    join(&mut broker, "B");
    broker.told("A");

    broker.handle(Input::ShutDown);
    assert_eq!(broker.told("A"), [told(EndReason::ShuttingDown)]);
    assert_eq!((broker.broker.stats().rooms, broker.broker.stats().room_pairings), (0, 0));
    assert!(broker.room_routes.is_empty());
}
