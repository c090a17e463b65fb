//! The packets of `golden/future_*`, as a later version might send them: what is read of each.

use std::time::Duration;

use serde_json::{Value, json};
use socketio_p2p_protocol::{
    Body, ClientConfig, ClientId, ClientMessage, ClientState, Code, ConnectFailure, Dialect,
    EndReason, Frame, PairingId, PairingInfo, Presence, Refusal, ServerMessage, Signal,
    SignalError, Step, TargetState, WhyAnew,
    client::{ClientEvent, Input, Output},
    frame,
    limits::LABEL_BYTES,
    session::Violation,
    signal,
    wire::{
        self, ConnectAuth, DirectMessage, HeartbeatKind, LIST, PING, PONG, REGISTER,
        REGISTER_FAILED, REGISTER_SUCCESS, UNREGISTER, Versions, WireError, client_message,
        server_message,
    },
};

use crate::{
    clients::{ScriptedClient, welcome},
    golden::{golden, read},
    sessions::{End, emit_frame},
};

fn packet(name: &str) -> (String, Vec<Value>) {
    read(&golden("future_")[name])
}

fn server(name: &str) -> Result<ServerMessage, WireError> {
    let (event, args) = packet(name);
    server_message(&event, args)
}

fn client(name: &str) -> Result<ClientMessage, WireError> {
    let (event, args) = packet(name);
    client_message(&event, args)
}

/// The frames of a packet, which are the same from text and from a value.
fn frames(name: &str) -> Vec<Frame> {
    let (_, args) = packet(name);
    let frames = frame::batch_from_value(args[1].clone()).unwrap().all().unwrap();
    let text = frame::batch_from_text(&args[1].to_string()).unwrap();
    assert_eq!(text.all().unwrap(), frames);
    frames
}

fn signal(name: &str) -> Result<Signal, SignalError> {
    let (_, args) = packet(name);
    let (_, signal) = signal::from_args(args).unwrap();
    Signal::from_value(&signal)
}

#[test]
fn an_unknown_reason_in_a_welcome_does_not_stop_the_welcome() {
    let Ok(ServerMessage::Welcome(welcome)) = server("server_welcome") else {
        panic!("no welcome");
    };

    assert_eq!(welcome.ended.unwrap().reason, EndReason::from("moved"));
    assert_eq!(welcome.pairing.unwrap().partner_protocol, 3);
    assert_eq!(welcome.limits.frame_bytes, 1024);
}

#[test]
fn a_version_that_a_client_does_not_speak_is_read_before_all_other_fields() {
    let error = server("server_welcome_version").unwrap_err();
    assert_eq!(error.refusal.code, Code::UnsupportedProtocol);

    for version in [0, 1, 300, u64::MAX] {
        let error = server_message(wire::WELCOME, vec![json!({ "protocol": version })]);
        assert_eq!(error.unwrap_err().refusal.code, Code::UnsupportedProtocol, "{version}");
    }
}

#[test]
fn unknown_codes_reasons_and_states_are_kept_as_their_text() {
    let Ok(ServerMessage::RegisterFailed { req: Some(1), refusal, .. }) =
        server("server_register_failed")
    else {
        panic!("no refusal");
    };
    assert_eq!(refusal.code.as_str(), "not-in-this-room");
    assert!(!refusal.code.is_retryable(), "whatever the message says");

    let Ok(ServerMessage::Error { refusal, req: None, pairing: Some(_) }) = server("server_error")
    else {
        panic!("no error");
    };
    assert_eq!(refusal.code.as_str(), "lane-closed");

    let Ok(ServerMessage::Farewell { refusal }) = server("server_farewell") else {
        panic!("no farewell");
    };
    assert_eq!(refusal.code.as_str(), "migrated");

    let Ok(ServerMessage::Disconnect { reason, .. }) = server("server_disconnect") else {
        panic!("no end");
    };
    assert_eq!(reason.as_str(), "moved");

    let Ok(ServerMessage::Partner { state, .. }) = server("server_partner") else {
        panic!("no state");
    };
    assert_eq!(state, Presence::from("drowsy"));

    let resting = TargetState::from("resting");
    assert_eq!(server("server_target"), Ok(ServerMessage::Target { req: 5, state: resting }));

    let code = Code::from("taken-back");
    assert_eq!(server("server_too_late"), Ok(ServerMessage::Withdrawn { req: Some(41), code }));

    let refusal = Refusal::new(Code::from("lane-full"), "the lane is full");
    let refused = ServerMessage::SignalRefused { refusal, pairing: Some(PairingId::new(0xabc, 1)) };
    assert_eq!(server("server_signal_refused"), Ok(refused));
}

#[test]
fn new_fields_and_surplus_arguments_of_a_message_are_ignored() {
    let payload = Some(json!({ "token": 7 }));
    let id = |id: &str| id.parse::<ClientId>().unwrap();
    let question = ServerMessage::Register {
        req: 41,
        source: id("a"),
        payload: payload.clone(),
        consent_time: Duration::from_secs(10),
    };
    assert_eq!(server("server_register"), Ok(question));
    let pairing = PairingInfo {
        id: PairingId::new(0xabc, 1),
        partner: id("b"),
        initiator: true,
        partner_protocol: 3,
        direct: false,
    };
    assert_eq!(
        server("server_registered"),
        Ok(ServerMessage::Registered { req: Some(1), pairing })
    );
    assert_eq!(server("server_line"), Ok(ServerMessage::Line { req: 1, place: 3 }));

    let registration = ClientMessage::Register {
        req: Some(1),
        target: id("b"),
        payload,
        consent_time: None,
        wait: Some(Duration::from_secs(120)),
    };
    assert_eq!(client("client_register"), Ok(registration));
    assert_eq!(client("client_accept"), Ok(ClientMessage::Accept { req: Some(41) }));
}

#[test]
fn an_entry_that_cannot_be_read_is_left_out_of_the_list() {
    let Ok(ServerMessage::Clients { req: Some(4), clients }) = server("server_clients") else {
        panic!("no list");
    };

    let clients: Vec<_> = clients.iter().map(|entry| (entry.id.as_str(), entry.state)).collect();
    assert_eq!(clients, [("a", ClientState::from("grouped")), ("d", ClientState::Free)]);
}

#[test]
fn an_unknown_event_is_refused_and_its_request_named() {
    assert_eq!(server("server_event").unwrap_err().refusal.code, Code::BadEvent);

    let error = client("client_event").unwrap_err();
    assert_eq!((error.refusal.code, error.req), (Code::BadEvent, Some(9)));
}

#[test]
fn the_reason_of_a_refusal_is_a_text_for_people() {
    let reason = Some("do-not-disturb".to_owned());

    assert_eq!(client("client_decline"), Ok(ClientMessage::Decline { req: Some(5), reason }));
}

#[test]
fn of_a_frame_of_an_unknown_kind_the_numbers_are_read() {
    for (name, kind, numbers) in [
        ("frame_kind", "stream", (3, 2, 4)),
        ("frame_kind_fields", "patch", (3, 2, 2)),
        ("frame_kind_unnumbered", "hint", (0, 2, 2)),
    ] {
        let [frame] = &frames(name)[..] else { panic!("{name}") };
        let Body::Other(label) = &*frame.body else { panic!("{name}: {frame:?}") };
        assert_eq!(label.as_str(), kind);
        assert_eq!((frame.seq, frame.ack, frame.got), numbers, "{name}");
    }
}

#[test]
fn a_binary_frame_of_an_unknown_kind_may_have_anything_after_its_header() {
    let mut binary = b"\x05abc-1\x00\x00\x00\x21".to_vec();
    let header = br#"{"s":3,"k":2,"t":"stream","b":{}}"#;
    assert_eq!(header.len(), 0x21);
    binary.extend(header);
    binary.extend([1, 2, 3]);

    let (_, frame) = Frame::from_binary(binary.into()).unwrap();

    assert_eq!((frame.seq, frame.ack), (3, 2));
    assert!(matches!(*frame.body, Body::Other(_)));
}

#[test]
fn a_known_frame_beside_an_unknown_one_is_read() {
    let frames = frames("frame_batch");

    assert!(matches!(*frames[0].body, Body::Other(_)));
    assert!(matches!(&*frames[1].body, Body::Emit { event, .. } if event == "chat"));
}

#[test]
fn a_value_in_parts_of_an_unknown_kind_is_reported_once_and_its_numbers_are_taken() {
    let mut end = End::new();

    for frame in frames("frame_part_kind") {
        end.receive(frame);
    }
    end.receive(emit_frame(3, json!("now"), false));

    assert_eq!(end.violations, [Violation::Unknown]);
    assert_eq!(end.delivered_numbers(), [3]);
}

#[test]
fn an_unknown_code_in_a_reply_is_kept_as_its_text() {
    let [frame] = &frames("frame_reply_error")[..] else { panic!("one frame") };

    let Body::Reply { to: 3, result: Err(refusal) } = &*frame.body else { panic!("{frame:?}") };
    assert_eq!((refusal.code.as_str(), &*refusal.message), ("too-busy-now", "later"));
}

#[test]
fn an_unknown_signal_is_left_out_and_an_unknown_why_is_kept() {
    assert_eq!(signal("signal_kind"), Err(SignalError::Unknown));

    let why = WhyAnew::from("cheaper");
    assert_eq!(signal("signal_why"), Ok(Signal::new(3, Step::Renegotiate(Some(why)))));
}

#[test]
fn an_unknown_message_on_a_direct_path_is_a_message() {
    let kind = &golden("future_")["direct_kind"];
    let Ok(DirectMessage::Other(label)) = DirectMessage::from_text(kind) else {
        panic!("{kind}");
    };
    assert_eq!(label.as_str(), "lane");

    let ping = &golden("future_")["direct_ping"];
    let Ok(DirectMessage::Heartbeat(beat)) = DirectMessage::from_text(ping) else {
        panic!("{ping}")
    };
    assert_eq!((beat.kind, beat.n), (HeartbeatKind::Ping, 7));

    // Messages of this version that are malformed are not messages of another one.
    for text in [r#"{"t":"ping","n":"7"}"#, r#"{"t":"emit"}"#, r#"{"t":7}"#, r#"["lane"]"#] {
        assert!(DirectMessage::from_text(text).is_err(), "{text}");
    }
}

#[test]
fn a_text_that_is_too_long_is_cut_at_the_border_of_a_character() {
    let code = Code::from(&*"é".repeat(40));

    assert_eq!(code.as_str(), "é".repeat(LABEL_BYTES / 2));
    assert_eq!(Code::from("é".repeat(LABEL_BYTES / 2).as_str()), code);
    assert_eq!(Code::from("offline"), Code::Offline);
}

#[test]
fn both_ends_speak_the_highest_version_that_both_know() {
    let versions = Versions::new;

    assert_eq!(versions(2, 4).common(versions(2, 3)), Some(3));
    assert_eq!(versions(2, 2).common(versions(2, 9)), Some(2));
    assert_eq!(versions(2, 3).common(versions(4, 5)), None);
    assert_eq!(versions(3, 3).common(versions(2, 2)), None);
    assert_eq!(versions(5, 3).common(versions(2, 9)), None, "no version at all");
}

#[test]
fn a_client_of_a_later_version_that_speaks_this_one_too_is_admitted_with_this_one() {
    let packet = &golden("future_")["connect"];
    let auth = serde_json::from_str(packet.strip_prefix("40").unwrap()).unwrap();

    let auth = read_auth(&auth).unwrap();

    assert_eq!((auth.protocol, auth.direct, auth.binary), (2, true, false));
    assert_eq!((auth.dialect(), auth.resume), (Dialect::V2, None));
}

#[test]
fn an_unknown_code_in_a_connect_error_is_kept_and_another_attempt_may_succeed() {
    let packet = &golden("future_")["connect_error"];
    let error: Value = serde_json::from_str(packet.strip_prefix("44").unwrap()).unwrap();
    let code = Code::from(error["message"].as_str().unwrap());
    assert_eq!(code.as_str(), "region-closed");
    let mut client = ScriptedClient::with_config(ClientConfig::default());
    client.hear(ServerMessage::Welcome(welcome()));
    client.handle(Input::Lost);
    client.handle(Input::Connecting);
    client.outputs();

    client.handle(Input::Rejected(code.into()));

    let failure = ConnectFailure::Refused(code.into());
    let outputs = client.outputs();
    let [Output::Event(ClientEvent::ConnectError(failed)), Output::Reconnect { .. }] = &outputs[..]
    else {
        panic!("{outputs:?}");
    };
    assert_eq!(*failed, failure);
}

/// Reads a CONNECT auth as the server does.
fn read_auth(auth: &Value) -> Result<ConnectAuth, Code> {
    let said = |key: &str| match &auth[key] {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        other => Ok(Some(other.to_string())),
    };
    ConnectAuth::read(auth, said)
}

#[test]
fn a_client_that_speaks_no_version_of_the_server_is_refused() {
    let read = |auth: Value| read_auth(&auth).map(|auth| auth.protocol);

    assert_eq!(read(json!({})), Ok(1));
    assert_eq!(read(json!({ "p2p": 1, "p2pMin": 7 })), Ok(1));
    assert_eq!(read(json!({ "p2p": 2 })), Ok(2));
    assert_eq!(read(json!({ "p2p": 7 })), Ok(2), "and all versions down to 2");
    assert_eq!(read(json!({ "p2p": 7, "p2pMin": 2 })), Ok(2));
    assert_eq!(read(json!({ "p2p": 7, "p2pMin": 3 })), Err(Code::UnsupportedProtocol));
    assert_eq!(read(json!({ "p2p": 7, "p2pMin": "x" })), Err(Code::BadArgs));
}

#[test]
fn a_field_that_another_kind_of_frame_has_is_ignored() {
    for (own, foreign) in [
        (r#"{"s":1,"k":0,"t":"reply","to":2,"a":[]"#, r#","e":5,"r":{},"d":[],"z":7"#),
        (r#"{"s":1,"k":0,"t":"emit","e":"x","a":[]"#, r#","to":"x","err":7,"d":{},"z":null"#),
        (r#"{"s":1,"k":0,"t":"part","d":"x""#, r#","e":5,"to":{},"b":7,"a":1"#),
        (r#"{"s":1,"k":0,"t":"drop""#, r#","e":5,"x":"soon","b":[7]"#),
        (r#"{"k":0,"t":"ack""#, r#","s":"x","x":{}"#),
        (r#"{"s":1,"k":0,"t":"later""#, r#","e":5,"x":{}"#),
    ] {
        let frame = Frame::from_text(&format!("{own}}}")).unwrap();
        let text = format!("{own}{foreign}}}");

        assert_eq!(Frame::from_text(&text).unwrap(), frame, "{text}");
        let value = serde_json::from_str(&text).unwrap();
        assert_eq!(Frame::from_value(value).unwrap(), frame, "{text}");
    }
}

#[test]
fn a_field_that_another_message_has_is_ignored() {
    let fields = json!({
        "req": 7, "reason": 5, "payload": 5, "pairing": 5, "asked": "x", "signal": 5, "final": "x",
    });
    let with = |field: &str, value: Value| {
        let mut fields = fields.clone();
        fields[field] = value;
        fields
    };
    for event in [UNREGISTER, LIST, PING, REGISTER_SUCCESS] {
        assert!(client_message(event, vec![fields.clone()]).is_ok(), "{event}");
    }
    assert!(client_message(REGISTER, vec![json!("b"), fields.clone()]).is_ok());
    let declined = client_message(REGISTER_FAILED, vec![with("reason", json!("no"))]);
    assert!(declined.is_ok());

    assert!(server_message(PONG, vec![fields.clone()]).is_ok());
    assert!(server_message(REGISTER, vec![json!("b"), fields.clone()]).is_ok());
    let refused = server_message(REGISTER_FAILED, vec![with("code", json!("offline"))]);
    assert!(refused.is_ok());
}

#[test]
fn a_heartbeat_is_read_whatever_its_other_fields_are() {
    let absent = [
        r#""server":350.5"#,
        r#""server":"x""#,
        r#""server":[{}]"#,
        r#""server":null"#,
        r#""server":3153600000000001"#,
    ];
    for field in absent.into_iter().chain([r#""k":7"#, r#""e":7"#]) {
        let text = format!(r#"{{"t":"ping","n":7,"pairing":"1f-1","ok":true,{field}}}"#);

        let Ok(DirectMessage::Heartbeat(beat)) = DirectMessage::from_text(&text) else {
            panic!("{text}");
        };
        assert_eq!((beat.n, beat.ok, beat.server), (7, true, None), "{text}");
    }
}
