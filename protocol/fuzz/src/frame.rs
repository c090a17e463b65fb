//! The codec of frames, in every spelling: the arguments of a `P2P_FRAME`, text or binary.

use bytes::Bytes;
use serde_json::Value;
use socketio_p2p_protocol::{
    Args, Body, Frame, FrameError, PairingId,
    frame::{Batch, batch_from_text, batch_from_value},
    limits::{BATCH_FRAMES, JSON_DEPTH, LABEL_BYTES, MESSAGE_BYTES},
    wire::Shape,
};

use super::text;

/// Reads it as whatever it may be; what was read is written and read again.
pub fn run(data: &[u8]) {
    binary(data);
    let Ok(json) = std::str::from_utf8(data) else { return };
    text::check_shape(json);
    let batch = batch_from_text(json).and_then(Batch::all);
    if let Ok(frames) = &batch {
        assert!((1..=BATCH_FRAMES).contains(&frames.len()));
        frames.iter().for_each(check);
    }
    if !json.trim_start().starts_with('[') {
        assert_eq!(
            batch.as_ref().ok(),
            Frame::from_text(json).ok().map(|frame| vec![frame]).as_ref()
        );
    }
    // A host that parses reads the same.
    if Shape::of(json).depth <= JSON_DEPTH
        && let Ok(value) = serde_json::from_str::<Value>(json)
    {
        let parsed = batch_from_value(value).and_then(Batch::all);
        if let Ok(frames) = &batch {
            let parsed = parsed.expect("what is a batch as text is one as a value");
            assert_eq!(parsed.len(), frames.len());
            for (parsed, frame) in parsed.iter().zip(frames) {
                check_same(parsed, frame);
            }
        }
    }
}

fn binary(data: &[u8]) {
    let Ok((pairing, frame)) = Frame::from_binary(Bytes::copy_from_slice(data)) else { return };
    assert_eq!(usize::from(data[0]), pairing.to_string().len());
    let blobs = args(&frame).map_or(0, |args| args.blobs().iter().map(Bytes::len).sum());
    assert!(blobs < data.len());
    check(&frame);
    if matches!(*frame.body, Body::Other(_)) {
        return; // What follows its header is unknown.
    }
    // The lengths add up exactly.
    for wrong in [&data[..data.len() - 1], &[data, &[0]].concat()[..]] {
        let read = Frame::from_binary(Bytes::copy_from_slice(wrong));
        assert!(matches!(read, Err(FrameError::Lengths)), "{read:?}");
    }
}

/// It keeps the limits, and is the same after it was written and read, in each spelling.
fn check(frame: &Frame) {
    assert!(frame.got >= frame.ack);
    match &*frame.body {
        Body::Ack => assert_eq!(frame.seq, 0),
        Body::Other(label) => assert!(label.as_str().len() <= LABEL_BYTES),
        Body::Reply { result: Ok(_), .. }
        | Body::Emit { .. }
        | Body::Part { .. }
        | Body::Drop
        | Body::Cancel { .. } => assert!(frame.seq > 0),
        Body::Reply { result: Err(refusal), .. } => {
            assert!(frame.seq > 0 && refusal.message.len() <= MESSAGE_BYTES);
        }
    }
    let parses = args(frame).is_none_or(|args| {
        assert!(args.as_json().starts_with('['));
        assert!(Shape::of(args.as_json()).depth <= JSON_DEPTH);
        text::check_shape(args.as_json());
        args.parse::<Vec<Value>>().is_ok()
    });

    assert_eq!(Frame::from_text(&frame.to_text()).as_ref().ok(), Some(frame));
    let pairing = PairingId::new(0xabc, 1);
    let binary = frame.to_binary(pairing);
    assert_eq!(Frame::from_binary(binary).ok(), Some((pairing, frame.clone())));
    if parses {
        let read = Frame::from_value(frame.to_value()).expect("it is a frame");
        check_same(&read, frame);
    }
}

fn args(frame: &Frame) -> Option<&Args> {
    match &*frame.body {
        Body::Emit { args, .. } | Body::Reply { result: Ok(args), .. } => Some(args),
        _ => None,
    }
}

/// A parser keeps neither the spaces of the arguments nor the order of their keys.
fn check_same(parsed: &Frame, frame: &Frame) {
    let numbers = |frame: &Frame| (frame.seq, frame.ack, frame.got, frame.ttl);
    assert_eq!(numbers(parsed), numbers(frame));
    let (Some(first), Some(second)) = (args(parsed), args(frame)) else {
        return assert_eq!(parsed.body, frame.body);
    };
    assert_eq!(first.blobs(), second.blobs());
    assert_eq!(first.parse::<Value>().ok(), second.parse::<Value>().ok());
    let what = |frame: &Frame| match &*frame.body {
        Body::Emit { event, wants_reply, .. } => (Some((event.clone(), *wants_reply)), None),
        Body::Reply { to, .. } => (None, Some(*to)),
        other => panic!("{other:?} has no arguments"),
    };
    assert_eq!(what(parsed), what(frame));
}
