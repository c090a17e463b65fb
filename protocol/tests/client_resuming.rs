//! A client between connections: what waits, what is sent again, and what is over.

use std::time::Duration;

use serde_json::json;
use socketio_p2p_protocol::{
    Body, Cause, ClientConfig, ClientEvent, ClientMessage, Code, EndReason, EndedPairing, Outcome,
    PairingInfo, Presence, ResumeToken, ServerMessage, Welcome,
    client::{Answer, Command, Input, Output},
    limits::{CONSENT_TIME, HEARTBEAT_TIMEOUT, Limits},
    session::Delivery,
};

use crate::{
    clients::{PATIENCE, ScriptedClient, disconnect, info, reply, welcome},
    sessions::emit_frame,
};

fn token(byte: u8) -> ResumeToken {
    ResumeToken::new([byte; 16])
}

fn welcome_with(byte: u8, resumed: bool, pairing: Option<PairingInfo>) -> Welcome {
    Welcome { resume: Some(token(byte)), resumed, pairing, ..welcome() }
}

fn ready() -> ScriptedClient {
    let mut client = ScriptedClient::with_config(ClientConfig::default());
    client.hear(ServerMessage::Welcome(welcome_with(1, false, None)));
    client.outputs();
    client
}

fn paired() -> ScriptedClient {
    let mut client = ready();
    client.hear(ServerMessage::Registered { req: None, pairing: info(1) });
    client.outputs();
    client
}

impl ScriptedClient {
    /// Another connection, and the welcome on it; what follows.
    fn back(&mut self, welcome: Welcome) -> Vec<Output> {
        self.outputs();
        self.handle(Input::Opened);
        assert_eq!(self.outputs(), [], "nothing is sent before the welcome");
        self.hear(ServerMessage::Welcome(welcome));
        self.outputs()
    }
}

/// The numbers of the frames that were sent.
fn sent(outputs: &[Output]) -> Vec<u64> {
    let frames = outputs.iter().filter_map(|output| match output {
        Output::SendFrames(_, frames) => Some(frames),
        _ => None,
    });
    frames.flatten().map(|frame| frame.seq).filter(|seq| *seq > 0).collect()
}

#[test]
fn no_event_holds_the_resume_token() {
    let mut client = ScriptedClient::with_config(ClientConfig::default());
    let shown = |resumed| Welcome { resumed, ..welcome() };

    client.hear(ServerMessage::Welcome(welcome_with(1, false, None)));
    assert_eq!(client.outputs(), [Output::Event(ClientEvent::Connected(shown(false)))]);

    client.handle(Input::Lost);
    let outputs = client.back(welcome_with(2, true, None));
    assert_eq!(outputs, [Output::Event(ClientEvent::Resumed(shown(true)))]);

    client.handle(Input::Lost);
    let outputs = client.back(welcome_with(3, false, None));
    assert_eq!(outputs, [Output::Event(ClientEvent::Restarted(shown(false)))]);

    client.handle(Input::Lost);
    assert_eq!(client.reconnects(), [Some(token(3))]);
}

#[test]
fn a_lost_connection_is_replaced_and_the_token_shown() {
    let mut client = paired();

    client.handle(Input::Lost);
    client.handle(Input::Lost);

    let outputs = client.outputs();
    let [Output::Event(ClientEvent::Away), Output::Reconnect { resume, .. }] = outputs[..] else {
        panic!("{outputs:?}, not once");
    };
    assert_eq!(resume, Some(token(1)));
    assert_eq!(client.core.pairing(), Some(&info(1)));
}

#[test]
fn a_silent_server_is_a_lost_connection_after_ten_seconds() {
    let mut client = paired();

    client.pass(HEARTBEAT_TIMEOUT);

    assert_eq!(client.reconnects(), [Some(token(1))]);
}

#[test]
fn the_silence_that_is_too_long_can_be_set() {
    let mut config = ClientConfig::default();
    config.heartbeat_interval = Duration::from_millis(100);
    config.heartbeat_timeout = Duration::from_millis(300);
    let mut client = ScriptedClient::with_config(config);
    client.hear(ServerMessage::Welcome(welcome()));
    client.outputs();

    client.pass(Duration::from_millis(299));
    assert_eq!(client.said().len(), 2);
    client.pass(Duration::from_millis(1));

    assert_eq!(client.reconnects(), [None]);
}

#[test]
fn calls_under_way_complete_on_the_next_connection() {
    let mut client = paired();
    client.call(1);
    client.outputs();
    client.handle(Input::Lost);
    client.outputs();

    let outputs = client.back(welcome_with(2, true, Some(info(1))));
    client.frames(1, vec![reply(1, 1, Ok(vec![json!("done")].into()))]);

    assert_eq!(sent(&outputs), [1], "the window goes again");
    let answers = client.answers();
    assert!(matches!(&answers[..], [(1, Answer::Outcome(Outcome::Replied(..)))]), "{answers:?}");
}

#[test]
fn an_emit_that_came_twice_because_of_that_runs_once() {
    let mut client = paired();
    client.frames(1, vec![emit_frame(1, json!("x"), true)]);
    client.handle(Input::Lost);
    client.back(welcome_with(2, true, Some(info(1))));

    client.frames(1, vec![emit_frame(1, json!("x"), true)]);

    let deliveries = client
        .outputs()
        .into_iter()
        .filter(|output| matches!(output, Output::Deliver(_, _, Delivery { seq: 1, .. })));
    assert_eq!(deliveries.count(), 0);
}

#[test]
fn between_connections_emits_wait_with_their_callers() {
    let mut client = paired();
    client.handle(Input::Lost);

    assert!(!client.core.takes_emits());

    client.back(welcome_with(2, true, Some(info(1))));
    assert!(client.core.takes_emits());
}

#[test]
fn the_deadline_of_a_call_holds_between_connections() {
    let mut client = paired();
    client.call(1);
    client.handle(Input::Lost);
    client.outputs();

    client.pass(PATIENCE);

    let timeout = Outcome::Unknown(Cause::Code(Code::Timeout));
    assert_eq!(client.answers(), [(1, Answer::Outcome(timeout))]);
}

#[test]
fn an_answer_to_a_question_of_a_server_that_was_restarted_is_dropped() {
    for resumed in [true, false] {
        let mut client = ready();
        let ask = |source: &str| ServerMessage::Register {
            req: 1,
            source: source.parse().unwrap(),
            payload: None,
            consent_time: CONSENT_TIME,
        };
        client.hear(ask("b"));
        client.handle(Input::Lost);
        client.outputs();
        client.back(welcome_with(2, resumed, None));
        if !resumed {
            client.hear(ask("c"));
        }

        client.handle(Input::Answer(1, Ok(())));

        let accepted = client.said().contains(&ClientMessage::Accept { req: Some(1) });
        assert_eq!(accepted, resumed, "the first question was that of b");
    }
}

#[test]
fn a_session_that_the_server_has_forgotten_is_over() {
    let mut client = paired();
    client.call(1);
    client.outputs();
    client.handle(Input::Lost);
    client.outputs();
    let again = welcome_with(2, false, None);

    let outputs = client.back(again.clone());

    let lost = Cause::Ended(EndReason::Disconnected);
    assert_eq!(
        outputs,
        [
            Output::Event(ClientEvent::Restarted(Welcome { resume: None, ..again })),
            Output::Answered(1, Answer::Outcome(Outcome::Unknown(lost))),
            Output::Event(ClientEvent::Unpaired {
                pairing: info(1),
                reason: EndReason::Disconnected
            }),
        ]
    );
}

#[test]
fn the_welcome_says_why_a_pairing_ended_meanwhile() {
    let mut client = paired();
    client.handle(Input::Lost);
    client.outputs();
    let ended = EndedPairing { pairing: info(1).id, reason: EndReason::Unregistered };

    let outputs = client.back(Welcome { ended: Some(ended), ..welcome_with(2, true, None) });

    let unpaired = ClientEvent::Unpaired { pairing: info(1), reason: EndReason::Unregistered };
    assert!(outputs.contains(&Output::Event(unpaired)));
    client.hear(disconnect(1, EndReason::Unregistered));
    assert_eq!(client.outputs(), [], "told once");
}

#[test]
fn a_pairing_whose_news_was_lost_is_in_the_welcome() {
    let mut client = ready();
    client.register(1);
    client.handle(Input::Lost);
    client.outputs();

    let outputs = client.back(welcome_with(2, true, Some(info(1))));

    assert!(outputs.contains(&Output::Event(ClientEvent::Paired(info(1)))));
    assert!(outputs.contains(&Output::Answered(1, Answer::Registered(info(1)))));
}

#[test]
fn requests_that_were_not_answered_are_asked_again() {
    let mut client = ready();
    client.register(1);
    client.list(2);
    client.unregister(3);
    client.handle(Input::Lost);
    client.outputs();

    client.handle(Input::Opened);
    client.hear(ServerMessage::Welcome(welcome_with(2, false, None)));

    let outputs = client.outputs();
    let said: Vec<_> = outputs
        .iter()
        .filter_map(|output| match output {
            Output::Send(message) => Some(message),
            _ => None,
        })
        .collect();
    assert!(
        matches!(said[..], [ClientMessage::Register { .. }, ClientMessage::List { .. }]),
        "{said:?}"
    );
    assert!(outputs.contains(&Output::Answered(3, Answer::Unregistered)), "it is so");
}

#[test]
fn requests_made_between_connections_wait_for_the_next_until_their_deadline() {
    let mut client = ready();
    client.handle(Input::Lost);
    client.outputs();
    client.register(1);
    assert_eq!(client.outputs(), []);
    client.list(2);
    client.pass(PATIENCE - Duration::from_millis(1));

    client.handle(Input::Opened);
    client.hear(ServerMessage::Welcome(welcome_with(2, false, None)));
    assert_eq!(client.said().len(), 2);
    client.pass(Duration::from_millis(1));

    assert_eq!(client.answers(), [(1, Answer::TimedOut), (2, Answer::TimedOut)]);
}

#[test]
fn a_connection_that_is_refused_for_good_ends_the_client() {
    let mut client = paired();
    client.handle(Input::Lost);
    client.outputs();

    client.handle(Input::Rejected(Code::Forbidden.into()));

    let outputs = client.outputs();
    assert!(outputs.ends_with(&[Output::Event(ClientEvent::Disconnected), Output::Close]));
    assert_eq!(client.core.pairing(), None);
}

#[test]
fn who_is_removed_by_the_server_does_not_come_back() {
    let mut client = paired();

    client.hear(disconnect(1, EndReason::Kicked));
    client.hear(ServerMessage::Farewell { refusal: Code::Forbidden.into() });

    let outputs = client.outputs();
    assert!(outputs.contains(&Output::Event(ClientEvent::Refused(Code::Forbidden.into()))));
    assert!(outputs.ends_with(&[Output::Event(ClientEvent::Disconnected), Output::Close]));
}

#[test]
fn who_closes_says_that_it_leaves() {
    let mut client = paired();

    client.command(Command::Close);

    assert_eq!(client.said(), [ClientMessage::Leave]);
}

#[test]
fn who_closes_between_connections_has_nothing_to_say() {
    let mut client = paired();
    client.call(1);
    client.handle(Input::Lost);
    client.outputs();

    client.command(Command::Close);

    let outputs = client.outputs();
    assert!(!outputs.iter().any(|output| matches!(output, Output::Send(_))));
    assert!(outputs.ends_with(&[Output::Event(ClientEvent::Disconnected), Output::Close]));
}

#[test]
fn while_the_partner_is_away_emits_wait_and_when_it_is_back_the_window_goes_again() {
    let mut client = paired();
    client.call(1);
    client.outputs();
    let partner = |state| ServerMessage::Partner { pairing: info(1).id, state };

    client.hear(partner(Presence::Away));
    assert!(!client.core.takes_emits());
    assert_eq!(client.outputs(), [Output::Event(ClientEvent::Partner(Presence::Away))]);
    client.hear(partner(Presence::Back));

    assert!(client.core.takes_emits());
    let outputs = client.outputs();
    assert_eq!(sent(&outputs), [1]);
}

#[test]
fn frames_go_at_the_pace_that_the_server_states_and_control_passes_them() {
    let limits = Limits::default().with_rates((10, 10), (0, 0));
    let mut client = ScriptedClient::with_config(ClientConfig::default());
    client.hear(ServerMessage::Welcome(Welcome { limits, ..welcome() }));
    client.hear(ServerMessage::Registered { req: None, pairing: info(1) });
    client.outputs();
    for call in 0..20 {
        client.emit(call, json!("x"));
    }
    let at_once = sent(&client.outputs());
    client.list(100);
    let listed = client.outputs();
    client.pass(Duration::from_secs(1));
    let later = sent(&client.outputs());

    assert!((9..=10).contains(&at_once.len()), "{at_once:?}");
    assert!(matches!(&listed[..], [Output::Send(ClientMessage::List { .. })]), "{listed:?}");
    assert_eq!([at_once, later].concat(), (1..=20).collect::<Vec<_>>(), "in order, all of them");
}

#[test]
fn what_waits_for_the_pace_travels_together() {
    let limits = Limits::default().with_rates((1, 1), (0, 0));
    let mut client = ScriptedClient::with_config(ClientConfig::default());
    client.hear(ServerMessage::Welcome(Welcome { limits, ..welcome() }));
    client.hear(ServerMessage::Registered { req: None, pairing: info(1) });
    for call in 0..50 {
        client.emit(call, json!("x"));
    }
    client.outputs();

    client.pass(Duration::from_secs(2));

    let messages = client.outputs().into_iter().filter(|output| {
        matches!(output, Output::SendFrames(_, frames)
            if frames.iter().any(|frame| !matches!(*frame.body, Body::Ack)))
    });
    assert!(messages.count() <= 2);
}
