//! Callers that give up: their handlers hold no place at the partner any more.

use std::time::Duration;

use serde_json::json;
use socketio_p2p_protocol::{
    Body, Cause, Code, Outcome,
    limits::{ACK_DELAY, PENDING_CALLS, WINDOW_FRAMES},
    session::Input,
};

use crate::sessions::{CALL_TIME, End, Pair, emit_frame, frame};

const PLACES: u64 = PENDING_CALLS as u64;

fn cancel(seq: u64, to: u64) -> socketio_p2p_protocol::Frame {
    frame(seq, 0, Body::Cancel { to })
}

/// The numbers of the emits whose callers gave up, by the frames that were sent.
fn cancelled(end: &mut End) -> Vec<u64> {
    let to = |body: &Body| if let Body::Cancel { to } = body { Some(*to) } else { None };
    end.sent.drain(..).filter_map(|(_, frame)| to(&frame.body)).collect()
}

/// Makes as many calls as may wait, which no handler answers.
fn call_in_vain(pair: &mut Pair) {
    for call in 0..PLACES {
        pair.a.call(call);
    }
    pair.exchange();
    assert_eq!(pair.b.delivered_numbers().len(), PENDING_CALLS);
}

#[test]
fn a_caller_that_gives_up_sends_a_cancel() {
    let mut end = End::new();
    end.call(7);
    end.call(8);
    end.call(9);
    end.partner_replies(2, Ok(vec![json!(1)].into()));
    end.sent.clear();

    end.handle(Input::Cancelled(7));
    assert_eq!(cancelled(&mut end), [1]);

    end.pass(CALL_TIME);
    assert_eq!(cancelled(&mut end), [3]);
}

#[test]
fn a_cancel_waits_for_room_in_the_window_and_later_emits_for_the_cancel() {
    let mut end = End::new();
    end.call(7);
    for value in 1..WINDOW_FRAMES {
        end.emit(json!(value));
    }
    end.handle(Input::Cancelled(7));
    end.partner_takes(0);
    assert!(cancelled(&mut end).is_empty());

    end.partner_takes(1);

    assert_eq!(cancelled(&mut end), [1]);
    assert!(!end.session.has_room(), "the cancel took the room");
}

#[test]
fn a_handler_whose_caller_gave_up_holds_no_place() {
    let mut pair = Pair::new();
    call_in_vain(&mut pair);
    assert!(!pair.a.session.has_room());

    pair.pass(CALL_TIME);
    assert!(pair.a.session.has_room());
    assert_eq!(pair.b.abandoned, (1..=PLACES).collect::<Vec<_>>());
    call_in_vain(&mut pair);

    assert_eq!(pair.b.violations, []);
}

#[test]
fn what_a_handler_returns_after_its_caller_gave_up_is_not_sent() {
    let mut end = End::new();
    let seq = end.partner_emits(json!(1), true);
    end.receive(cancel(2, seq));
    end.pass(ACK_DELAY);
    assert_eq!(end.abandoned, [seq]);
    end.sent.clear();

    end.finish(seq, json!("late"));

    assert_eq!(end.sent.len(), 0);
}

#[test]
fn a_cancel_that_crosses_the_reply_has_no_effect() {
    let mut end = End::new();
    let seq = end.partner_emits(json!(1), true);
    end.finish(seq, json!(2));

    end.receive(cancel(2, seq));

    assert_eq!((end.abandoned.len(), end.violations.len()), (0, 0));
}

#[test]
fn a_cancel_of_an_emit_without_a_reply_or_of_what_never_came_has_no_effect() {
    let mut end = End::new();
    end.partner_emits(json!(1), false);

    end.receive(cancel(2, 1));
    end.receive(cancel(3, 99));

    assert_eq!((end.abandoned.len(), end.violations.len()), (0, 0));
}

#[test]
fn unanswered_calls_do_not_hold_up_emits_without_a_reply() {
    let mut end = End::new();
    for call in 1..=PLACES {
        end.receive(emit_frame(call, json!(call), true));
    }
    for seq in PLACES + 1..=2 * PLACES + 1 {
        end.receive(emit_frame(seq, json!(seq), false));
    }
    assert_eq!(end.delivered_numbers(), (1..=2 * PLACES).collect::<Vec<_>>());

    // Those have a limit of their own.
    end.finish(1, json!(null));
    assert!(end.delivered_numbers().is_empty());
    end.finish(2 * PLACES, json!(null));
    assert_eq!(end.delivered_numbers(), [2 * PLACES + 1]);
}

#[test]
fn a_call_whose_caller_gave_up_before_its_turn_runs_in_its_turn_and_holds_no_place() {
    let mut end = End::new();
    for seq in 1..=PLACES + 1 {
        end.receive(emit_frame(seq, json!(seq), true));
    }
    assert_eq!(end.delivered_numbers().len(), PENDING_CALLS);

    end.receive(cancel(PLACES + 2, PLACES + 1));
    assert_eq!(end.delivered_numbers(), [PLACES + 1]);
    assert_eq!(end.abandoned, [PLACES + 1]);

    end.receive(emit_frame(PLACES + 3, json!("next"), true));
    assert!(end.delivered_numbers().is_empty(), "the others hold their places");
    end.finish(1, json!(null));
    end.partner_takes(1);
    assert_eq!(end.delivered_numbers(), [PLACES + 3]);
}

#[test]
fn a_cancelled_call_is_unknown_at_its_deadline_and_an_answer_comes_too_late() {
    let mut pair = Pair::new();
    pair.a.call(7);
    pair.exchange();
    pair.a.pass(CALL_TIME);
    pair.b.finish(1, json!("just in time there"));

    pair.exchange();

    let timeout = Outcome::Unknown(Cause::Code(Code::Timeout));
    assert_eq!(pair.a.resolved, [(7, timeout)]);
    pair.pass(Duration::from_secs(1));
    assert!(pair.a.session.is_confirmed() && pair.b.session.is_confirmed());
    assert!(pair.a.violations.is_empty() && pair.b.violations.is_empty());
}
