//! A client that waits in line for its target.

use std::time::Duration;

use socketio_p2p_protocol::{
    ClientConfig, ClientEvent, ClientId, ClientMessage, Code, PairingInfo, ReqId, ServerMessage,
    client::{Answer, Command, Input, Output},
    limits::{CONSENT_TIME, LINE_TIME, Limits, REQUEST_TIMEOUT, VERDICT_SLACK},
    session::CallId,
};

use crate::clients::{ScriptedClient, info, welcome};

const MINUTE: Duration = Duration::from_secs(60);

fn b() -> ClientId {
    "b".parse().unwrap()
}

/// The welcome of a server that lets clients wait.
fn hear_welcome(client: &mut ScriptedClient, resumed: bool, pairing: Option<PairingInfo>) {
    let mut welcome = welcome();
    welcome.limits = Limits::default().with_line_time(LINE_TIME);
    (welcome.resumed, welcome.pairing) = (resumed, pairing);
    client.hear(ServerMessage::Welcome(welcome));
}

fn wait(client: &mut ScriptedClient, call: CallId, wait: Duration) {
    client.command(Command::Register {
        call,
        target: b(),
        payload: None,
        consent_time: None,
        wait: Some(wait),
        deadline: None,
    });
}

/// The numbers of the registrations since this was last asked, and how long each waits.
fn asked(client: &mut ScriptedClient) -> Vec<(ReqId, Option<Duration>)> {
    let said = client.said().into_iter();
    said.filter_map(|message| match message {
        ClientMessage::Register { req: Some(req), wait, .. } => Some((req, wait)),
        _ => None,
    })
    .collect()
}

/// A client whose call 1 waits for a minute, and the number of the registration.
fn waiting() -> (ScriptedClient, ReqId) {
    let mut client = ScriptedClient::with_config(ClientConfig::default());
    hear_welcome(&mut client, false, None);
    client.outputs.clear();
    wait(&mut client, 1, MINUTE);
    let [(req, Some(MINUTE))] = asked(&mut client)[..] else { panic!("it is asked for once") };
    (client, req)
}

fn reconnect(client: &mut ScriptedClient, resumed: bool, pairing: Option<PairingInfo>) {
    client.handle(Input::Lost);
    client.handle(Input::Connecting);
    client.handle(Input::Opened);
    hear_welcome(client, resumed, pairing);
}

#[test]
fn a_place_in_line_is_reported() {
    let (mut client, req) = waiting();

    for place in [2, 1, 0] {
        client.hear(ServerMessage::Line { req, place });
        let event = ClientEvent::InLine { target: b(), place };
        assert_eq!(client.outputs(), [Output::Event(event)]);
    }
    client.hear(ServerMessage::Line { req: req + 1, place: 3 });

    assert_eq!(client.outputs(), [], "of another registration");
}

#[test]
fn whoever_waits_is_paired_when_its_turn_has_come() {
    let (mut client, req) = waiting();

    client.hear(ServerMessage::Registered { req: Some(req), pairing: info(1) });

    assert_eq!(client.answers(), [(1, Answer::Registered(info(1)))]);
}

#[test]
fn the_answer_is_waited_for_as_long_as_the_server_may_take() {
    let (mut client, _) = waiting();
    client.pass(CONSENT_TIME);
    for wait_for in [MINUTE, Duration::MAX] {
        let mut client = ScriptedClient::connecting();
        hear_welcome(&mut client, false, None);
        wait(&mut client, 1, wait_for);
        client.outputs.clear();
        // Something has to arrive now and then, or the connection counts as lost.
        let longest = wait_for.min(LINE_TIME) + CONSENT_TIME + VERDICT_SLACK;
        let end = client.now + longest;
        while client.now + Duration::from_secs(1) < end {
            client.pass(Duration::from_millis(500));
            client.hear(ServerMessage::Pong { req: 0 });
        }
        assert_eq!(client.answers(), []);
        client.pass(Duration::from_secs(1));

        assert_eq!(client.answers(), [(1, Answer::TimedOut)]);
    }
}

#[test]
fn whoever_no_longer_waits_takes_the_registration_back() {
    let (mut client, req) = waiting();

    client.command(Command::Cancel(1));

    assert_eq!(client.said(), [ClientMessage::Cancel { req }]);
    client.hear(ServerMessage::Line { req, place: 1 });
    client.hear(ServerMessage::RegisterFailed {
        req: Some(req),
        target: None,
        refusal: Code::Cancelled.into(),
    });
    assert_eq!(client.outputs(), []);
}

#[test]
fn a_pairing_that_crosses_the_withdrawal_of_its_registration_is_ended() {
    let (mut client, req) = waiting();
    client.command(Command::Cancel(1));
    client.outputs.clear();

    client.hear(ServerMessage::Registered { req: Some(req), pairing: info(1) });

    let said = client.said();
    assert!(matches!(said[..], [ClientMessage::Unregister { .. }]), "{said:?}");
}

#[test]
fn a_registration_whose_time_is_over_is_taken_back() {
    let mut client = ScriptedClient::connecting();
    hear_welcome(&mut client, false, None);
    let deadline = Some(client.now + REQUEST_TIMEOUT);
    client.command(Command::Register {
        call: 1,
        target: b(),
        payload: None,
        consent_time: None,
        wait: Some(MINUTE),
        deadline,
    });
    let (req, _) = asked(&mut client)[0];

    client.pass(REQUEST_TIMEOUT);

    let outputs = client.outputs();
    assert!(outputs.contains(&Output::Answered(1, Answer::TimedOut)), "{outputs:?}");
    assert!(outputs.contains(&Output::Send(ClientMessage::Cancel { req })), "{outputs:?}");
}

#[test]
fn a_registration_in_line_is_made_again_on_the_next_connection_for_the_time_that_is_left() {
    for resumed in [true, false] {
        let (mut client, before) = waiting();
        client.pass(Duration::from_secs(3));

        reconnect(&mut client, resumed, None);

        let [(req, Some(left))] = asked(&mut client)[..] else { panic!("it is asked for once") };
        assert_ne!(req, before);
        assert_eq!(left, MINUTE - Duration::from_secs(3));
    }
}

#[test]
fn a_registration_that_was_taken_back_is_not_made_again() {
    for is_away in [true, false] {
        let (mut client, _) = waiting();
        if is_away {
            client.handle(Input::Lost);
        }
        client.command(Command::Cancel(1));

        reconnect(&mut client, true, None);

        assert_eq!(asked(&mut client), []);
    }
}

#[test]
fn a_pairing_that_was_granted_while_its_registration_was_taken_back_is_ended_on_the_next_connection()
 {
    let (mut client, _) = waiting();
    client.command(Command::Cancel(1));

    reconnect(&mut client, true, Some(info(1)));

    let said = client.said();
    let ends = |message: &ClientMessage| matches!(message, ClientMessage::Unregister { .. });
    assert!(said.iter().any(ends), "{said:?}");
}

#[test]
fn a_pairing_that_was_there_before_stays_when_its_registration_is_taken_back() {
    let mut client = ScriptedClient::connecting();
    hear_welcome(&mut client, false, None);
    client.hear(ServerMessage::Registered { req: None, pairing: info(1) });
    wait(&mut client, 1, MINUTE);
    client.command(Command::Cancel(1));

    reconnect(&mut client, true, Some(info(1)));

    let said = client.said();
    let ends = |message: &ClientMessage| {
        matches!(message, ClientMessage::Unregister { .. } | ClientMessage::Cancel { .. })
    };
    assert!(!said.iter().any(ends), "{said:?}");
}

#[test]
fn a_client_that_closes_answers_whoever_waits_once() {
    let (mut client, _) = waiting();
    wait(&mut client, 2, MINUTE);
    client.command(Command::Cancel(2));
    client.outputs.clear();

    client.command(Command::Close);

    assert_eq!(client.answers(), [(1, Answer::Closed)]);
}
