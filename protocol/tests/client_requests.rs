//! Requests of a client, and requests to it.

use std::time::Duration;

use serde_json::json;
use socketio_p2p_protocol::{
    ClientEntry, ClientEvent, ClientMessage, ClientState, Code, EndReason, Presence, Refusal,
    ServerMessage, Welcome,
    client::{Answer, Command, Complaint, Input, Output},
    limits::{CONSENT_TIME, Limits, VERDICT_SLACK},
};

use crate::clients::{PATIENCE, ScriptedClient, disconnect, info, welcome};

#[test]
fn every_request_has_a_number_of_its_own() {
    let mut client = ScriptedClient::ready();

    client.register(7);
    client.unregister(8);
    client.list(9);

    let said = client.said();
    let target = "b".parse().unwrap();
    assert_eq!(
        said,
        [
            ClientMessage::Register {
                req: Some(1),
                target,
                payload: None,
                consent_time: None,
                wait: None
            },
            ClientMessage::Unregister { req: Some(2) },
            ClientMessage::List { req: Some(3) },
        ]
    );
}

#[test]
fn a_registration_is_answered_when_both_are_paired() {
    let mut client = ScriptedClient::ready();
    client.register(7);
    client.outputs();

    client.hear(ServerMessage::Registered { req: Some(1), pairing: info(1) });

    assert_eq!(
        client.outputs(),
        [
            Output::Event(ClientEvent::Paired(info(1))),
            Output::Answered(7, Answer::Registered(info(1))),
        ]
    );
    assert_eq!(client.core.pairing(), Some(&info(1)));
}

#[test]
fn a_registration_of_the_present_partner_is_answered_and_changes_nothing() {
    let mut client = ScriptedClient::paired();
    client.call(1);
    client.register(7);
    client.outputs();

    client.hear(ServerMessage::Registered { req: Some(1), pairing: info(1) });

    assert_eq!(client.outputs(), [Output::Answered(7, Answer::Registered(info(1)))]);
}

#[test]
fn a_refusal_is_told_with_its_code() {
    let mut client = ScriptedClient::ready();
    client.register(7);
    client.outputs();

    let refusal = Refusal::from(Code::TargetBusy);
    client.hear(ServerMessage::RegisterFailed {
        req: Some(1),
        target: None,
        refusal: refusal.clone(),
    });

    assert_eq!(client.answers(), [(7, Answer::Refused(refusal))]);
}

#[test]
fn a_registration_without_an_answer_times_out_and_a_late_pairing_is_ended() {
    let mut client = ScriptedClient::ready();
    client.register(7);
    client.outputs();

    client.pass(PATIENCE);
    let outputs = client.outputs();
    assert!(outputs.contains(&Output::Answered(7, Answer::TimedOut)), "{outputs:?}");
    assert!(outputs.contains(&Output::Send(ClientMessage::Cancel { req: 1 })), "{outputs:?}");
    client.hear(ServerMessage::Registered { req: Some(1), pairing: info(1) });

    let said = client.said();
    assert!(matches!(said[..], [ClientMessage::Unregister { .. }]), "{said:?}");
}

#[test]
fn a_cancelled_registration_is_taken_back_and_answered_no_more() {
    let mut client = ScriptedClient::ready();
    client.register(7);
    client.outputs();

    client.command(Command::Cancel(7));
    assert_eq!(client.said(), [ClientMessage::Cancel { req: 1 }]);
    client.hear(ServerMessage::RegisterFailed {
        req: Some(1),
        target: None,
        refusal: Code::Offline.into(),
    });
    client.pass(PATIENCE);

    assert_eq!(client.answers(), []);
}

#[test]
fn a_cancelled_registration_of_the_present_partner_leaves_the_pairing_alone() {
    let mut client = ScriptedClient::paired();
    client.register(7);
    client.outputs();

    client.command(Command::Cancel(7));
    client.hear(ServerMessage::Registered { req: Some(1), pairing: info(1) });

    assert_eq!(client.outputs(), []);
}

#[test]
fn unregister_is_answered_by_the_end_of_the_pairing() {
    let mut client = ScriptedClient::paired();
    client.unregister(7);
    client.outputs();

    client.hear(ServerMessage::Disconnect {
        pairing: info(1).id,
        reason: EndReason::Unregistered,
        req: Some(1),
    });

    assert_eq!(
        client.outputs(),
        [
            Output::Event(ClientEvent::Unpaired {
                pairing: info(1),
                reason: EndReason::Unregistered,
            }),
            Output::Answered(7, Answer::Unregistered),
        ]
    );
    assert_eq!(client.core.pairing(), None);
}

#[test]
fn nothing_to_end_is_as_good_as_ended() {
    let mut client = ScriptedClient::ready();
    client.unregister(7);

    client.hear(ServerMessage::Error {
        refusal: Code::NotPaired.into(),
        req: Some(1),
        pairing: None,
    });

    assert_eq!(client.answers(), [(7, Answer::Unregistered)]);
}

#[test]
fn an_error_with_a_number_answers_that_request() {
    let mut client = ScriptedClient::ready();
    client.list(7);
    client.outputs();

    let refusal = Refusal::from(Code::Forbidden);
    client.hear(ServerMessage::Error { refusal: refusal.clone(), req: Some(1), pairing: None });

    assert_eq!(client.outputs(), [Output::Answered(7, Answer::Refused(refusal))]);
}

#[test]
fn an_error_that_nobody_waits_for_is_an_event() {
    let mut client = ScriptedClient::ready();

    let refusal = Refusal::from(Code::RateLimited);
    client.hear(ServerMessage::Error { refusal: refusal.clone(), req: None, pairing: None });

    assert_eq!(client.outputs(), [Output::Event(ClientEvent::Refused(refusal))]);
}

#[test]
fn a_message_that_the_server_could_not_read_is_a_complaint() {
    let mut client = ScriptedClient::ready();

    let refusal = Refusal::from(Code::BadArgs);
    client.hear(ServerMessage::Error { refusal: refusal.clone(), req: None, pairing: None });

    assert_eq!(client.outputs(), [Output::Complain(Complaint::Refused(refusal))]);
}

#[test]
fn the_list_is_handed_on() {
    let mut client = ScriptedClient::ready();
    client.list(7);
    let clients = vec![ClientEntry { id: "a".parse().unwrap(), state: ClientState::Free }];

    client.hear(ServerMessage::Clients { req: Some(1), clients: clients.clone() });

    assert_eq!(client.answers(), [(7, Answer::Clients(clients))]);
}

#[test]
fn the_application_is_asked_and_its_answer_names_the_request() {
    let mut client = ScriptedClient::ready();
    let source: socketio_p2p_protocol::ClientId = "b".parse().unwrap();
    let ask = |req| ServerMessage::Register {
        req,
        source: source.clone(),
        payload: Some(json!("hi")),
        consent_time: CONSENT_TIME,
    };

    client.hear(ask(41));
    client.hear(ask(42));
    assert_eq!(
        client.outputs()[0],
        Output::Ask {
            question: 1,
            source: source.clone(),
            payload: Some(json!("hi")),
            consent_time: CONSENT_TIME
        }
    );
    client.handle(Input::Answer(2, Ok(())));
    client.handle(Input::Answer(1, Err(Some("busy".to_owned()))));

    assert_eq!(
        client.said(),
        [
            ClientMessage::Accept { req: Some(42) },
            ClientMessage::Decline { req: Some(41), reason: Some("busy".to_owned()) },
        ]
    );
}

#[test]
fn a_yes_that_came_too_late_changes_nothing() {
    let mut client = ScriptedClient::ready();

    client.hear(ServerMessage::Withdrawn { req: Some(41), code: Code::Timeout });

    assert_eq!(client.outputs(), []);
}

#[test]
fn the_end_of_another_pairing_does_not_touch_the_present_one() {
    let mut client = ScriptedClient::paired();

    client.hear(disconnect(99, EndReason::Disconnected));

    assert_eq!(client.outputs(), []);
    assert_eq!(client.core.pairing(), Some(&info(1)));
}

#[test]
fn a_new_pairing_ends_one_whose_end_was_never_told() {
    let mut client = ScriptedClient::paired();

    client.hear(ServerMessage::Registered { req: None, pairing: info(2) });

    assert_eq!(
        client.outputs(),
        [
            Output::Event(ClientEvent::Unpaired { pairing: info(1), reason: EndReason::Replaced }),
            Output::Event(ClientEvent::Paired(info(2))),
        ]
    );
}

#[test]
fn the_partners_absence_is_told_for_the_present_pairing_only() {
    let mut client = ScriptedClient::paired();
    for serial in [1, 2] {
        client.hear(ServerMessage::Partner { pairing: info(serial).id, state: Presence::Away });
    }

    assert_eq!(client.outputs(), [Output::Event(ClientEvent::Partner(Presence::Away))]);
}

#[test]
fn deadlines_of_requests_are_kept_apart() {
    let mut client = ScriptedClient::ready();
    client.register(1);
    client.pass(Duration::from_secs(1));
    client.list(2);

    client.pass(PATIENCE - Duration::from_secs(1));
    assert_eq!(client.answers(), [(1, Answer::TimedOut)]);
    client.hear(ServerMessage::Pong { req: 0 });
    client.pass(Duration::from_secs(1));

    assert_eq!(client.answers(), [(2, Answer::TimedOut)]);
}

#[test]
fn a_registration_waits_as_long_as_the_target_has_and_two_seconds() {
    let second = Duration::from_secs(1);
    // What the server allows, what the caller asks for, what the target has.
    for (longest, asked, has) in
        [(10, None, 10), (60, None, 60), (60, Some(5), 5), (60, Some(90), 60)]
    {
        let mut limits = Limits::default();
        limits.consent_ms = longest * 1_000;
        let mut client = ScriptedClient::connecting();
        client.hear(ServerMessage::Welcome(Welcome { limits, ..welcome() }));
        client.outputs();
        let consent_time = asked.map(Duration::from_secs);
        client.command(Command::Register {
            call: 7,
            target: "B".parse().unwrap(),
            payload: None,
            consent_time,
            wait: None,
            deadline: None,
        });
        let asked = client.outputs();
        assert!(matches!(
            asked[..],
            [Output::Send(ClientMessage::Register { consent_time: sent, .. })] if sent == consent_time
        ));

        let deadline = client.now + Duration::from_secs(has) + VERDICT_SLACK;
        while client.now + second < deadline {
            client.pass(second);
            client.hear(ServerMessage::Pong { req: 0 });
        }
        client.pass(deadline - client.now - Duration::from_millis(1));
        assert_eq!(client.answers(), []);
        client.pass(Duration::from_millis(1));
        assert_eq!(client.answers(), [(7, Answer::TimedOut)]);
    }
}

#[test]
fn a_payload_that_the_server_would_not_read_is_refused_at_once() {
    let deep = "[".repeat(100) + &"]".repeat(100);
    for payload in [json!("x".repeat(16 * 1024)), serde_json::from_str(&deep).unwrap()] {
        let mut client = ScriptedClient::ready();

        client.command(Command::Register {
            call: 7,
            target: "B".parse().unwrap(),
            payload: Some(payload),
            consent_time: None,
            wait: None,
            deadline: Some(client.now + PATIENCE),
        });

        let refused = Answer::Refused(Code::TooLarge.into());
        assert_eq!(client.outputs(), [Output::Answered(7, refused)]);
    }
}
