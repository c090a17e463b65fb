//! The codec of frames: two spellings, and whatever strangers send in their place.

use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};
use socketio_p2p_protocol::{
    Args, Body, Code, Frame, FrameError, PairingId, Refusal, frame,
    limits::{BATCH_FRAMES, JSON_DEPTH, MESSAGE_BYTES},
};

fn pairing() -> PairingId {
    PairingId::new(0xabc, 1)
}

fn some_args() -> impl Strategy<Value = Args> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".*".prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(".*", inner, 0..4).prop_map(|map| json!(map)),
        ]
    });
    let blob = prop::collection::vec(any::<u8>(), 0..40).prop_map(Bytes::from);
    (prop::collection::vec(value, 0..4), prop::collection::vec(blob, 0..4))
        .prop_map(|(values, blobs)| Args::from_text(json!(values).to_string(), blobs).unwrap())
}

fn some_frame() -> impl Strategy<Value = Frame> {
    let emit = (".*", some_args(), any::<bool>())
        .prop_map(|(event, args, wants_reply)| Body::Emit { event, args, wants_reply });
    let code = prop::sample::select(Code::ALL);
    let result = prop_oneof![
        some_args().prop_map(Ok),
        (code, ".*").prop_map(|(code, message)| Err(Refusal::new(code, &message))),
    ];
    let reply = (any::<u64>(), result).prop_map(|(to, result)| Body::Reply { to, result });
    let part = (".*", any::<bool>()).prop_map(|(text, last)| Body::Part { text, last });
    let cancel = any::<u64>().prop_map(|to| Body::Cancel { to });
    let body = prop_oneof![emit, reply, part, cancel, Just(Body::Drop), Just(Body::Ack)];
    let ttl = prop::option::of(any::<u64>().prop_map(Duration::from_millis));
    let numbers = (1..u64::MAX, any::<u64>(), any::<u64>());
    (numbers, ttl, body).prop_map(|((seq, ack, got), ttl, body)| {
        let seq = if body == Body::Ack { 0 } else { seq };
        let may_expire = matches!(body, Body::Emit { .. } | Body::Part { last: true, .. });
        let frame = crate::sessions::frame(seq, ack, body);
        Frame { got: got.max(ack), ttl: ttl.filter(|_| may_expire), ..frame }
    })
}

proptest! {
    #[test]
    fn a_frame_is_the_same_after_a_round_trip_in_either_spelling(frame in some_frame()) {
        prop_assert_eq!(&Frame::from_text(&frame.to_text()).unwrap(), &frame);
        prop_assert_eq!(&Frame::from_value(frame.to_value()).unwrap(), &frame);
        let binary = frame.to_binary(pairing());
        prop_assert_eq!(Frame::from_binary(binary).unwrap(), (pairing(), frame));
    }

    #[test]
    fn a_binary_frame_that_was_cut_or_lengthened_is_refused(frame in some_frame(), at in any::<prop::sample::Index>()) {
        let binary = frame.to_binary(pairing());
        let cut = binary.slice(..at.index(binary.len()));
        prop_assert!(Frame::from_binary(cut).is_err());
        let mut longer = binary.to_vec();
        longer.push(0);
        prop_assert!(Frame::from_binary(longer.into()).is_err());
    }

    #[test]
    fn no_bytes_make_the_codec_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = Frame::from_text(&String::from_utf8_lossy(&bytes));
        let _ = frame::batch_from_text(&String::from_utf8_lossy(&bytes));
        let _ = Frame::from_binary(bytes.into());
    }
}

#[test]
fn the_binary_spelling_byte_by_byte() {
    let text = json!([{"_placeholder": true, "num": 0}]).to_string();
    let args = Args::from_text(text, vec![Bytes::from_static(&[1, 2, 3])]).unwrap();
    let event = "f".to_owned();
    let wants_reply = false;
    let frame = crate::sessions::frame(1, 0, Body::Emit { event, args, wants_reply });

    let header = br#"{"s":1,"k":0,"t":"emit","e":"f","a":[{"_placeholder":true,"num":0}],"b":[3]}"#;
    let mut expected = vec![5];
    expected.extend(b"abc-1");
    expected.extend([0, 0, 0, header.len() as u8]);
    expected.extend(header);
    expected.extend([1, 2, 3]);
    assert_eq!(frame.to_binary(pairing()), expected);
}

#[test]
fn what_is_no_frame_is_refused() {
    for text in [
        "",
        "null",
        "7",
        "\"emit\"",
        "{}",
        "[]",
        r#"[1,0,0,"ack"]"#,
        r#"{"k":0}"#,
        r#"{"t":"ack"}"#,
        r#"{"k":-1,"t":"ack"}"#,
        r#"{"k":"0","t":"ack"}"#,
        r#"{"k":18446744073709551616,"t":"ack"}"#,
        r#"{"t":"nonsense"}"#,
        r#"{"k":0,"t":7}"#,
        r#"{"k":"0","t":"nonsense"}"#,
        r#"{"s":-1,"k":0,"t":"nonsense"}"#,
        r#"{"k":0,"t":"nonsense"} x"#,
        r#"{"k":0,"k":1,"t":"ack"}"#,
        r#"{"k":0,"t":"emit","e":"x","a":[]}"#,
        r#"{"s":0,"k":0,"t":"emit","e":"x","a":[]}"#,
        r#"{"s":1.5,"k":0,"t":"emit","e":"x","a":[]}"#,
        r#"{"s":1,"k":0,"t":"emit","a":[]}"#,
        r#"{"s":1,"k":0,"t":"emit","e":7,"a":[]}"#,
        r#"{"s":1,"k":0,"t":"emit","e":"x"}"#,
        r#"{"s":1,"k":0,"t":"emit","e":"x","a":null}"#,
        r#"{"s":1,"k":0,"t":"emit","e":"x","a":{}}"#,
        r#"{"s":1,"k":0,"t":"emit","e":"x","a":[],"r":1}"#,
        r#"{"s":1,"k":0,"t":"emit","e":"x","a":[],"b":["?"]}"#,
        r#"{"s":1,"k":0,"t":"emit","e":"x","a":[],"b":[3]}"#,
        r#"{"s":1,"k":0,"t":"reply","a":[]}"#,
        r#"{"s":1,"k":0,"t":"reply","to":1}"#,
        r#"{"s":1,"k":0,"t":"reply","to":"1","a":[]}"#,
        r#"{"s":1,"k":0,"t":"reply","to":1,"err":{}}"#,
        r#"{"s":1,"k":0,"t":"reply","to":1,"err":"no"}"#,
        r#"{"k":0,"t":"part","d":"x"}"#,
        r#"{"s":1,"k":0,"t":"part"}"#,
        r#"{"s":1,"k":0,"t":"part","d":7}"#,
        r#"{"s":1,"k":0,"t":"part","d":"x","z":1}"#,
        r#"{"k":0,"t":"drop"}"#,
        r#"{"s":1,"k":0,"t":"emit","e":"x","a":[],"x":true}"#,
        r#"{"s":1,"k":0,"t":"emit","e":"x","a":[],"x":-1}"#,
        r#"{"k":0,"t":"ack"} x"#,
        r#"{"k":0,"t":"ack""#,
    ] {
        assert!(Frame::from_text(text).is_err(), "{text}");
        if let Ok(value) = serde_json::from_str::<Value>(text)
            && !text.contains("\"k\":1")
        {
            assert!(Frame::from_value(value).is_err(), "{text}");
        }
    }
}

#[test]
fn unknown_fields_are_ignored_and_defaults_may_be_left_out() {
    let frame = Frame::from_text(r#" {"k":3,"t":"ack","new":[1],"s":9}"#).unwrap();

    assert_eq!(frame, crate::sessions::frame(0, 3, Body::Ack));
}

#[test]
fn what_arrived_is_at_least_what_was_taken() {
    let frame = Frame::from_text(r#"{"k":3,"g":1,"t":"ack"}"#).unwrap();

    assert_eq!(frame.got, 3);
}

#[test]
fn a_long_message_of_a_failed_handler_is_cut() {
    let message = "é".repeat(MESSAGE_BYTES);
    let err = json!({"code": "handler-failed", "message": message});
    let text = json!({"s": 1, "k": 0, "t": "reply", "to": 1, "err": err}).to_string();

    let frame = Frame::from_text(&text).unwrap();

    let Body::Reply { result: Err(refusal), .. } = &*frame.body else {
        panic!("{frame:?}");
    };
    assert_eq!(refusal.message.len(), MESSAGE_BYTES);
}

#[test]
fn binary_lengths_that_lie_are_refused() {
    let header =
        br#"{"s":1,"k":0,"t":"emit","e":"f","a":[],"b":[4294967295,18446744073709551615]}"#;
    let mut lie = vec![5];
    lie.extend(b"abc-1");
    lie.extend((header.len() as u32).to_be_bytes());
    lie.extend(header);
    lie.extend([0; 8]);
    assert!(matches!(Frame::from_binary(lie.clone().into()), Err(FrameError::Lengths)));

    lie[6..10].copy_from_slice(&u32::MAX.to_be_bytes());
    assert!(matches!(Frame::from_binary(lie.into()), Err(FrameError::Lengths)));
    for pairing in [&b"\xff\xff"[..], b"", b"ABC-1", b"nonsense"] {
        let mut binary = vec![pairing.len() as u8];
        binary.extend(pairing);
        assert!(matches!(Frame::from_binary(binary.into()), Err(FrameError::Pairing)));
    }
    assert!(matches!(Frame::from_binary(Bytes::new()), Err(FrameError::Lengths)));
}

#[test]
fn a_batch_is_one_frame_or_an_array_of_1_to_64() {
    let one = r#"{"k":0,"t":"ack"}"#;
    let batch = |count: usize| format!("[{}]", vec![one; count].join(","));

    for (text, frames) in [
        (one.to_owned(), Some(1)),
        (format!(" {one} "), Some(1)),
        (batch(0), None),
        (batch(1), Some(1)),
        (batch(BATCH_FRAMES), Some(BATCH_FRAMES)),
        (batch(BATCH_FRAMES + 1), None),
        (format!("[{one},7]"), Some(1)),
        ("[7]".to_owned(), None),
        (format!("[[{one}]]"), None),
    ] {
        let from_text = frame::batch_from_text(&text).ok().map(|batch| batch.frames.len());
        assert_eq!(from_text, frames, "{text}");
        let value = serde_json::from_str(&text).unwrap();
        let from_value = frame::batch_from_value(value).ok().map(|batch| batch.frames.len());
        assert_eq!(from_value, frames, "{text}");
    }
}

#[test]
fn ten_thousand_levels_of_json_are_refused_without_a_stack_overflow() {
    let deep = "[".repeat(10_000) + &"]".repeat(10_000);
    let objects = "{\"a\":".repeat(10_000) + "1" + &"}".repeat(10_000);
    for args in [&deep, &format!("[{objects}]")] {
        let text = format!(r#"{{"s":1,"k":0,"t":"emit","e":"x","a":{args}}}"#);

        assert!(matches!(Frame::from_text(&text), Err(FrameError::Depth)));
        assert!(frame::batch_from_text(&text).is_err());
        assert!(frame::batch_from_text(&format!("[{text}]")).is_err());
    }
    assert!(frame::batch_from_text(&deep).is_err());
    assert!(Frame::from_text(&objects).is_err());
    let args = Args::from_text(deep, Vec::new()).unwrap();
    assert!(args.parse::<Value>().is_err());
}

#[test]
fn arguments_may_be_nested_64_deep() {
    let frame = |depth: usize| {
        let args = "[".repeat(depth) + &"]".repeat(depth);
        Frame::from_text(&format!(r#"{{"s":1,"k":0,"t":"emit","e":"x","a":{args}}}"#))
    };

    assert!(frame(JSON_DEPTH).is_ok());
    assert!(matches!(frame(JSON_DEPTH + 1), Err(FrameError::Depth)));
}

#[test]
fn a_number_is_the_same_after_a_host_has_parsed_and_written_it() {
    let text =
        r#"{"s":1,"k":0,"t":"emit","e":"x","a":[0.12345678901324568,1.7976931348623157e308]}"#;
    let frame = Frame::from_text(text).unwrap();

    let value = serde_json::from_str(&frame.to_value().to_string()).unwrap();
    let again = Frame::from_value(value).unwrap();

    let Body::Emit { args, .. } = &*again.body else { panic!("{again:?}") };
    assert_eq!(args.parse::<[f64; 2]>().unwrap(), [0.12345678901324568, f64::MAX]);
}

#[test]
fn arguments_are_an_array_and_keep_their_text() {
    assert!(matches!(Args::from_text("{}".to_owned(), Vec::new()), Err(FrameError::NotAnArray)));
    assert!(matches!(Args::from_text("[".to_owned(), Vec::new()), Err(FrameError::Json(_))));
    let text = r#"[ 1.0, "é\u00e9", {"b":1,"a":2} ]"#;
    let args = Args::from_text(format!(" {text} "), Vec::new()).unwrap();
    assert_eq!(args.as_json(), text);
}
