//! Hints that the connection to the server may be dead, and what a client makes of them.

use std::time::Duration;

use socketio_p2p_protocol::{
    ClientConfig, ClientEvent, ClientMessage, ResumeToken, ServerMessage, Welcome,
    client::{Command, Input, Output},
    limits::{HEARTBEAT_TIMEOUT, LIFE_TIMEOUT},
};

use crate::clients::{ScriptedClient, welcome};

const MOMENT: Duration = Duration::from_millis(1);

fn connected() -> ScriptedClient {
    let mut client = ScriptedClient::with_config(ClientConfig::default());
    let resume = Some(ResumeToken::new([1; 16]));
    client.hear(ServerMessage::Welcome(Welcome { resume, ..welcome() }));
    client.outputs();
    client
}

fn hints() -> [Input; 3] {
    [Input::AddressesChanged, Input::Command(Command::NetworkChanged), Input::Suspected]
}

/// Gives the client a hint. Returns the number of the ping that follows at once.
fn pinged(client: &mut ScriptedClient, hint: Input) -> u64 {
    client.handle(hint);
    let said = client.said();
    let [ClientMessage::Ping { req }] = said[..] else { panic!("{said:?}") };
    req
}

/// Returns the waits before the attempts that are asked for.
fn waits(client: &mut ScriptedClient) -> Vec<Duration> {
    let outputs = client.outputs().into_iter();
    outputs
        .filter_map(|output| match output {
            Output::Reconnect { after, .. } => Some(after),
            _ => None,
        })
        .collect()
}

#[test]
fn after_a_hint_a_server_that_says_nothing_is_given_up_soon() {
    for hint in hints() {
        let mut client = connected();
        pinged(&mut client, hint);

        client.pass(LIFE_TIMEOUT - MOMENT);
        assert_eq!(client.outputs(), []);
        client.pass(MOMENT);

        assert_eq!(client.outputs()[0], Output::Event(ClientEvent::Away));
    }
}

#[test]
fn a_pong_or_anything_that_was_sent_since_shows_that_the_connection_lives() {
    for hint in hints() {
        let mut client = connected();
        let req = pinged(&mut client, hint.clone());
        client.hear(ServerMessage::Pong { req });
        client.pass(2 * LIFE_TIMEOUT);
        assert_eq!(client.outputs(), [], "the pong");

        let mut client = connected();
        pinged(&mut client, hint);
        client.pass(LIFE_TIMEOUT / 2);
        client.hear(ServerMessage::Pong { req: 999 });
        client.pass(2 * LIFE_TIMEOUT);
        assert_eq!(client.outputs(), [], "another message");
    }
}

#[test]
fn what_was_under_way_at_the_time_of_the_hint_shows_nothing() {
    let mut client = connected();
    pinged(&mut client, Input::AddressesChanged);

    client.pass(MOMENT);
    client.hear(ServerMessage::Pong { req: 999 });
    client.pass(LIFE_TIMEOUT);

    assert_eq!(client.outputs()[0], Output::Event(ClientEvent::Away));
}

#[test]
fn further_hints_do_not_prolong_the_time() {
    let mut client = connected();

    for _ in 0..2 {
        pinged(&mut client, Input::AddressesChanged);
        client.pass(LIFE_TIMEOUT / 2);
    }

    assert_eq!(client.outputs()[0], Output::Event(ClientEvent::Away));
}

#[test]
fn a_distant_server_has_two_round_trips_more() {
    let mut client = connected();
    let req = pinged(&mut client, Input::Suspected);
    client.pass(LIFE_TIMEOUT / 2);
    client.hear(ServerMessage::Pong { req });

    pinged(&mut client, Input::Suspected);
    client.pass(2 * LIFE_TIMEOUT - MOMENT);
    assert_eq!(client.outputs(), []);
    client.pass(MOMENT);

    assert_eq!(client.outputs()[0], Output::Event(ClientEvent::Away));
}

#[test]
fn a_changed_network_replaces_an_attempt_and_the_wait_before_it() {
    for hint in [Input::AddressesChanged, Input::Command(Command::NetworkChanged)] {
        let mut client = connected();
        client.handle(Input::Lost);
        client.outputs();

        client.handle(hint.clone());
        assert_eq!(waits(&mut client), [Duration::ZERO], "the wait");
        client.handle(Input::Connecting);
        client.pass(HEARTBEAT_TIMEOUT / 2);
        client.handle(hint);
        assert_eq!(waits(&mut client), [Duration::ZERO], "the attempt");
        client.handle(Input::Connecting);
        client.handle(Input::Opened);
        client.hear(ServerMessage::Welcome(Welcome { resumed: true, ..welcome() }));

        let outputs = client.outputs();
        assert!(matches!(outputs[..], [Output::Event(ClientEvent::Resumed(_))]), "{outputs:?}");
    }
}

#[test]
fn a_changed_network_does_not_repeat_the_first_attempt() {
    let mut client = ScriptedClient::with_config(ClientConfig::default());

    client.handle(Input::AddressesChanged);
    client.command(Command::NetworkChanged);

    assert_eq!(client.outputs(), []);
}
