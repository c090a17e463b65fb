//! Attempts to connect: their deadline, why they fail, and which failure is final.

use std::time::Duration;

use serde_json::{Value, json};
use socketio_p2p_protocol::{
    ClientConfig, ClientEvent, Code, ConnectFailure, Refusal, ResumeToken, ServerMessage, Welcome,
    client::{Command, Input, Output},
    limits::{BACKOFF_MAX, BACKOFF_MIN, CONNECT_TIMEOUT},
    wire::WELCOME,
};

use crate::clients::{ScriptedClient, welcome};

fn token() -> Option<ResumeToken> {
    Some(ResumeToken::new([1; 16]))
}

/// A client that lost its connection, and has reported it.
fn away() -> ScriptedClient {
    let mut client = ScriptedClient::with_config(ClientConfig::default());
    client.hear(ServerMessage::Welcome(Welcome { resume: token(), ..welcome() }));
    client.handle(Input::Lost);
    client.outputs();
    client
}

/// A client that makes its first connection, and one that makes another.
fn connecting() -> [ScriptedClient; 2] {
    let first = ScriptedClient::with_config(ClientConfig::default());
    let mut later = away();
    later.handle(Input::Connecting);
    [first, later]
}

fn unreadable(welcome: Value) -> Input {
    Input::of_event(WELCOME, vec![welcome])
}

fn reported(failure: ConnectFailure) -> Output {
    Output::Event(ClientEvent::ConnectError(failure))
}

/// The outputs of a failure after which there is no other attempt.
fn ends_with(failure: ConnectFailure) -> [Output; 3] {
    [reported(failure), Output::Event(ClientEvent::Disconnected), Output::Close]
}

/// The failure is reported, and there will be another attempt that shows this token.
#[track_caller]
fn assert_retries(
    client: &mut ScriptedClient,
    failure: ConnectFailure,
    token: Option<ResumeToken>,
) {
    let outputs = client.outputs();
    let [event, Output::Reconnect { resume, after }] = &outputs[..] else {
        panic!("{outputs:?}");
    };
    assert_eq!((event, resume), (&reported(failure), &token));
    assert!(*after >= BACKOFF_MIN && *after <= 2 * BACKOFF_MAX, "{after:?}");
}

/// Each way in which an attempt fails and another may succeed.
fn passing_failures() -> Vec<(Input, ConnectFailure)> {
    let garbled = Refusal::new(Code::BadArgs, "no welcome");
    let mut all = vec![
        (Input::Unreachable("it".into()), ConnectFailure::Unreachable("it".into())),
        (Input::NoAuth("why".into()), ConnectFailure::Auth("why".into())),
        (Input::Lost, ConnectFailure::Closed),
        (Input::GarbledWelcome(garbled.clone()), ConnectFailure::Welcome(garbled)),
    ];
    // The application's middleware, or a server that is about to stop.
    for text in ["closed on Sundays, and on all other days after six", "Invalid namespace"] {
        let own = Refusal::new(Code::from(text), text);
        all.push((Input::Rejected(own.clone()), ConnectFailure::Refused(own)));
    }
    for code in [Code::DuplicateId, Code::Quota, Code::ShuttingDown, Code::RateLimited] {
        all.push((Input::Rejected(code.into()), ConnectFailure::Refused(code.into())));
    }
    all
}

/// Each way in which an attempt fails and no other can succeed.
fn lasting_failures() -> Vec<(Input, ConnectFailure)> {
    let version = Code::UnsupportedProtocol;
    let mut older = welcome();
    older.protocol = 1;
    let refused = |code: Code| ConnectFailure::Refused(code.into());
    vec![
        (Input::Rejected(version.into()), refused(version)),
        (unreadable(json!({ "protocol": 3, "client": { "id": "a" } })), refused(version)),
        (Input::Received(ServerMessage::Welcome(older)), refused(version)),
        (Input::Rejected(Code::Forbidden.into()), refused(Code::Forbidden)),
        (Input::Rejected(Code::BadClientId.into()), refused(Code::BadClientId)),
        (
            Input::Received(ServerMessage::Farewell { refusal: Code::DuplicateId.into() }),
            refused(Code::DuplicateId),
        ),
    ]
}

#[test]
fn the_first_attempt_is_the_only_one_and_its_failure_ends_the_client() {
    for (input, failure) in passing_failures().into_iter().chain(lasting_failures()) {
        let [mut client, _] = connecting();

        client.handle(input);

        assert_eq!(client.outputs(), ends_with(failure));
        client.pass(10 * CONNECT_TIMEOUT);
        assert_eq!(client.outputs(), []);
    }
}

/// A client that repeats its first attempt within a minute.
fn patient() -> ScriptedClient {
    let mut config = ClientConfig::default();
    config.retry_first = Some(Duration::from_secs(60));
    ScriptedClient::with_config(config)
}

#[test]
fn the_first_attempt_may_be_repeated_after_a_failure_that_may_pass() {
    for (input, failure) in passing_failures() {
        let mut client = patient();

        for _ in 0..3 {
            client.handle(input.clone());
            assert_retries(&mut client, failure.clone(), None);
            client.handle(Input::Connecting);
            client.handle(Input::Opened);
        }
        client.hear(ServerMessage::Welcome(welcome()));

        assert!(matches!(client.outputs()[..], [Output::Event(ClientEvent::Connected(_))]));
    }
    for (input, failure) in lasting_failures() {
        let mut client = patient();

        client.handle(input);

        assert_eq!(client.outputs(), ends_with(failure));
    }
}

#[test]
fn the_first_attempt_is_repeated_for_as_long_as_the_application_wants() {
    let mut client = patient();
    client.pass(Duration::from_secs(55));
    assert_retries(&mut client, ConnectFailure::Timeout(CONNECT_TIMEOUT), None);
    client.handle(Input::Connecting);

    client.pass(CONNECT_TIMEOUT - Duration::from_millis(1));
    assert_eq!(client.outputs(), [], "the last attempt has all its time");
    client.pass(Duration::from_millis(1));

    assert_eq!(client.outputs(), ends_with(ConnectFailure::Timeout(CONNECT_TIMEOUT)));
}

#[test]
fn a_client_that_waits_for_its_next_first_attempt_when_the_time_is_over_ends() {
    let mut client = patient();
    client.handle(Input::Unreachable("it".into()));
    client.outputs();

    client.pass(Duration::from_secs(60));

    assert_eq!(client.outputs(), [Output::Event(ClientEvent::Disconnected), Output::Close]);
}

#[test]
fn a_later_attempt_that_failed_is_reported_and_followed_by_another() {
    for (input, failure) in passing_failures() {
        let [_, mut client] = connecting();

        for _ in 0..3 {
            client.handle(input.clone());

            assert_retries(&mut client, failure.clone(), token());
            client.pass(10 * CONNECT_TIMEOUT);
            assert_eq!(client.outputs(), [], "the host waits");
            client.handle(Input::Connecting);
            client.handle(Input::Opened);
        }
        client.hear(ServerMessage::Welcome(Welcome { resumed: true, ..welcome() }));

        assert!(matches!(client.outputs()[..], [Output::Event(ClientEvent::Resumed(_))]));
    }
}

#[test]
fn a_later_attempt_ends_the_client_if_no_other_can_succeed() {
    for (input, failure) in lasting_failures() {
        let [_, mut client] = connecting();

        client.handle(input);

        assert_eq!(client.outputs(), ends_with(failure));
        client.pass(10 * CONNECT_TIMEOUT);
        assert_eq!(client.outputs(), []);
    }
}

#[test]
fn whatever_cannot_be_read_of_a_welcome_is_reported_as_such() {
    let token = json!({ "protocol": 2, "clientId": "a", "resume": 7 });
    for welcome in [token, json!({ "protocol": 2 }), json!({}), json!("welcome"), json!(null)] {
        for mut client in connecting() {
            client.handle(unreadable(welcome.clone()));

            let outputs = client.outputs();
            let [Output::Event(ClientEvent::ConnectError(failure)), ..] = &outputs[..] else {
                panic!("{welcome}: {outputs:?}");
            };
            let ConnectFailure::Welcome(refusal) = failure else { panic!("{failure:?}") };
            assert_eq!(refusal.code, Code::BadArgs, "{welcome}");
        }
    }
}

#[test]
fn without_a_pairing_every_attempt_has_the_same_time_for_its_welcome_from_when_it_began() {
    for opened_after in [Duration::ZERO, CONNECT_TIMEOUT / 2] {
        for (mut client, is_first) in connecting().into_iter().zip([true, false]) {
            client.pass(opened_after);
            client.handle(Input::Opened);
            client.pass(CONNECT_TIMEOUT - opened_after - Duration::from_millis(1));
            assert_eq!(client.outputs(), []);
            client.pass(Duration::from_millis(1));

            let failure = ConnectFailure::Timeout(CONNECT_TIMEOUT);
            if is_first {
                assert_eq!(client.outputs(), ends_with(failure));
            } else {
                assert_retries(&mut client, failure, token());
            }
        }
    }
}

#[test]
fn an_attempt_whose_connection_is_not_made_in_time_is_given_up_too() {
    for mut client in connecting() {
        client.pass(CONNECT_TIMEOUT);

        assert_eq!(client.outputs()[0], reported(ConnectFailure::Timeout(CONNECT_TIMEOUT)));
    }
}

#[test]
fn a_host_that_makes_a_connection_at_once_need_not_say_that_it_begins() {
    let mut client = away();
    client.pass(10 * CONNECT_TIMEOUT);

    client.handle(Input::Opened);
    client.pass(CONNECT_TIMEOUT);

    assert_retries(&mut client, ConnectFailure::Timeout(CONNECT_TIMEOUT), token());
}

#[test]
fn the_time_of_an_attempt_can_be_set_and_does_not_depend_on_the_heartbeat() {
    let mut config = ClientConfig::default();
    config.connect_timeout = Duration::from_millis(300);
    config.heartbeat_timeout = Duration::from_millis(100);
    let mut client = ScriptedClient::with_config(config);

    client.pass(Duration::from_millis(299));
    assert_eq!(client.outputs(), []);
    client.pass(Duration::from_millis(1));

    assert_eq!(client.outputs(), ends_with(ConnectFailure::Timeout(config.connect_timeout)));
}

#[test]
fn no_message_before_the_welcome_prolongs_an_attempt() {
    for mut client in connecting() {
        for _ in 0..2 {
            client.pass(CONNECT_TIMEOUT / 2 - Duration::from_millis(1));
            client.hear(ServerMessage::Pong { req: 1 });
            client.handle(Input::Garbled(Code::BadArgs.into()));
            let outputs = client.outputs();
            assert!(outputs.iter().all(|output| matches!(output, Output::Complain(_))));
        }
        client.pass(Duration::from_millis(2));

        assert_eq!(client.outputs()[0], reported(ConnectFailure::Timeout(CONNECT_TIMEOUT)));
    }
}

#[test]
fn a_welcome_that_comes_too_late_has_no_effect() {
    let [_, mut client] = connecting();
    client.pass(CONNECT_TIMEOUT);
    client.outputs();

    client.hear(ServerMessage::Welcome(welcome()));

    assert_eq!(client.outputs(), []);
}

#[test]
fn a_token_that_cannot_be_read_is_not_shown_again() {
    let [_, mut client] = connecting();

    client.handle(Input::Rejected(Code::BadResume.into()));

    let failure = ConnectFailure::Refused(Code::BadResume.into());
    assert_retries(&mut client, failure, None);
}

#[test]
fn a_suspected_connection_fails_the_first_attempt_and_later_ones_wait_for_their_deadline() {
    let [mut first, mut later] = connecting();

    first.handle(Input::Suspected);
    later.handle(Input::Suspected);

    assert_eq!(first.outputs(), ends_with(ConnectFailure::Closed));
    assert_eq!(later.outputs(), []);
    later.hear(ServerMessage::Welcome(welcome()));
    assert!(matches!(later.outputs()[..], [Output::Event(ClientEvent::Restarted(_))]));
}

#[test]
fn after_the_welcome_no_failure_of_an_attempt_counts() {
    for input in [Input::Unreachable(String::new()), Input::Rejected(Code::Forbidden.into())] {
        let [_, mut client] = connecting();
        client.hear(ServerMessage::Welcome(welcome()));
        client.outputs();

        client.handle(input);

        assert_eq!(client.said().len(), 1, "the server is asked for life");
    }
    let [_, mut client] = connecting();
    client.hear(ServerMessage::Welcome(welcome()));
    client.outputs();

    client.handle(unreadable(json!({ "protocol": 3 })));

    assert!(matches!(client.outputs()[..], [Output::Complain(_)]));
}

#[test]
fn a_client_that_is_closed_meanwhile_makes_no_other_attempt() {
    let [_, mut client] = connecting();

    client.command(Command::Close);
    client.handle(Input::Lost);

    let outputs = client.outputs();
    assert!(outputs.ends_with(&[Output::Event(ClientEvent::Disconnected), Output::Close]));
    assert!(!outputs.iter().any(|output| matches!(output, Output::Reconnect { .. })));
}
