//! Control messages of v2, and whatever strangers send in their place.

use proptest::prelude::*;
use serde_json::{Value, json};
use socketio_p2p_protocol::{
    ClientEntry, ClientMessage, ClientState, Code, ServerMessage,
    limits::{JSON_DEPTH, Limits, REGISTER_PAYLOAD_BYTES},
    wire::{self, Shape, WELCOME, check_event, client_message, depth, server_message},
};

fn args(value: Value) -> Vec<Value> {
    match value {
        Value::Array(args) => args,
        _ => panic!("arguments are an array"),
    }
}

#[test]
fn the_list_for_a_v1_client_has_only_clients_with_a_connection() {
    let entry = |id: &str, state| ClientEntry { id: id.parse().unwrap(), state };
    let clients = [
        entry("a", ClientState::Free),
        entry("b", ClientState::Away),
        entry("c", ClientState::Paired),
    ];

    assert_eq!(wire::v1_list(&clients), json!(["a", "c"]));
}

/// Returns the limits of a welcome with these limits.
fn stated(limits: Value) -> Option<Limits> {
    let welcome = json!({
        "protocol": 2, "clientId": "a", "resume": null, "graceMs": 0, "resumed": false,
        "limits": limits, "pairing": null,
    });
    match server_message(WELCOME, vec![welcome]) {
        Ok(ServerMessage::Welcome(welcome)) => Some(welcome.limits),
        _ => None,
    }
}

#[test]
fn a_rate_in_a_welcome_is_any_number_from_zero() {
    let rates = |rate: Value| {
        let limits = stated(json!({
            "messageRate": rate, "messageBurst": rate, "byteRate": rate, "byteBurst": rate,
        }));
        limits.map(|it| {
            [it.message_rate.into(), it.message_burst.into(), it.byte_rate, it.byte_burst]
        })
    };
    let most = u64::from(u32::MAX);

    assert_eq!(rates(json!(0)), Some([0; 4]));
    assert_eq!(rates(json!(most)), Some([most; 4]));
    assert_eq!(rates(json!(most + 1)), Some([most, most, most + 1, most + 1]));
    assert_eq!(rates(json!(1e30)), Some([most, most, u64::MAX, u64::MAX]), "the largest");
    assert_eq!(rates(json!(1e-30)), Some([1; 4]), "and not 0, which is no limit");
    assert_eq!(rates(json!(7.0)), Some([7; 4]));
    assert_eq!(stated(json!({})), Some(Limits::default()));
    for rate in [json!(-1), json!(-0.5), json!("7"), json!(null), json!([7])] {
        assert_eq!(rates(rate.clone()), None, "{rate}");
    }
}

#[test]
fn malformed_messages_of_a_client_are_refused_as_bad_args() {
    let no_number = [
        json!([]),
        json!([null]),
        json!([7]),
        json!(["req"]),
        json!([[1]]),
        json!([{}]),
        json!([{"req": null}]),
        json!([{"req": "1"}]),
        json!([{"req": -1}]),
        json!([{"req": 1.5}]),
    ];
    for event in [
        wire::REGISTER_SUCCESS,
        wire::REGISTER_FAILED,
        wire::UNREGISTER,
        wire::LIST,
        wire::CANCEL,
        wire::PING,
    ] {
        for malformed in &no_number {
            let error = client_message(event, args(malformed.clone())).unwrap_err();
            assert_eq!(error.refusal.code, Code::BadArgs, "{event} {malformed}");
            assert_eq!(error.req, None);
        }
    }
    for malformed in no_number {
        let mut malformed = args(malformed);
        malformed.insert(0, json!("b"));
        for event in [wire::REGISTER, wire::WATCH] {
            let error = client_message(event, malformed.clone()).unwrap_err();
            assert_eq!(error.refusal.code, Code::BadArgs, "{event} {malformed:?}");
        }
    }
}

#[test]
fn a_refusal_carries_the_number_of_the_request_if_it_can_be_read() {
    let long = "x".repeat(129);
    for target in [json!(null), json!(["b"]), json!(""), json!("a\n"), json!(long)] {
        for event in [wire::REGISTER, wire::WATCH] {
            let error = client_message(event, args(json!([target, {"req": 5}]))).unwrap_err();
            assert_eq!((error.refusal.code, error.req), (Code::BadArgs, Some(5)), "{event}");
        }
    }
}

#[test]
fn a_no_counts_whatever_its_reason_is() {
    for reason in [json!(null), json!(7), json!({ "text": "no" })] {
        let no = json!([{"req": 5, "reason": reason}]);
        let message = client_message(wire::REGISTER_FAILED, args(no)).unwrap();
        assert_eq!(message, ClientMessage::Decline { req: Some(5), reason: None });
    }
}

#[test]
fn a_target_may_be_a_number_as_an_id_may() {
    let message = client_message(wire::REGISTER, args(json!([7, {"req": 5}]))).unwrap();

    let target = "7".parse().unwrap();
    assert_eq!(
        message,
        ClientMessage::Register {
            req: Some(5),
            target,
            payload: None,
            consent_time: None,
            wait: None
        }
    );
}

#[test]
fn a_payload_has_at_most_16_kib() {
    let register = |bytes: usize| {
        let payload = "x".repeat(bytes);
        client_message(wire::REGISTER, args(json!(["b", {"req": 5, "payload": payload}])))
    };

    assert!(register(REGISTER_PAYLOAD_BYTES - 2).is_ok());
    let error = register(REGISTER_PAYLOAD_BYTES - 1).unwrap_err();
    assert_eq!((error.refusal.code, error.req), (Code::TooLarge, Some(5)));
}

#[test]
fn arguments_too_many_and_unknown_fields_are_ignored() {
    let message = client_message(wire::PING, args(json!([{"req": 1, "new": true}, "more", 2])));
    assert_eq!(message, client_message(wire::PING, args(json!([{"req": 1}]))));

    let message = client_message(wire::REGISTER, args(json!(["b", {"req": 1}, 3])));
    assert!(message.is_ok());
}

#[test]
fn unknown_events_and_those_of_the_other_side_are_refused() {
    for event in ["", "chat", "P2P_", "P2P_WELCOME", "P2P_PONG", "P2P_EMIT", "p2p_ping"] {
        let error = client_message(event, args(json!([{"req": 1}]))).unwrap_err();
        assert_eq!(error.refusal.code, Code::BadEvent, "{event}");
    }
    for event in ["", "P2P_PING", "P2P_UNREGISTER", "P2P_LIST", "message"] {
        let error = server_message(event, args(json!([{"req": 1}]))).unwrap_err();
        assert_eq!(error.refusal.code, Code::BadEvent, "{event}");
    }
}

#[test]
fn malformed_messages_of_a_server_are_refused_as_bad_args() {
    let id = "abc-1";
    for (event, malformed) in [
        (wire::WELCOME, json!([{}])),
        (wire::WELCOME, json!([{"protocol": 2, "clientId": ""}])),
        (wire::REGISTER, json!(["a"])),
        (wire::REGISTER, json!([7, {"req": 1}])),
        (wire::REGISTER_SUCCESS, json!([{"req": 1}])),
        (wire::REGISTER_SUCCESS, json!([{"req": 1, "pairing": id}])),
        (wire::REGISTER_FAILED, json!([{"req": 1}])),
        (wire::REGISTER_FAILED, json!([{"req": 1, "code": 7}])),
        (wire::DISCONNECT, json!([{"pairing": "ABC-1", "reason": "kicked"}])),
        (wire::DISCONNECT, json!([{"pairing": id, "reason": 7}])),
        (wire::PARTNER, json!([{"pairing": id, "state": null}])),
        (wire::CLIENTS, json!([{"req": 1, "clients": "a"}])),
        (wire::TARGET, json!([{"state": "free"}])),
        (wire::TARGET, json!([{"req": 1}])),
        (wire::TARGET, json!([{"req": 1, "state": 7}])),
        (wire::LINE, json!([{"place": 1}])),
        (wire::LINE, json!([{"req": 1, "place": -1}])),
        (wire::PONG, json!([{}])),
        (wire::ERROR, json!([{"message": "x"}])),
    ] {
        for args in [args(malformed.clone()), vec![], vec![json!(null)]] {
            let error = server_message(event, args.clone()).unwrap_err();
            assert_eq!(error.refusal.code, Code::BadArgs, "{event} {args:?}");
        }
    }
}

#[test]
fn what_only_a_v1_client_says_or_hears_has_no_v2_event() {
    let pairing = "abc-1".parse().unwrap();
    let released = ClientMessage::Released { pairing };

    assert_eq!(released.to_event(), None);
    assert_eq!(ServerMessage::EndedWhileAway.to_event(), None);
    assert_eq!(ServerMessage::Unregistered { req: None }.to_event(), None);
}

#[test]
fn every_event_that_a_client_hears_is_in_the_list_to_subscribe_to() {
    for event in wire::TO_CLIENT {
        if [wire::FRAME, wire::SIGNAL].contains(&event) {
            continue;
        }
        let error = server_message(event, vec![]).unwrap_err();
        assert_eq!(error.refusal.code, Code::BadArgs, "{event} is known");
    }
}

#[test]
fn reserved_names_the_plugins_own_and_long_ones_may_not_be_emitted() {
    for event in [
        "connect",
        "connect_error",
        "disconnect",
        "disconnecting",
        "newListener",
        "removeListener",
        "P2P_",
        "P2P_FRAME",
        "P2P_anything",
        "SERVER_ERROR",
        &"x".repeat(129),
        &"é".repeat(65),
    ] {
        assert_eq!(check_event(event), Err(Code::BadEvent), "{event}");
    }
    for event in ["", "chat", "Connect", "p2p_x", "xP2P_", "message", &"x".repeat(128)] {
        assert_eq!(check_event(event), Ok(()), "{event}");
    }
}

#[test]
fn a_text_is_doubtful_if_a_parser_may_refuse_what_the_grammar_allows() {
    let long = format!("[1{}]", "0".repeat(400));
    for text in [r#"["\ud800"]"#, r#"{"\u0041":1}"#, "[1e999]", "[-1.5E3]", &long] {
        assert!(Shape::of(text).doubtful, "{text}");
    }
    for text in [r#"["1e9 \\u", true, false, null]"#, r#"{"e":1,"r":true,"a":[-1.25,"é"]}"#, "[]"]
    {
        assert!(!Shape::of(text).doubtful, "{text}");
    }
}

#[test]
fn json_whose_depth_cannot_be_counted_is_deeper_than_anything_allowed() {
    let reserved = "$serde_json::private::RawValue";
    for text in [
        format!(r#"{{"{reserved}":"[]"}}"#),
        format!(r#"[{{ "{reserved}":7}}]"#),
        format!(r#"{{"a":{{"{reserved}":"[]"}}}}"#),
        r#"{"\u0024serde\u005Fjson::private::RawValue":"[]"}"#.to_owned(),
        r#"{"$serde_json::private::Number":"1"}"#.to_owned(),
    ] {
        assert_eq!(depth(&text), Shape::HIDDEN, "{text}");
    }
    // Another key, or a value, is counted as usual.
    for text in [
        format!(r#"{{"a":1,"{reserved}":"[]"}}"#),
        format!(r#"["{reserved}",{{"a":"{reserved}"}}]"#),
        r#"{"$serde_json::privacy":1}"#.to_owned(),
        r#"{"\u0025serde_json::private::RawValue":1}"#.to_owned(),
    ] {
        assert!(depth(&text) <= 2, "{text}");
        assert!(serde_json::from_str::<Value>(&text).is_ok());
    }
}

#[test]
fn depth_counts_arrays_and_objects_outside_strings() {
    for (text, expected) in [
        ("", 0),
        ("1", 0),
        ("[]", 1),
        ("[[],[]]", 2),
        (r#"{"a":[{"b":1}]}"#, 3),
        (r#"["[[[["]"#, 1),
        (r#"["\"[[[["]"#, 1),
        (r#"["\\",[]]"#, 2),
        (r#"["\\\"[["]"#, 1),
        (r#"{"[{":[]}"#, 2),
        // Not JSON, and no reason to panic.
        ("]]]]", 0),
        ("]][", 1),
        ("\"", 0),
        ("\"\\", 0),
        ("[\"[", 1),
    ] {
        assert_eq!(depth(text), expected, "{text}");
    }
    assert!(depth(&"[".repeat(1_000_000)) > JSON_DEPTH);
}

proptest! {
    #[test]
    fn depth_agrees_with_a_parser(texts in prop::collection::vec(".*", 0..4), levels in 0..20_usize) {
        let mut value = json!(texts);
        for _ in 0..levels {
            value = json!({ "a": [value] });
        }
        prop_assert_eq!(depth(&value.to_string()), 1 + 2 * levels);
    }
}
