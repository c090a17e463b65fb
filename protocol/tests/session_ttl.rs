//! Emits whose time to live is over are not executed, and their callers are told so.

use std::time::Duration;

use serde_json::json;
use socketio_p2p_protocol::{
    Body, Cause, Code, Frame, Outcome, Path, Refusal,
    limits::{CHUNK_BYTES, PENDING_CALLS},
    session::Input,
};

use crate::sessions::{CALL_TIME, End, Pair, emit_frame, not_executed};

const TTL: Duration = Duration::from_millis(500);

fn with_ttl(frame: Frame, ttl: Duration) -> Frame {
    Frame { ttl: Some(ttl), ..frame }
}

/// An end whose handlers are all busy: those that are to reply, or the others.
fn busy(reply: bool) -> End {
    let mut end = End::new();
    for value in 0..PENDING_CALLS {
        end.partner_emits(json!(value), reply);
    }
    end.delivered.clear();
    end
}

/// A handler is done, and its reply, the frame with this number, has arrived.
fn finish(end: &mut End, seq: u64, reply: u64) {
    end.finish(seq, json!(null));
    end.partner_takes(reply);
}

#[test]
fn a_frame_says_how_long_it_may_still_wait_whenever_it_is_sent() {
    let mut end = End::new();
    end.emit_until(json!("x"), Some(end.now + TTL));
    assert_eq!(end.sent[0].1.ttl, Some(TTL));

    for passed in [200, 200, 200] {
        end.pass(Duration::from_millis(passed));
        end.handle(Input::Closed(Path::Relay));
        end.handle(Input::Opened(Path::Relay));
    }

    let said: Vec<_> = end.sent.iter().map(|(_, frame)| frame.ttl.unwrap().as_millis()).collect();
    assert_eq!(said, [500, 300, 100, 0]);
}

#[test]
fn an_emit_without_a_time_to_live_says_nothing_of_it() {
    let mut end = End::new();

    end.emit(json!("x"));

    assert_eq!(end.sent[0].1.ttl, None);
}

#[test]
fn an_emit_that_waited_too_long_for_a_handler_is_not_executed() {
    let mut end = busy(true);
    let next = PENDING_CALLS as u64 + 1;
    end.receive(with_ttl(emit_frame(next, json!("late"), true), TTL));
    end.receive(emit_frame(next + 1, json!("in time"), true));
    end.pass(TTL);
    end.sent.clear();

    finish(&mut end, 1, 1);
    let expired = Body::Reply { to: next, result: Err(Refusal::from(Code::Expired)) };
    assert_eq!(*end.sent[1].1.body, expired);
    finish(&mut end, 2, 3);

    assert_eq!(end.delivered_numbers(), [next + 1], "the next in order");
}

#[test]
fn one_that_wants_no_reply_is_skipped_in_silence() {
    let mut end = busy(false);
    let next = PENDING_CALLS as u64 + 1;
    end.receive(with_ttl(emit_frame(next, json!("late"), false), TTL));
    end.pass(TTL);
    end.sent.clear();

    end.finish(1, json!(null));

    assert_eq!(end.delivered.len(), 0);
    assert_eq!(end.sent.len(), 0);
    end.finish(2, json!(null));
    end.pass(CALL_TIME);
    assert_eq!(end.sent.back().unwrap().1.ack, next, "it was taken");
}

#[test]
fn an_emit_is_executed_until_the_last_moment() {
    let mut end = busy(true);
    let next = PENDING_CALLS as u64 + 1;
    end.receive(with_ttl(emit_frame(next, json!("x"), true), TTL));
    end.pass(TTL - Duration::from_millis(1));
    assert!(end.delivered.is_empty());

    finish(&mut end, 1, 1);

    assert_eq!(end.delivered_numbers(), [next]);
}

#[test]
fn one_that_comes_again_does_not_get_more_time() {
    let mut end = busy(true);
    let next = PENDING_CALLS as u64 + 1;
    let emit = with_ttl(emit_frame(next, json!("x"), true), TTL);
    end.receive(emit.clone());
    end.pass(TTL / 2);
    end.receive(emit);
    end.pass(TTL / 2);

    finish(&mut end, 1, 1);

    assert_eq!(end.delivered.len(), 0);
}

#[test]
fn a_handler_that_started_in_time_is_not_hurried() {
    let mut pair = Pair::new();
    let expires = pair.a.now + TTL;
    pair.a.call_with(1, json!("x"), Some(expires));
    pair.exchange();
    pair.pass(2 * TTL);

    pair.b.finish(1, json!("y"));
    pair.exchange();

    assert!(matches!(pair.a.resolved[..], [(1, Outcome::Replied(..))]));
}

#[test]
fn a_time_beyond_all_clocks_never_comes() {
    let mut end = End::new();

    let frame =
        Frame::from_text(r#"{"s":1,"k":0,"t":"emit","e":"n","x":18446744073709551615,"a":[]}"#);
    end.receive(frame.unwrap());

    assert_eq!(end.delivered_numbers(), [1]);
}

#[test]
fn one_that_comes_without_any_time_left_is_not_executed() {
    let mut end = End::new();

    end.receive(with_ttl(emit_frame(1, json!("x"), true), Duration::ZERO));

    assert_eq!(end.delivered.len(), 0);
    assert_eq!(end.sent.len(), 1);
}

#[test]
fn one_whose_time_was_over_before_it_was_sent_is_not_executed() {
    let mut end = End::new();
    let now = Some(end.now);

    end.call_with(1, json!("x"), now);
    end.emit_until(json!("x"), now);

    assert_eq!(end.resolved, [(1, not_executed(Code::Expired))]);
    assert_eq!(end.sent.len(), 0);
}

#[test]
fn its_caller_learns_that_it_was_not_executed() {
    let mut end = End::new();
    end.call(1);

    end.partner_replies(1, Err(Code::Expired.into()));

    assert_eq!(end.resolved, [(1, not_executed(Code::Expired))]);
}

/// The partner may be busy for long; whether it skips the emit then cannot be known.
#[test]
fn its_caller_is_told_at_the_deadline_at_the_latest() {
    let mut pair = Pair { a: End::new(), b: busy(true) };
    // Beside what made it busy.
    pair.a.call_with(1, json!("x"), Some(pair.a.now + TTL));

    pair.a.pass(CALL_TIME);

    assert_eq!(pair.a.resolved, [(1, Outcome::Unknown(Cause::Code(Code::Timeout)))]);
}

#[test]
fn the_last_part_of_a_large_emit_says_how_long_it_may_wait() {
    let mut end = End::new();
    end.emit_until(json!("x".repeat(2 * CHUNK_BYTES)), Some(end.now + TTL));

    let said: Vec<_> = end.sent.iter().map(|(_, frame)| frame.ttl).collect();
    assert_eq!(said, [None, None, Some(TTL)]);
    let mut partner = busy(false);
    let first = PENDING_CALLS as u64;
    for (path, frame) in end.sent.drain(..) {
        let seq = frame.seq + first;
        partner.handle(Input::Received(path, Frame { seq, ack: 0, got: 0, ..frame }));
    }
    partner.pass(TTL);
    partner.finish(1, json!(null));
    assert_eq!(partner.delivered.len(), 0);
}

#[test]
fn a_large_emit_whose_time_is_over_before_it_was_sent_is_given_up() {
    let mut pair = Pair::new();
    let expires = Some(pair.a.now + TTL);
    pair.a.call_with(1, json!("x".repeat(40 * CHUNK_BYTES)), expires);

    pair.a.pass(TTL);
    pair.exchange();

    assert_eq!(pair.a.resolved, [(1, not_executed(Code::Expired))]);
    assert_eq!(pair.b.delivered.len(), 0);
}
