//! The ends that a client wants, which wait until its partner has confirmed what was emitted.

use std::time::Duration;

use serde_json::json;
use socketio_p2p_protocol::{
    Body, Cause, ClientConfig, ClientMessage, Code, Outcome, Presence, ServerMessage,
    client::{Answer, Command, Input, Output},
};

use crate::{
    clients::{PATIENCE, ScriptedClient, info, welcome},
    sessions::{emit_frame, frame},
};

/// A client that resumes, paired.
fn paired() -> ScriptedClient {
    let mut client = ScriptedClient::with_config(ClientConfig::default());
    client.hear(ServerMessage::Welcome(welcome()));
    client.hear(ServerMessage::Registered { req: None, pairing: info(1) });
    client.outputs();
    client
}

#[test]
fn unregister_waits_until_the_partner_has_confirmed_what_was_emitted() {
    let mut client = paired();
    client.emit(1, json!("last words"));
    client.outputs();

    client.unregister(2);
    assert_eq!(client.said(), []);
    client.frames(1, vec![frame(0, 1, Body::Ack)]);

    assert_eq!(client.said(), [ClientMessage::Unregister { req: Some(1) }]);
}

#[test]
fn unregister_waits_a_second_at_most_and_half_of_its_own_time() {
    for (patience, wait) in [(5_000, 1_000), (600, 300)] {
        let mut client = paired();
        client.emit(1, json!("last words"));
        client.outputs();

        let deadline = client.now + Duration::from_millis(patience);
        client.command(Command::Unregister { call: 2, deadline });
        client.pass(Duration::from_millis(wait - 1));
        assert_eq!(client.said(), []);
        client.pass(Duration::from_millis(1));

        assert_eq!(client.said(), [ClientMessage::Unregister { req: Some(1) }]);
    }
}

#[test]
fn where_no_path_is_left_nothing_is_waited_for() {
    let mut client = paired();
    client.emit(1, json!("last words"));
    client.hear(ServerMessage::Partner { pairing: info(1).id, state: Presence::Away });
    client.outputs();

    client.unregister(2);

    assert_eq!(client.said(), [ClientMessage::Unregister { req: Some(1) }]);
}

#[test]
fn an_unregister_that_waits_can_be_taken_back() {
    let mut client = paired();
    client.emit(1, json!("last words"));
    client.unregister(2);
    client.outputs();

    client.command(Command::Cancel(2));
    client.pass(PATIENCE);

    let said = client.said();
    assert!(said.iter().all(|message| matches!(message, ClientMessage::Ping { .. })), "{said:?}");
}

#[test]
fn close_waits_as_well_and_refuses_and_delivers_nothing_meanwhile() {
    let mut client = paired();
    client.emit(1, json!("last words"));
    client.outputs();

    client.command(Command::Close);
    assert!(client.core.takes_emits(), "what is refused at once");
    client.emit(2, json!("too late"));
    client.register(3);
    client.frames(1, vec![emit_frame(1, json!("x"), true)]);
    let closed = Outcome::NotExecuted(Cause::Code(Code::Closed));
    assert_eq!(
        client.outputs(),
        [Output::Answered(2, Answer::Outcome(closed)), Output::Answered(3, Answer::Closed)]
    );
    client.frames(1, vec![frame(0, 1, Body::Ack)]);

    let outputs = client.outputs();
    assert!(outputs.contains(&Output::Send(ClientMessage::Leave)), "{outputs:?}");
    assert_eq!(outputs.last(), Some(&Output::Close));
}

#[test]
fn a_close_that_waits_ends_with_the_connection() {
    let mut client = paired();
    client.emit(1, json!("last words"));
    client.command(Command::Close);
    client.outputs();

    client.handle(Input::Lost);

    let outputs = client.outputs();
    assert_eq!(outputs.last(), Some(&Output::Close), "{outputs:?}");
    assert!(!outputs.iter().any(|output| matches!(output, Output::Reconnect { .. })));
}
