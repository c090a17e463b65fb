//! Attempts to connect while the server keeps the pairing of a client that is away.

use std::time::Duration;

use socketio_p2p_protocol::{
    ClientConfig, ClientEvent, ConnectFailure, ResumeToken, ServerMessage, Welcome,
    client::{Input, Output},
    limits::GRACE,
};

use crate::clients::{ScriptedClient, info, welcome};

/// A client, paired or not, that has just lost its connection.
fn away(is_paired: bool) -> ScriptedClient {
    let mut client = ScriptedClient::with_config(ClientConfig::default());
    let resume = Some(ResumeToken::new([1; 16]));
    let grace_ms = GRACE.as_millis() as u64;
    client.hear(ServerMessage::Welcome(Welcome { resume, grace_ms, ..welcome() }));
    if is_paired {
        client.hear(ServerMessage::Registered { req: None, pairing: info(1) });
    }
    client.outputs();
    client.handle(Input::Lost);
    client
}

/// Returns the time of each attempt that begins within so much time after the loss of the connection of a
/// client, paired or not, whose server cannot be reached.
fn attempts(is_paired: bool, within: Duration) -> Vec<Duration> {
    let mut client = away(is_paired);
    let lost = client.now;
    let mut attempts = Vec::new();
    loop {
        let wait = client.outputs().into_iter().find_map(|output| match output {
            Output::Reconnect { after, .. } => Some(after),
            _ => None,
        });
        client.pass(wait.expect("there is another attempt"));
        let at = client.now - lost;
        if at > within {
            return attempts;
        }
        attempts.push(at);
        client.handle(Input::Connecting);
        client.handle(Input::Unreachable(String::new()));
    }
}

#[test]
fn several_attempts_fall_into_what_is_left_of_the_grace_period() {
    for outage in [8, 10, 12, 14].map(Duration::from_secs) {
        let in_time = attempts(true, GRACE).into_iter().filter(|at| *at > outage).count();

        assert!(in_time >= 2, "{in_time} after {outage:?}");
    }
    let paired = attempts(true, Duration::from_secs(60));
    let free = attempts(false, Duration::from_secs(60));
    assert!(paired.len() < 50, "{paired:?}");
    assert!(free.len() < 20, "{free:?}");
}

#[test]
fn an_attempt_that_nobody_answers_leaves_time_for_others_within_the_grace_period() {
    let mut client = away(true);
    client.outputs();

    client.handle(Input::Connecting);
    client.pass(GRACE / 3 - Duration::from_millis(1));
    assert_eq!(client.outputs(), []);
    client.pass(Duration::from_millis(1));

    let outputs = client.outputs();
    let failure = ConnectFailure::Timeout(GRACE / 3);
    assert_eq!(outputs[0], Output::Event(ClientEvent::ConnectError(failure)));
    assert!(matches!(outputs[1..], [Output::Reconnect { .. }]), "{outputs:?}");
}
