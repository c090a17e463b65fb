//! Large values: cut into parts, one value after another, and whatever is small passes between.

use bytes::Bytes;
use serde_json::{Value, json};
use socketio_p2p_protocol::{
    Args, Body, Cause, Code, EndReason, Frame, Outcome, Route,
    limits::{
        CHUNK_BYTES, JSON_DEPTH, PARTS_UNDER_WAY, PENDING_CALLS, VALUE_BYTES, WINDOW_BYTES,
        WINDOW_FRAMES,
    },
    session::{Input, Violation},
};

use crate::sessions::{CALL_TIME, End, Pair, args, frame, not_executed};

/// A text that travels in about this many parts.
fn text(parts: usize) -> Value {
    json!("x".repeat(parts * CHUNK_BYTES - CHUNK_BYTES / 2))
}

fn part(seq: u64, text: &str, last: bool) -> Frame {
    frame(seq, 0, Body::Part { text: text.to_owned(), last })
}

fn is_part(frame: &Frame) -> bool {
    matches!(*frame.body, Body::Part { .. })
}

fn all_taken(end: &mut End) {
    let highest = end.sent.iter().map(|(_, frame)| frame.seq).max();
    end.sent.clear();
    end.partner_takes(highest.unwrap());
}

#[test]
fn a_value_travels_in_one_frame_if_that_is_at_most_a_chunk() {
    let mut end = End::new();
    let most = CHUNK_BYTES - (64 + "note".len() + r#"[""]"#.len());

    end.emit(json!("x".repeat(most)));
    end.emit(json!("x".repeat(most + 1)));

    let sent: Vec<_> = end.sent.iter().map(|(_, frame)| is_part(frame)).collect();
    assert_eq!(sent, [false, true]);
}

#[test]
fn a_large_emit_and_its_large_reply_arrive_whole() {
    let mut pair = Pair::new();
    pair.a.call_with(7, text(40), None);
    pair.exchange();
    let delivery = pair.b.delivered.pop_front().unwrap();
    assert_eq!(delivery.args, args(text(40)));
    assert_eq!(delivery.seq, 40, "the number of its last part");

    pair.b.finish(delivery.seq, text(50));
    pair.exchange();

    assert_eq!(pair.a.resolved, [(7, Outcome::Replied(args(text(50)), Route::Relay))]);
    assert_eq!((pair.a.violations, pair.b.violations), (vec![], vec![]));
}

#[test]
fn characters_quotes_and_blobs_arrive_as_they_were() {
    let mut pair = Pair::new();
    let json = json!([{"_placeholder": true, "num": 0}, "\u{1f600}\"\\\n".repeat(CHUNK_BYTES)]);
    let blob = Bytes::from(vec![0xff; 3 * CHUNK_BYTES]);
    let args = Args::from_text(json.to_string(), vec![blob]).unwrap();

    let event = "é".to_owned();
    pair.a.handle(Input::Emit { event, args: args.clone(), call: None, expires: None });
    for (_, frame) in &pair.a.sent {
        assert!(frame.to_text().len() <= CHUNK_BYTES + 1024);
    }
    pair.exchange();

    assert_eq!(pair.b.delivered.len(), 1);
    assert_eq!((&*pair.b.delivered[0].event, &pair.b.delivered[0].args), ("é", &args));
}

#[test]
fn at_most_16_parts_are_under_way() {
    let mut end = End::new();
    end.emit(text(40));
    assert_eq!(end.sent.len(), PARTS_UNDER_WAY);

    end.partner_takes(5);

    assert_eq!(end.sent.len(), PARTS_UNDER_WAY + 5);
}

#[test]
fn parts_are_acknowledged_without_delay() {
    let mut end = End::new();

    for seq in 1..=PARTS_UNDER_WAY as u64 {
        end.receive(part(seq, "x", false));
    }

    let told: Vec<_> = end.sent.iter().map(|(_, frame)| frame.got).collect();
    assert_eq!(told, [8, 16]);
}

#[test]
fn replies_and_acknowledgements_pass_between_parts() {
    let mut end = End::new();
    let seq = end.partner_emits(json!("ask"), true);
    end.emit(text(40));
    end.sent.clear();

    end.finish(seq, json!("here"));

    let sent: Vec<_> = end.sent.iter().map(|(_, frame)| is_part(frame)).collect();
    assert_eq!(sent, [false], "the other parts are still to come");
}

#[test]
fn while_an_emit_is_being_cut_the_next_waits() {
    let mut end = End::new();
    end.emit(text(PARTS_UNDER_WAY + 1));
    assert!(!end.session.has_room());

    end.partner_takes(1);

    assert!(end.session.has_room(), "its last part was sent");
}

#[test]
fn emits_pass_while_a_reply_is_being_cut() {
    let mut pair = Pair::new();
    pair.a.call(1);
    pair.exchange();
    pair.b.finish(1, text(40));

    pair.b.emit(json!("small"));

    let (_, last) = pair.b.sent.back().unwrap();
    assert!(matches!(*last.body, Body::Emit { .. }));
    pair.exchange();
    assert_eq!(pair.a.delivered.len(), 1);
    assert_eq!(pair.a.resolved, [(1, Outcome::Replied(args(text(40)), Route::Relay))]);
}

#[test]
fn large_replies_go_one_after_another() {
    let mut pair = Pair::new();
    for call in 1..=3 {
        pair.a.call(call);
    }
    pair.exchange();

    for seq in [2, 3, 1] {
        pair.b.finish(seq, text(20));
    }
    pair.exchange();

    let calls: Vec<_> = pair.a.resolved.iter().map(|(call, _)| *call).collect();
    assert_eq!(calls, [2, 3, 1]);
    assert_eq!(pair.a.violations, []);
}

#[test]
fn what_is_longer_than_a_value_may_be_is_too_large() {
    let mut pair = Pair::new();
    let fits = json!("x".repeat(VALUE_BYTES - r#"[""]"#.len()));
    let larger = json!("x".repeat(VALUE_BYTES + 1024));

    pair.a.call_with(1, larger.clone(), None);
    pair.a.call_with(2, fits.clone(), None);
    pair.exchange();
    let delivery = pair.b.delivered.pop_front().unwrap();
    assert_eq!(delivery.args, args(fits));
    pair.b.finish(delivery.seq, larger);
    pair.exchange();

    assert_eq!(pair.a.resolved[0], (1, not_executed(Code::TooLarge)));
    assert!(
        matches!(&pair.a.resolved[1], (2, Outcome::Failed(refusal)) if refusal.code == Code::TooLarge)
    );
}

/// The window holds what the partner's handlers have not taken, whole.
#[test]
fn a_large_emit_is_not_begun_before_the_window_has_room_for_it() {
    let mut end = End::new();
    end.emit(text(PARTS_UNDER_WAY));
    end.partner_takes(PARTS_UNDER_WAY as u64 - 1); // All but the last part, which is the emit.
    end.sent.clear();

    end.call_with(1, text(60), None);
    assert_eq!(end.sent.len(), 0);
    assert!(!end.session.has_room());
    end.partner_takes(PARTS_UNDER_WAY as u64);

    assert_eq!(end.sent.len(), PARTS_UNDER_WAY);
}

/// The handlers of the partner may wait for it.
#[test]
fn a_large_reply_does_not_wait_for_an_emit_that_waits_for_the_window() {
    let mut end = End::new();
    let seq = end.partner_emits(json!("ask"), true);
    end.emit(text(PARTS_UNDER_WAY));
    end.partner_takes(PARTS_UNDER_WAY as u64 - 1);
    end.emit(text(60));
    end.sent.clear();

    end.finish(seq, text(2));

    let last =
        end.sent.iter().map(|(_, frame)| matches!(*frame.body, Body::Part { last: true, .. }));
    assert_eq!(last.collect::<Vec<_>>(), [false, true]);
}

#[test]
fn when_the_path_changes_the_parts_under_way_are_sent_again() {
    let mut pair = Pair::new();
    pair.a.emit(text(40));
    pair.a.sent.truncate(10);
    for _ in 0..3 {
        let (route, lost) = pair.a.sent.pop_front().unwrap();
        pair.b.handle(Input::Received(route, lost));
    }
    pair.a.sent.clear();

    for end in [&mut pair.a, &mut pair.b] {
        end.handle(Input::Closed(Route::Relay));
        end.handle(Input::Opened(Route::Relay));
    }
    pair.exchange();

    assert_eq!(pair.b.delivered.len(), 1);
    assert_eq!(pair.b.delivered[0].args, args(text(40)));
    assert_eq!(pair.b.violations, []);
}

#[test]
fn without_a_path_no_part_is_numbered() {
    let mut end = End::new();
    end.emit(text(40));
    end.handle(Input::Closed(Route::Relay));
    end.sent.clear();

    end.partner_takes(4);
    assert_eq!(end.sent.len(), 0);
    end.handle(Input::Opened(Route::Relay));

    let numbers: Vec<u64> = (5..=4 + PARTS_UNDER_WAY as u64).collect();
    assert_eq!(end.sent_numbers(), numbers);
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
fn an_emit_that_is_taken_back_before_its_first_part_was_never_there() {
    let mut end = End::new();
    end.emit(text(PARTS_UNDER_WAY));
    end.partner_takes(PARTS_UNDER_WAY as u64 - 1);
    end.call_with(1, text(60), None);
    end.sent.clear();

    end.handle(Input::Cancelled(1));

    assert_eq!(end.sent.len(), 0);
    assert!(end.session.has_room());
}

/// Whoever does so again and again has no more under way than the partner takes.
#[test]
fn emits_that_are_taken_back_again_and_again_overrun_nothing() {
    let mut end = End::new();
    for call in 0..100 {
        end.call_with(call, text(20), None);
        end.handle(Input::Cancelled(call));
    }

    assert_eq!(end.sent.len(), PARTS_UNDER_WAY + 1);
    let mut partner = End::new();
    for (route, frame) in end.sent.drain(..) {
        partner.handle(Input::Received(route, frame));
    }
    assert_eq!(partner.violations, []);
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

#[test]
fn a_partner_whose_value_is_too_long_is_reported_once_and_its_next_value_counts() {
    let mut end = End::new();
    let piece = "x".repeat(CHUNK_BYTES);
    let count = 2 * (VALUE_BYTES / CHUNK_BYTES) as u64;

    for seq in 1..=count {
        end.receive(part(seq, &piece, seq == count));
    }
    assert_eq!(end.violations, [Violation::Value]);
    end.receive(part(count + 1, r#"{"t":"emit","e":"n","#, false));
    end.receive(part(count + 2, r#""a":[1]}"#, true));

    assert_eq!(end.delivered.len(), 1);
    assert_eq!(end.violations, [Violation::Value]);
}

#[test]
fn parts_of_no_value_are_a_violation() {
    let deep = "[".repeat(JSON_DEPTH + 1) + &"]".repeat(JSON_DEPTH + 1);
    let blobs = vec!["\"AA==\""; VALUE_BYTES / 8].join(",");
    for text in [
        "",
        "7",
        "{",
        r#"["emit"]"#,
        r#"{"t":"ack"}"#,
        r#"{"t":"drop"}"#,
        r#"{"t":"part","d":"{}","z":true}"#,
        r#"{"t":"emit","a":[]}"#,
        r#"{"t":"emit","e":"n","a":["\ud800"]}"#,
        r#"{"t":"reply","to":1,"a":[1e999]}"#,
        &format!(r#"{{"t":"emit","e":"n","a":{deep}}}"#),
        &format!(r#"{{"t":"emit","e":"n","a":[],"b":[{blobs}]}}"#),
    ] {
        let mut end = End::new();

        end.receive(part(1, text, true));
        end.partner_emits(json!("the number was used"), false);
        end.receive(part(2, r#"{"t":"emit","e":"n","a":[2]}"#, true));

        assert_eq!(end.violations, [Violation::Value], "{:.40}", text);
        assert_eq!(end.delivered_numbers(), [2], "{:.40}", text);
    }
}

#[test]
fn nothing_to_drop_is_no_harm() {
    let mut end = End::new();

    end.receive(frame(1, 0, Body::Drop));
    end.receive(part(2, r#"{"t":"emit","e":"n","a":[2]}"#, true));

    assert_eq!(end.delivered_numbers(), [2]);
    assert_eq!(end.violations, []);
}

#[test]
fn emits_that_wait_for_a_handler_are_counted_also_if_they_came_in_parts() {
    let mut end = End::new();
    let most = (PENDING_CALLS + WINDOW_FRAMES) as u64;

    for seq in 1..=most + 3 {
        end.receive(part(seq, r#"{"t":"emit","e":"n","a":[2]}"#, true));
    }

    assert_eq!(end.violations, [Violation::Window; 3]);
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

#[test]
fn a_large_value_that_could_not_all_be_sent_is_answered_once_the_partner_is_back() {
    let mut pair = Pair::new();
    pair.a.call_with(1, text(60), None);
    for end in [&mut pair.a, &mut pair.b] {
        end.handle(Input::Closed(Route::Relay));
    }
    pair.a.sent.clear();
    all_lost(&mut pair);

    for end in [&mut pair.a, &mut pair.b] {
        end.handle(Input::Opened(Route::Relay));
    }
    pair.exchange();
    let seq = pair.b.delivered[0].seq;
    pair.b.finish(seq, json!("done"));
    pair.exchange();

    assert_eq!(pair.a.resolved, [(1, Outcome::Replied(args(json!("done")), Route::Relay))]);
}

fn all_lost(pair: &mut Pair) {
    pair.a.sent.clear();
    pair.b.sent.clear();
}

#[test]
fn the_values_of_a_busy_sender_follow_one_another() {
    let mut end = End::new();
    for value in 0..10 {
        assert!(end.session.has_room(), "{value}");
        end.emit(text(10));
        all_taken(&mut end);
    }
}
