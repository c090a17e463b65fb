//! The connection of a client: welcome, heartbeat, loss.

use std::time::Duration;

use serde_json::json;
use socketio_p2p_protocol::{
    Cause, ClientConfig, ClientEvent, ClientMessage, Code, EndReason, Outcome, Refusal,
    ServerMessage,
    client::{Answer, Command, Complaint, Input, Output},
    limits::{
        CONFIRM_TIMEOUT, CONNECT_TIMEOUT, CONSENT_TIME, HEARTBEAT_INTERVAL, HEARTBEAT_TIMEOUT,
    },
    wire::{self, WireError},
};

use crate::{
    clients::{ScriptedClient, info, welcome},
    sessions::{emit_frame, not_executed},
};

#[test]
fn the_welcome_makes_a_client_ready_once() {
    let mut client = ScriptedClient::connecting();

    client.hear(ServerMessage::Welcome(welcome()));
    client.hear(ServerMessage::Welcome(welcome()));

    assert_eq!(client.outputs(), [Output::Event(ClientEvent::Connected(welcome()))]);
}

#[test]
fn a_client_sends_nothing_before_the_welcome() {
    let mut client = ScriptedClient::connecting();

    client.register(1);
    client.unregister(2);
    client.list(3);
    client.call(4);
    client.pass(CONNECT_TIMEOUT - Duration::from_millis(1));

    assert_eq!(
        client.answers(),
        [
            (1, Answer::Closed),
            (2, Answer::Closed),
            (3, Answer::Closed),
            (4, Answer::Outcome(not_executed(Code::NotPaired))),
        ]
    );
}

#[test]
fn what_a_server_says_before_its_welcome_is_dropped() {
    let mut client = ScriptedClient::connecting();

    client.hear(ServerMessage::Registered { req: None, pairing: info(1) });

    assert!(
        matches!(&client.outputs()[..], [Output::Complain(Complaint::Server(_))]),
        "it is reported"
    );
    assert_eq!(client.core.pairing(), None);
}

#[test]
fn after_four_seconds_of_silence_the_server_is_asked() {
    let mut client = ScriptedClient::ready();

    client.pass(HEARTBEAT_INTERVAL - Duration::from_millis(1));
    assert_eq!(client.said(), []);
    client.pass(Duration::from_millis(1));

    let said = client.said();
    let [ClientMessage::Ping { req }] = said[..] else {
        panic!("{said:?}");
    };
    client.hear(ServerMessage::Pong { req });
    client.pass(HEARTBEAT_INTERVAL - Duration::from_millis(1));
    assert_eq!(client.said(), [], "the answer counts as a sign of life");
}

#[test]
fn every_message_is_a_sign_of_life() {
    let mut client = ScriptedClient::paired();
    client.pass(Duration::from_secs(3));
    client.frames(1, vec![emit_frame(1, json!("x"), false)]);
    client.pass(Duration::from_secs(3));
    client.handle(Input::Garbled(WireError::from(Code::BadArgs)));
    client.pass(Duration::from_secs(3));

    let pings = client.said();

    assert_eq!(pings, []);
}

#[test]
fn a_server_silent_for_ten_seconds_is_given_up() {
    let mut client = ScriptedClient::ready();

    client.pass(HEARTBEAT_TIMEOUT - Duration::from_millis(1));
    assert_eq!(client.said().len(), 2, "asked at 4 s and at 8 s");
    client.pass(Duration::from_millis(1));

    assert_eq!(client.outputs(), [Output::Event(ClientEvent::Disconnected), Output::Close]);
    assert_eq!(client.core.poll_timeout(), None);
}

#[test]
fn a_loss_answers_everything() {
    let mut client = ScriptedClient::paired();
    client.call(1);
    client.register(2);
    client.unregister(3);
    client.list(4);
    client.outputs();

    client.handle(Input::Lost);

    let lost = Cause::Ended(EndReason::Disconnected);
    assert_eq!(
        client.outputs(),
        [
            Output::Answered(1, Answer::Outcome(Outcome::Unknown(lost))),
            Output::Event(ClientEvent::Unpaired {
                pairing: info(1),
                reason: EndReason::Disconnected,
            }),
            Output::Answered(2, Answer::Closed),
            Output::Answered(3, Answer::Closed),
            Output::Answered(4, Answer::Closed),
            Output::Event(ClientEvent::Disconnected),
            Output::Close,
        ]
    );
}

#[test]
fn after_the_close_every_wish_is_answered_and_nothing_else_happens() {
    let mut client = ScriptedClient::paired();
    client.hear(ServerMessage::Register {
        req: 1,
        source: "c".parse().unwrap(),
        payload: None,
        consent_time: CONSENT_TIME,
    });
    let asked = client.questions()[0];
    client.command(Command::Close);
    client.outputs();

    client.hear(ServerMessage::Registered { req: None, pairing: info(2) });
    client.frames(1, vec![emit_frame(1, json!("x"), true)]);
    client.handle(Input::Lost);
    client.handle(Input::Answer(asked, Ok(())));
    client.command(Command::Close);
    client.command(Command::Cancel(1));
    client.pass(Duration::from_secs(60));
    assert_eq!(client.outputs(), []);

    client.register(1);
    client.unregister(2);
    client.list(3);
    client.call(4);
    client.emit(5, json!("x"));

    let closed = Answer::Outcome(not_executed(Code::Closed));
    assert_eq!(
        client.answers(),
        [
            (1, Answer::Closed),
            (2, Answer::Closed),
            (3, Answer::Closed),
            (4, closed.clone()),
            (5, closed),
        ]
    );
}

#[test]
fn what_was_said_to_be_sent_is_sent_before_the_close() {
    let mut client = ScriptedClient::paired();
    client.feed_emit(1, json!("last words"), false);

    client.command(Command::Close);
    client.pass(CONFIRM_TIMEOUT);

    let outputs = client.outputs();
    let at = |wanted: fn(&Output) -> bool| outputs.iter().position(wanted);
    let sent = at(|output| matches!(output, Output::SendFrames(..)));
    let closed = at(|output| matches!(output, Output::Close));
    assert!(sent.is_some() && sent < closed, "{outputs:?}");
}

#[test]
fn what_cannot_be_read_is_reported() {
    let mut client = ScriptedClient::ready();

    client.handle(Input::Garbled(WireError::from(Code::BadArgs)));

    let complaint = Complaint::Server(Refusal::from(Code::BadArgs));
    assert_eq!(client.outputs(), [Output::Complain(complaint)]);
}

#[test]
fn an_event_that_this_version_does_not_know_is_reported_as_such() {
    let mut client = ScriptedClient::ready();
    let unknown = wire::server_message("P2P_NOVEL", Vec::new()).unwrap_err();

    client.handle(Input::Garbled(unknown));

    assert_eq!(client.outputs(), [Output::Complain(Complaint::UnknownEvent)]);
    assert!(Complaint::UnknownEvent.is_about_unknown());
    assert!(!Complaint::Server(Code::BadArgs.into()).is_about_unknown());
}

#[test]
fn a_setting_of_any_length_neither_panics_nor_keeps_a_client_busy() {
    for time in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
        let mut config = ClientConfig::default();
        config.heartbeat_interval = time;
        config.heartbeat_timeout = Duration::MAX;
        let mut client = ScriptedClient::with_config(config);
        client.hear(ServerMessage::Welcome(welcome()));
        client.outputs();

        let mut turns = 0;
        let until = client.now + Duration::from_secs(1);
        while let Some(due) = client.core.poll_timeout()
            && due <= until
        {
            client.now = client.now.max(due);
            client.handle(Input::Timeout);
            turns += 1;
            assert!(turns <= 1_001, "it is busy");
        }

        let pings = client.said().len();
        assert_eq!(pings, if time == Duration::MAX { 0 } else { 1_000 });

        config.connect_timeout = time;
        let mut client = ScriptedClient::with_config(config);
        client.pass(Duration::from_millis(1));
        let gave_up = client.outputs().contains(&Output::Close);
        assert_eq!(gave_up, time != Duration::MAX, "no welcome came within {time:?}");
    }
}
