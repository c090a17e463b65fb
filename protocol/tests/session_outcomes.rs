//! The outcomes that a caller learns: exactly once, and never a guess.

use std::time::Duration;

use serde_json::json;
use socketio_p2p_protocol::{
    Body, Cause, Code, EndReason, Outcome, Path, Refusal, limits::ACK_DELAY, session::Input,
};

use crate::sessions::{CALL_TIME, End, Pair, args, emit_frame, not_executed, text};

#[test]
fn a_call_is_answered_with_what_the_handler_returned_and_its_way() {
    let mut pair = Pair::new();
    pair.a.call(7);
    pair.exchange();
    let delivery = pair.b.delivered.pop_front().unwrap();
    assert_eq!((delivery.seq, &delivery.event[..]), (1, "ask"));
    assert!(delivery.wants_reply);

    pair.b.finish(1, json!({"x": 1}));
    pair.exchange();

    assert_eq!(pair.a.resolved, [(7, Outcome::Replied(args(json!({"x": 1})), Path::Relay))]);
}

#[test]
fn replies_go_to_their_calls_in_whatever_order_they_come() {
    let mut pair = Pair::new();
    for call in 1..=3 {
        pair.a.call(call);
    }
    pair.exchange();

    for seq in [2, 3, 1] {
        pair.b.finish(seq, json!(seq));
    }
    pair.exchange();

    let value = |call| (call, Outcome::Replied(args(json!(call)), Path::Relay));
    assert_eq!(pair.a.resolved, [value(2), value(3), value(1)]);
}

#[test]
fn an_emit_without_acknowledgement_gets_no_reply() {
    let mut pair = Pair::new();
    pair.a.emit(json!("x"));
    pair.exchange();
    assert!(!pair.b.delivered[0].wants_reply);

    pair.b.finish(1, json!("y"));

    assert_eq!(pair.b.sent.len(), 0);
}

#[test]
fn a_handler_that_failed_is_reported_as_such() {
    let mut end = End::new();
    end.call(1);

    let refusal = Refusal::new(Code::HandlerFailed, "division by zero");
    end.partner_replies(1, Err(refusal.clone()));

    assert_eq!(end.resolved, [(1, Outcome::Failed(refusal))]);
}

#[test]
fn refused_before_any_handler_is_not_executed() {
    for code in [Code::Unhandled, Code::BadEvent, Code::BadArgs, Code::Congested] {
        let mut end = End::new();
        end.call(1);

        end.partner_replies(1, Err(code.into()));

        assert_eq!(end.resolved, [(1, not_executed(code))]);
    }
}

#[test]
fn a_v1_handler_that_never_acknowledged_is_unknown() {
    let mut end = End::new();
    end.call(1);

    end.partner_replies(1, Err(Code::Timeout.into()));

    let unknown = Outcome::Unknown(Cause::Code(Code::Timeout));
    assert_eq!(end.resolved, [(1, unknown)]);
}

#[test]
fn at_its_deadline_a_call_is_unknown_and_a_late_reply_is_ignored() {
    let mut end = End::new();
    end.call(1);
    end.pass(CALL_TIME - Duration::from_millis(1));
    assert_eq!(end.resolved, []);

    end.pass(Duration::from_millis(1));
    end.partner_replies(1, Ok(args(json!("late"))));

    let unknown = Outcome::Unknown(Cause::Code(Code::Timeout));
    assert_eq!(end.resolved, [(1, unknown)]);
    assert_eq!(end.violations, []);
}

#[test]
fn a_cancelled_call_is_answered_no_more() {
    let mut end = End::new();
    end.call(1);
    end.call(2);

    end.handle(Input::Cancelled(1));
    end.partner_replies(1, Ok(args(json!("late"))));
    end.pass(CALL_TIME);

    assert_eq!(end.resolved.len(), 1);
    assert_eq!(end.resolved[0].0, 2);
    assert_eq!(end.violations, []);
}

#[test]
fn a_second_reply_is_ignored() {
    let mut end = End::new();
    end.call(1);

    end.partner_replies(1, Ok(args(json!(1))));
    end.partner_replies(1, Ok(args(json!(2))));

    assert_eq!(end.resolved.len(), 1);
}

#[test]
fn a_handler_finishes_once() {
    let mut end = End::new();
    let seq = end.partner_emits(json!("x"), true);

    end.finish(seq, json!(1));
    end.finish(seq, json!(2));
    end.finish(99, json!(3));

    assert_eq!(end.sent_numbers(), [1]);
}

#[test]
fn when_the_pairing_ends_every_pending_call_is_unknown() {
    let mut end = End::new();
    end.call(1);
    end.call(2);

    end.handle(Input::Ended(EndReason::Disconnected));

    let unknown = Outcome::Unknown(Cause::Ended(EndReason::Disconnected));
    assert_eq!(end.resolved, [(1, unknown.clone()), (2, unknown)]);
    assert_eq!(end.session.poll_timeout(), None);
    assert!(!end.session.has_room());
}

#[test]
fn an_emit_after_the_end_is_not_executed() {
    let mut end = End::new();
    end.handle(Input::Ended(EndReason::Unregistered));

    end.call(1);
    end.emit(json!("x"));

    assert_eq!(end.resolved, [(1, not_executed(Code::NotPaired))]);
    assert_eq!(end.sent.len(), 0);
}

#[test]
fn after_the_end_nothing_else_has_an_effect() {
    let mut end = End::new();
    let seq = end.partner_emits(json!("x"), true);
    end.handle(Input::Ended(EndReason::Kicked));

    end.receive(emit_frame(2, json!("x"), true));
    end.finish(seq, json!("y"));
    end.handle(Input::Opened(Path::Direct));
    end.handle(Input::Refused(Path::Direct));
    end.handle(Input::Ended(EndReason::Kicked));
    end.pass(Duration::from_secs(60));

    assert_eq!(end.delivered.len(), 1);
    assert_eq!(end.sent.len(), 0);
    assert_eq!(end.resolved, []);
}

#[test]
fn the_reply_says_by_which_path_it_came() {
    let mut end = End::new();
    end.call(1);
    let reply = socketio_p2p_protocol::Body::Reply { to: 1, result: Ok(args(json!(null))) };

    let frame = crate::sessions::frame(1, 1, reply);
    end.handle(Input::Received(Path::Direct, frame));

    assert_eq!(end.resolved, [(1, Outcome::Replied(args(json!(null)), Path::Direct))]);
    end.pass(ACK_DELAY);
    assert_eq!(end.sent.pop_back().unwrap().1.ack, 1);
}

/// It was not sent: the partner cannot know what it is.
#[test]
fn an_emit_whose_deadline_comes_before_its_last_part_is_not_executed() {
    let mut pair = Pair::new();
    pair.a.call_with(1, text(40), None);

    pair.a.pass(CALL_TIME);

    assert_eq!(pair.a.resolved, [(1, not_executed(Code::Timeout))]);
    assert_eq!(*pair.a.sent.back().unwrap().1.body, Body::Drop);
    assert!(pair.a.session.has_room());
    assert_eq!(pair.a.session.poll_timeout(), None);
    pair.a.call_with(2, text(20), None);
    pair.exchange();
    assert_eq!(pair.b.delivered.len(), 1);
    assert_eq!(pair.b.delivered[0].args, args(text(20)));
    assert_eq!(pair.b.violations, []);
}

#[test]
fn an_emit_whose_last_part_was_sent_is_unknown_at_its_deadline() {
    let mut end = End::new();
    end.call_with(1, text(2), None);

    end.pass(CALL_TIME);

    assert_eq!(end.resolved, [(1, Outcome::Unknown(Cause::Code(Code::Timeout)))]);
}

#[test]
fn an_emit_that_is_taken_back_before_its_last_part_is_not_executed() {
    let mut pair = Pair::new();
    pair.a.call_with(1, text(40), None);

    pair.a.handle(Input::Cancelled(1));
    pair.a.pass(CALL_TIME);
    pair.exchange();

    assert_eq!(pair.a.resolved, [], "nobody wants to know");
    assert_eq!(pair.b.delivered.len(), 0);
    assert!(pair.a.session.has_room());
}

#[test]
fn when_the_pairing_ends_an_emit_that_was_not_sent_is_not_executed() {
    let mut end = End::new();
    end.call_with(1, text(2), None);
    end.call_with(2, text(40), None);
    assert_eq!(end.session.pending_calls(), 2);

    end.handle(Input::Ended(EndReason::Kicked));

    end.resolved.sort_by_key(|(call, _)| *call);
    let cause = Cause::Ended(EndReason::Kicked);
    let outcomes = [(1, Outcome::Unknown(cause)), (2, Outcome::NotExecuted(cause))];
    assert_eq!(end.resolved, outcomes);
    assert_eq!(end.session.pending_calls(), 0);
}
