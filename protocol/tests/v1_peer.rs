//! The session that the server keeps for a v1 end.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use socketio_p2p_protocol::{
    Args, Body, Code, Dialect, Frame,
    peer::v1::{Bridge, Output, Side},
};

/// Arguments with so many blobs.
fn blobs(count: usize) -> Args {
    let places: Vec<_> =
        (0..count).map(|num| format!(r#"{{"_placeholder":true,"num":{num}}}"#)).collect();
    let blobs = vec![Bytes::from_static(b"blob"); count];
    Args::from_text(format!("[{}]", places.join(",")), blobs).unwrap()
}

/// Returns the outputs of a bridge between a v1 and a v2 end after the v2 end emitted.
fn emitted_by_v2(args: Args) -> Vec<(Side, Output)> {
    let now = Instant::now();
    let mut bridge = Bridge::new([Dialect::V1, Dialect::V2], now);
    let body = Body::Emit { event: "ask".to_owned(), args, wants_reply: true };
    let frame = Frame { seq: 1, ack: 0, got: 0, ttl: None, body: Arc::new(body) };
    bridge.receive(Side::Second, vec![frame], now);
    std::iter::from_fn(|| bridge.poll_output()).collect()
}

#[test]
fn more_attachments_than_a_v1_client_takes_are_not_executed() {
    let few = emitted_by_v2(blobs(10));
    assert!(matches!(few[..], [(Side::First, Output::Emit(_))]), "{few:?}");

    let many = emitted_by_v2(blobs(11));
    let replies: Vec<_> = many
        .iter()
        .filter_map(|(_, output)| match output {
            Output::Send(frame) => match &*frame.body {
                Body::Reply { to, result } => Some((*to, result.as_ref().err().map(|r| r.code))),
                _ => None,
            },
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(replies, [(1, Some(Code::BadArgs))]);
}
