//! A client in rooms: a peer for each member, with a session of its own.

use serde_json::json;
use socketio_p2p_protocol::{
    Args, Body, Cause, Client, ClientConfig, ClientEvent, ClientMessage, Code, EndReason, Outcome,
    PairingId, PairingInfo, Path, Presence, ReqId, RoomName, RoomState, ServerMessage, Welcome,
    client::{Answer, Command, Input, Output},
    limits::{CONFIRM_TIMEOUT, REASSERT_INTERVAL, WINDOW_FRAMES},
    session::{CallId, EmitOptions},
};

use crate::clients::{PATIENCE, ScriptedClient, reply, welcome};

fn lobby() -> RoomName {
    "lobby".parse().unwrap()
}

fn id(serial: u64) -> PairingId {
    PairingId::new(1, serial)
}

/// The pairing with the member "m" and this number.
fn member(serial: u64) -> PairingInfo {
    PairingInfo {
        id: id(serial),
        partner: format!("m{serial}").parse().unwrap(),
        initiator: true,
        partner_protocol: 2,
        direct: false,
    }
}

fn state(serials: &[u64]) -> RoomState {
    RoomState { room: lobby(), members: serials.iter().map(|serial| member(*serial)).collect() }
}

/// A client that replaces a lost connection.
fn ready() -> ScriptedClient {
    let mut client = ScriptedClient::with_config(ClientConfig::default());
    client.hear(ServerMessage::Welcome(welcome()));
    client.outputs.clear();
    client
}

fn ask(client: &mut ScriptedClient, call: CallId) {
    let deadline = client.now + PATIENCE;
    let (room, most, upgrades) = (lobby(), Some(10), true);
    client.command(Command::Join { call, room, most, upgrades, deadline });
}

/// The numbers of the requests to join, and of those to leave, since this was last asked.
fn asked(client: &mut ScriptedClient) -> (Vec<ReqId>, Vec<ReqId>) {
    let (mut joins, mut exits) = (Vec::new(), Vec::new());
    for message in client.said() {
        match message {
            ClientMessage::Join { req, room, .. } => {
                assert_eq!(room, lobby());
                joins.push(req);
            }
            ClientMessage::Exit { req, .. } => exits.push(req),
            _ => {}
        }
    }
    (joins, exits)
}

/// A client in a room with these members.
fn joined(serials: &[u64]) -> ScriptedClient {
    let mut client = ready();
    ask(&mut client, 1);
    let (joins, _) = asked(&mut client);
    client.hear(ServerMessage::Joined { req: joins[0], state: state(serials) });
    assert_eq!(client.answers(), [(1, Answer::Joined(state(serials)))]);
    client
}

fn feed_emit(client: &mut ScriptedClient, call: CallId, serial: u64) {
    let reply_by = Some(client.now + PATIENCE);
    client.feed(Input::Command(Command::Emit {
        call,
        pairing: id(serial),
        event: "note".to_owned(),
        args: vec![json!(call)].into(),
        options: EmitOptions { reply_by, expires: None, via: None },
    }));
}

fn emit(client: &mut ScriptedClient, call: CallId, serial: u64) {
    feed_emit(client, call, serial);
    client.poll();
}

/// The pairings and numbers of the emits that were sent since this was last asked.
fn sent(client: &mut ScriptedClient) -> Vec<(PairingId, u64)> {
    let outputs = client.outputs().into_iter();
    let batches = outputs.filter_map(|output| match output {
        Output::SendFrames(pairing, frames) => Some((pairing, frames)),
        _ => None,
    });
    let frames =
        batches.flat_map(|(pairing, frames)| frames.into_iter().map(move |frame| (pairing, frame)));
    let emits = frames.filter(|(_, frame)| matches!(*frame.body, Body::Emit { .. }));
    emits.map(|(pairing, frame)| (pairing, frame.seq)).collect()
}

fn events(client: &mut ScriptedClient) -> Vec<ClientEvent> {
    let outputs = client.outputs().into_iter();
    outputs
        .filter_map(|output| match output {
            Output::Event(event) => Some(event),
            _ => None,
        })
        .collect()
}

fn back(client: &mut ScriptedClient, resumed: bool, rooms: Vec<RoomState>) {
    client.handle(Input::Lost);
    client.handle(Input::Opened);
    client.hear(ServerMessage::Welcome(Welcome { resumed, rooms, ..welcome() }));
}

fn left(client: &mut ScriptedClient) -> Vec<(PairingId, EndReason)> {
    let events = events(client).into_iter();
    events
        .filter_map(|event| match event {
            ClientEvent::MemberLeft { pairing, reason, .. } => Some((pairing.id, reason)),
            _ => None,
        })
        .collect()
}

#[test]
fn each_member_has_a_session_of_its_own() {
    let mut client = joined(&[1, 2]);

    emit(&mut client, 10, 1);
    emit(&mut client, 20, 2);
    assert_eq!(sent(&mut client), [(id(1), 1), (id(2), 1)]);
    client.frames(2, vec![reply(1, 1, Ok(Args::from(vec![json!("two")])))]);

    let value = Outcome::Replied(vec![json!("two")].into(), Path::Relay);
    assert_eq!(client.answers(), [(20, Answer::Outcome(value))]);
    client.frames(1, vec![reply(1, 1, Err(Code::Unhandled.into()))]);
    let unhandled = Outcome::NotExecuted(Cause::Code(Code::Unhandled));
    assert_eq!(client.answers(), [(10, Answer::Outcome(unhandled))]);
}

#[test]
fn a_member_whose_window_is_full_holds_up_no_other() {
    let mut client = joined(&[1, 2]);

    for call in 0..WINDOW_FRAMES as u64 {
        feed_emit(&mut client, 100 + call, 1);
    }
    client.poll();

    assert!(!client.core.takes_emits_of(id(1)));
    assert!(client.core.takes_emits_of(id(2)) && client.core.takes_emits());
}

#[test]
fn a_member_is_not_the_partner_of_the_exclusive_pairing() {
    let mut client = joined(&[1]);
    assert_eq!(client.core.pairing(), None);

    client.hear(ServerMessage::Registered { req: None, pairing: member(7) });

    assert_eq!(client.core.pairing(), Some(&member(7)));
    assert_eq!(client.core.members(&lobby()), Some(vec![member(1)]));
    client.hear(ServerMessage::Registered { req: None, pairing: member(8) });
    assert_eq!(client.core.pairing(), Some(&member(8)), "one replaces the other");
    assert_eq!(client.core.members(&lobby()), Some(vec![member(1)]), "and no member");
}

#[test]
fn members_come_are_away_and_go() {
    let mut client = joined(&[1]);
    let room = lobby;

    client.hear(ServerMessage::Member { room: room(), pairing: member(2) });
    let (pairing, reason) = (member(2), EndReason::Unregistered);
    assert_eq!(events(&mut client), [ClientEvent::MemberJoined { room: room(), pairing }]);
    client.hear(ServerMessage::Partner { pairing: id(2), state: Presence::Away });
    let (of, presence) = ("m2".parse().unwrap(), Presence::Away);
    let events_now = events(&mut client);
    assert!(events_now.contains(&ClientEvent::Member { room: room(), member: of, presence }));
    client.hear(ServerMessage::Disconnect { pairing: id(2), reason, req: None });
    assert_eq!(left(&mut client), [(id(2), reason)]);
    emit(&mut client, 5, 2);

    let refused = Outcome::NotExecuted(Cause::Code(Code::NotPaired));
    assert_eq!(client.answers(), [(5, Answer::Outcome(refused))]);
}

#[test]
fn a_refusal_answers_the_call_and_who_was_no_member_does_not_ask_again() {
    let mut client = ready();
    ask(&mut client, 1);
    let (joins, _) = asked(&mut client);
    let refused =
        ServerMessage::Error { refusal: Code::Quota.into(), req: Some(joins[0]), pairing: None };

    client.hear(refused);
    assert_eq!(client.answers(), [(1, Answer::Refused(Code::Quota.into()))]);
    client.pass(10 * REASSERT_INTERVAL);

    assert_eq!(asked(&mut client), (vec![], vec![]));
}

#[test]
fn a_call_that_is_no_longer_awaited_takes_its_request_back() {
    for by_timeout in [true, false] {
        let mut client = ready();
        ask(&mut client, 1);
        let (joins, _) = asked(&mut client);

        if by_timeout {
            client.pass(PATIENCE);
            assert!(client.outputs.contains(&Output::Answered(1, Answer::TimedOut)));
        } else {
            client.command(Command::Cancel(1));
        }
        assert_eq!(asked(&mut client).1.len(), 1);
        client.hear(ServerMessage::Joined { req: joins[0], state: state(&[1]) });

        assert_eq!(client.core.members(&lobby()), None, "it came too late");
    }
}

#[test]
fn after_a_lost_connection_each_session_goes_on() {
    let mut client = joined(&[1, 2]);
    emit(&mut client, 10, 1);
    client.outputs.clear();

    back(&mut client, true, vec![state(&[1, 3])]);

    assert_eq!(sent(&mut client), [(id(1), 1)], "the window is sent again");
    let members: Vec<_> = client.core.members(&lobby()).unwrap();
    assert_eq!(members, [member(1), member(3)], "one has left meanwhile, one has come");
}

#[test]
fn a_member_that_left_meanwhile_ends_its_calls() {
    let mut client = joined(&[1]);
    emit(&mut client, 10, 1);
    client.outputs.clear();

    back(&mut client, true, vec![state(&[])]);

    let unknown = Outcome::Unknown(Cause::Ended(EndReason::Disconnected));
    assert_eq!(client.answers(), [(10, Answer::Outcome(unknown))]);
    assert_eq!(client.core.members(&lobby()), Some(vec![]));
}

#[test]
fn a_server_that_has_forgotten_the_room_is_asked_again_until_it_refuses_for_good() {
    let mut client = joined(&[1]);

    back(&mut client, false, Vec::new());
    let ended: Vec<_> = client.outputs.clone();
    assert!(
        ended.iter().any(|output| matches!(output, Output::Event(ClientEvent::MemberLeft { .. })))
    );
    let (joins, exits) = asked(&mut client);
    assert_eq!((joins.len(), exits), (1, vec![]));
    let refuse = |code: Code, req| ServerMessage::Error {
        refusal: code.into(),
        req: Some(req),
        pairing: None,
    };
    client.hear(refuse(Code::Quota, joins[0]));
    client.pass(REASSERT_INTERVAL);
    let (joins, _) = asked(&mut client);
    assert_eq!(joins.len(), 1, "there may be a place later");
    client.hear(refuse(Code::Forbidden, joins[0]));

    let refusal = Code::Forbidden.into();
    assert_eq!(events(&mut client), [ClientEvent::NotJoined { room: lobby(), refusal }]);
    client.pass(10 * REASSERT_INTERVAL);
    assert!(asked(&mut client).0.is_empty());
}

#[test]
fn a_membership_that_was_not_answered_is_left_before_another_begins() {
    let mut client = ready();
    ask(&mut client, 1);
    asked(&mut client);

    // Others may have sent to the pairing that this client was not told of.
    back(&mut client, true, vec![state(&[1])]);

    let said = client.said();
    let position = |find: fn(&ClientMessage) -> bool| said.iter().position(find);
    let exit = position(|message| matches!(message, ClientMessage::Exit { .. }));
    let join = position(|message| matches!(message, ClientMessage::Join { .. }));
    assert!(exit.is_some() && exit < join, "{said:?}");
    assert_eq!(client.core.members(&lobby()), None);
}

#[test]
fn a_room_is_left_once_everything_is_confirmed() {
    let mut client = joined(&[1]);
    emit(&mut client, 10, 1);
    let deadline = client.now + PATIENCE;

    client.command(Command::Exit { call: 2, room: lobby(), deadline });
    assert!(asked(&mut client).1.is_empty(), "m1 has not confirmed");
    client.frames(1, vec![reply(1, 1, Ok(Args::default()))]);

    let outputs: Vec<_> = client.outputs();
    let exits = |output: &&Output| matches!(output, Output::Send(ClientMessage::Exit { .. }));
    assert_eq!(outputs.iter().filter(exits).count(), 1);
    assert!(outputs.contains(&Output::Answered(2, Answer::Exited)));
    let (room, reason) = (lobby(), EndReason::Unregistered);
    assert!(outputs.contains(&Output::Event(ClientEvent::Exited { room, reason })));
}

#[test]
fn a_member_that_does_not_confirm_does_not_hold_up_the_end_for_long() {
    let mut client = joined(&[1]);
    emit(&mut client, 10, 1);
    let deadline = client.now + PATIENCE;
    client.command(Command::Exit { call: 2, room: lobby(), deadline });
    client.outputs.clear();

    client.pass(CONFIRM_TIMEOUT);

    let unknown = Outcome::Unknown(Cause::Ended(EndReason::Unregistered));
    let answers = [(10, Answer::Outcome(unknown)), (2, Answer::Exited)];
    assert_eq!(client.answers(), answers);
}

#[test]
fn a_client_that_is_removed_from_a_room_is_not_a_member_any_more() {
    let mut client = joined(&[1]);
    let (room, reason) = (lobby(), EndReason::Kicked);

    client.hear(ServerMessage::Exited { req: None, room, reason });

    let heard = events(&mut client);
    let (pairing, room) = (member(1), lobby());
    let left = ClientEvent::MemberLeft { room: room.clone(), pairing, reason };
    assert_eq!(heard, [left, ClientEvent::Exited { room, reason }]);
    assert_eq!(client.core.members(&lobby()), None);
}

#[test]
fn a_direct_path_waits_until_either_side_asks_for_it() {
    let offers = |client: &mut ScriptedClient| {
        let outputs = client.outputs().into_iter();
        outputs.filter(|output| matches!(output, Output::Link(..))).count()
    };
    let waiting = |initiator| {
        let mut client = ready();
        let (call, room, most, upgrades) = (1, lobby(), None, false);
        let deadline = client.now + PATIENCE;
        client.command(Command::Join { call, room, most, upgrades, deadline });
        let (joins, _) = asked(&mut client);
        let members = vec![PairingInfo { direct: true, initiator, ..member(1) }];
        let state = RoomState { room: lobby(), members };
        client.hear(ServerMessage::Joined { req: joins[0], state });
        client
    };

    let mut initiator = waiting(true);
    assert_eq!(offers(&mut initiator), 0);
    initiator.command(Command::Upgrade(lobby()));
    assert_eq!(offers(&mut initiator), 1);

    // Its partner asks the initiator, which begins.
    let mut partner = waiting(false);
    partner.command(Command::Upgrade(lobby()));
    let mut initiator = waiting(true);
    for output in partner.outputs() {
        if let Output::Signal(pairing, signal) = output {
            initiator.handle(Input::Signalled(pairing, signal.to_value()));
        }
    }
    assert_eq!(offers(&mut initiator), 1);
}

#[test]
fn a_closed_client_answers_every_call() {
    let mut client = ready();
    ask(&mut client, 1);
    client.command(Command::Close);
    client.pass(CONFIRM_TIMEOUT);
    assert!(client.outputs.contains(&Output::Answered(1, Answer::Closed)));

    let mut never =
        ScriptedClient { core: Client::new(ClientConfig::default(), client.now), ..ready() };
    ask(&mut never, 3);
    assert_eq!(never.answers(), [(3, Answer::Closed)]);
}
