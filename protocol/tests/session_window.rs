//! The window: the only queue, bounded in frames and bytes, and never a deadlock.

use serde_json::json;
use socketio_p2p_protocol::{
    Body, Code, Refusal,
    limits::{ACK_DELAY, CHUNK_BYTES, PARTS_UNDER_WAY, PENDING_CALLS, WINDOW_BYTES, WINDOW_FRAMES},
    session::{Input, Violation},
};

use crate::sessions::{End, Pair, args, emit_frame, frame, not_executed, text};

#[test]
fn a_session_without_a_path_has_no_room() {
    let end = End::closed();

    assert!(!end.session.has_room());
}

#[test]
fn the_window_is_full_at_256_frames_until_the_partner_takes_one() {
    let mut end = End::new();
    for value in 0..WINDOW_FRAMES {
        assert!(end.session.has_room());
        end.emit(json!(value));
    }
    assert!(!end.session.has_room());

    end.partner_takes(1);

    assert!(end.session.has_room());
}

#[test]
fn an_emit_that_arrived_and_was_not_taken_still_fills_the_window() {
    let mut end = End::new();
    for value in 0..WINDOW_FRAMES {
        end.emit(json!(value));
    }

    let mut arrived = frame(0, 0, Body::Ack);
    arrived.got = WINDOW_FRAMES as u64;
    end.receive(arrived);

    assert!(!end.session.has_room());
}

#[test]
fn what_a_paused_end_does_not_take_stays_in_its_partners_window() {
    let mut pair = Pair::new();
    pair.b.handle(Input::Paused);
    let mut emitted = 0;
    while pair.a.session.has_room() {
        pair.a.emit(json!(emitted));
        emitted += 1;
        pair.exchange();
        pair.pass(ACK_DELAY);
    }
    assert_eq!((emitted, pair.b.delivered.len()), (WINDOW_FRAMES, 0));

    pair.b.handle(Input::Resumed);
    pair.exchange();

    assert_eq!(pair.b.delivered.len(), WINDOW_FRAMES);
}

/// Its handlers run, its window waits here, and no more comes: nothing is ever dropped.
#[test]
fn a_partner_whose_handlers_never_finish_makes_the_sender_wait() {
    let mut pair = Pair::new();
    let mut emitted = 0;
    while pair.a.session.has_room() {
        pair.a.emit(json!(emitted));
        emitted += 1;
        pair.exchange();
        pair.pass(ACK_DELAY);
    }

    assert_eq!(emitted, PENDING_CALLS + WINDOW_FRAMES);
    assert_eq!(pair.b.delivered.len(), PENDING_CALLS);
    assert_eq!(pair.b.violations, []);
}

#[test]
fn the_window_is_full_at_1_mib() {
    let mut end = End::new();
    let text = "x".repeat(CHUNK_BYTES - 72);
    for _ in 0..WINDOW_BYTES / CHUNK_BYTES {
        assert!(end.session.has_room());
        end.emit(json!(text));
    }
    assert!(!end.session.has_room());

    end.partner_takes(1);

    assert!(end.session.has_room());
}

#[test]
fn an_emit_that_did_not_wait_for_room_is_not_executed() {
    let mut end = End::new();
    for value in 0..WINDOW_FRAMES {
        end.emit(json!(value));
    }
    end.sent.clear();

    end.call(7);

    assert_eq!(end.resolved, [(7, not_executed(Code::Congested))]);
    assert_eq!(end.sent.len(), 0);
}

#[test]
fn an_end_has_at_most_256_pending_calls() {
    let mut end = End::new();
    for call in 0..PENDING_CALLS as u64 {
        end.call(call);
    }
    end.partner_takes(PENDING_CALLS as u64);
    assert!(!end.session.has_room(), "though the window is empty");
    assert_eq!(end.session.pending_calls(), PENDING_CALLS);

    end.partner_replies(1, Ok(args(json!(null))));

    assert!(end.session.has_room());
}

#[test]
fn at_most_256_handlers_run_and_k_covers_an_emit_once_its_handler_started() {
    let mut end = End::new();
    let running = PENDING_CALLS as u64;
    for value in 0..running + 2 {
        end.partner_emits(json!(value), false);
    }
    assert_eq!(end.delivered.len(), PENDING_CALLS);
    end.pass(ACK_DELAY);
    let (_, told) = end.sent.pop_back().unwrap();
    assert_eq!((told.ack, told.got), (running, running + 2));

    end.finish(1, json!(null));

    assert_eq!(end.delivered.len(), PENDING_CALLS + 1);
    end.pass(ACK_DELAY);
    let (_, told) = end.sent.pop_back().unwrap();
    assert_eq!((told.ack, told.got), (running + 1, running + 2));
}

#[test]
fn replies_pass_emits_that_wait_for_a_handler() {
    let mut end = End::new();
    end.call(1);
    for value in 0..=PENDING_CALLS {
        end.partner_emits(json!(value), false);
    }

    end.partner_replies(1, Ok(args(json!("here"))));

    assert_eq!(end.resolved.len(), 1);
}

/// Each has called until its window was full, and every handler is busy.
#[test]
fn two_ends_that_are_both_full_still_answer_each_other() {
    let mut pair = Pair::new();
    for call in 0..WINDOW_FRAMES as u64 {
        pair.a.call(call);
        pair.b.call(call);
    }
    assert!(!pair.a.session.has_room() && !pair.b.session.has_room());
    pair.exchange();

    for end in [&mut pair.a, &mut pair.b] {
        for seq in end.delivered_numbers() {
            end.finish(seq, json!(seq));
        }
    }
    pair.exchange();

    for end in [&pair.a, &pair.b] {
        assert_eq!(end.resolved.len(), WINDOW_FRAMES);
        assert_eq!(end.violations, []);
        assert!(end.session.has_room());
    }
}

/// The partner's handlers are all busy and one emit waits, while the partner itself calls on and
/// on: its calls are answered, and neither end takes the other for a cheat.
#[test]
fn an_emit_that_waits_for_a_handler_holds_up_no_replies() {
    let mut pair = Pair::new();
    for _ in 0..=PENDING_CALLS {
        pair.a.emit(json!("slow"));
        pair.exchange();
    }
    assert_eq!(pair.b.delivered.len(), PENDING_CALLS, "and one waits");

    let calls = 5 * PENDING_CALLS as u64;
    for call in 0..calls {
        assert!(pair.b.session.has_room(), "call {call}");
        pair.b.call(call);
        pair.exchange();
        for seq in pair.a.delivered_numbers() {
            pair.a.finish(seq, json!(seq));
        }
        pair.exchange();
    }

    assert_eq!(pair.b.resolved.len() as u64, calls);
    assert_eq!(pair.a.violations, []);
    assert_eq!(pair.b.violations, []);
}

/// A partner cannot make this end keep more replies than it has handlers.
#[test]
fn a_partner_that_does_not_acknowledge_replies_gets_no_more_handlers() {
    let mut end = End::new();
    let mut handled = 0;
    for value in 0..PENDING_CALLS + 10 {
        end.partner_emits(json!(value), true);
        for seq in end.delivered_numbers() {
            handled += 1;
            end.finish(seq, json!(null));
        }
    }
    assert_eq!(handled, PENDING_CALLS);

    end.partner_takes(10);

    assert_eq!(end.delivered.len(), 10);
}

#[test]
fn a_partner_that_overruns_its_window_in_frames_is_reported_and_dropped() {
    let mut end = End::new();
    let most = (WINDOW_FRAMES + PENDING_CALLS + PARTS_UNDER_WAY + 1) as u64;

    end.receive(emit_frame(most, json!("early"), false));
    assert_eq!(end.violations, []);
    end.receive(emit_frame(most + 1, json!("too early"), false));
    end.receive(emit_frame(u64::MAX, json!("too early"), false));

    assert_eq!(end.violations, [Violation::Window, Violation::Window]);
}

#[test]
fn a_partner_that_emits_on_though_its_emits_wait_is_reported() {
    let mut end = End::new();

    for value in 0..=PENDING_CALLS + WINDOW_FRAMES {
        end.partner_emits(json!(value), false);
    }

    assert_eq!(end.violations, [Violation::Window]);
}

#[test]
fn a_partner_that_overruns_its_window_in_bytes_is_reported_and_dropped() {
    let mut end = End::new();
    let text = "x".repeat(WINDOW_BYTES);

    for seq in 2..=6 {
        end.receive(emit_frame(seq, json!(text), false));
    }

    assert_eq!(end.violations, [Violation::Window, Violation::Window]);
}

#[test]
fn an_acknowledgement_of_what_was_never_sent_is_a_violation() {
    let mut end = End::new();
    end.emit(json!("x"));

    end.partner_takes(2);
    let mut got = frame(0, 0, Body::Ack);
    got.got = 2;
    end.receive(got);
    end.partner_takes(u64::MAX);

    assert_eq!(end.violations, [Violation::Ack; 3]);
    end.sent.clear();
    end.handle(Input::Opened(socketio_p2p_protocol::Path::Direct));
    assert_eq!(end.sent_numbers(), [1], "it is still in the window");
}

#[test]
fn a_reply_to_what_was_never_sent_is_a_violation() {
    let mut end = End::new();

    end.partner_replies(1, Ok(args(json!(null))));
    end.partner_replies(9, Err(Code::Unhandled.into()));

    assert_eq!(end.violations, [Violation::Reply, Violation::Reply]);
}

#[test]
fn an_event_that_may_not_be_emitted_runs_no_handler_and_is_answered() {
    let mut end = End::new();
    for (seq, event) in [(1, "disconnect"), (2, "P2P_FRAME")] {
        let event = event.to_owned();
        let body = Body::Emit { event, args: args(json!(null)), wants_reply: seq == 1 };
        end.receive(frame(seq, 0, body));
    }

    assert_eq!(end.violations, [Violation::Event, Violation::Event]);
    assert_eq!(end.delivered.len(), 0);
    assert_eq!(end.sent.len(), 1);
    let refusal = Refusal::from(Code::BadEvent);
    assert_eq!(*end.sent[0].1.body, Body::Reply { to: 1, result: Err(refusal) });
}

/// They come at once when the frame before them arrives.
#[test]
fn hundreds_of_bad_events_at_once_do_no_harm() {
    let mut end = End::new();
    for seq in (1..=WINDOW_FRAMES as u64).rev() {
        let body =
            Body::Emit { event: "connect".to_owned(), args: args(json!(null)), wants_reply: true };
        end.receive(frame(seq, 0, body));
    }

    assert_eq!(end.violations.len(), WINDOW_FRAMES);
    assert_eq!(end.sent.len(), WINDOW_FRAMES);
}

#[test]
fn no_handler_starts_while_replies_hold_1_mib() {
    let mut end = End::new();
    let mut handled = 0;
    for _ in 0..2 * PENDING_CALLS {
        end.partner_emits(json!("x"), true);
        for seq in end.delivered_numbers() {
            handled += 1;
            end.finish(seq, text(1));
        }
    }
    let most = WINDOW_BYTES.div_ceil(CHUNK_BYTES / 2);
    assert!((most - 2..=most).contains(&handled), "{handled}");

    end.partner_takes(10);

    assert_ne!(end.delivered.len(), 0);
}

/// Handlers that started together may say more at once than fits.
#[test]
fn replies_beyond_the_windows_bytes_wait_and_none_is_lost() {
    let mut pair = Pair::new();
    for call in 0..PENDING_CALLS as u64 {
        pair.a.call(call);
    }
    pair.exchange();

    for seq in pair.b.delivered_numbers() {
        pair.b.finish(seq, text(if seq % 16 == 0 { 20 } else { 1 }));
    }
    let bytes: usize = pair.b.sent.iter().map(|(_, frame)| frame.body.size()).sum();
    assert!(bytes <= 2 * WINDOW_BYTES, "{bytes}");
    // The worst that a path can do: what was sent first comes last.
    pair.b.sent.rotate_left(1);
    pair.exchange();

    assert_eq!(pair.a.resolved.len(), PENDING_CALLS);
    assert_eq!(pair.a.violations, []);
}
