//! Large values: cut into parts, one value after another, and whatever is small passes between.

use bytes::Bytes;
use serde_json::json;
use socketio_p2p_protocol::{
    Args, Body, Code, Frame, Outcome, Path,
    limits::{CHUNK_BYTES, JSON_DEPTH, PARTS_UNDER_WAY, PENDING_CALLS, VALUE_BYTES, WINDOW_FRAMES},
    session::{EmitOptions, Input, Violation},
};

use crate::sessions::{End, Pair, args, emit_frame, frame, not_executed, text};

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

    assert_eq!(pair.a.resolved, [(7, Outcome::Replied(args(text(50)), Path::Relay))]);
    for end in [&pair.a, &pair.b] {
        assert_eq!(end.violations, []);
    }
}

#[test]
fn characters_quotes_and_blobs_arrive_as_they_were() {
    let mut pair = Pair::new();
    let json = json!([{"_placeholder": true, "num": 0}, "\u{1f600}\"\\\n".repeat(CHUNK_BYTES)]);
    let blob = Bytes::from(vec![0xff; 3 * CHUNK_BYTES]);
    let args = Args::from_text(json.to_string(), vec![blob]).unwrap();

    let event = "é".to_owned();
    let options = EmitOptions::default();
    pair.a.handle(Input::Emit { call: 0, event, args: args.clone(), options });
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
    assert_eq!(pair.a.resolved, [(1, Outcome::Replied(args(text(40)), Path::Relay))]);
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
        let (path, lost) = pair.a.sent.pop_front().unwrap();
        pair.b.handle(Input::Received(path, lost));
    }
    pair.a.sent.clear();

    for end in [&mut pair.a, &mut pair.b] {
        end.handle(Input::Closed(Path::Relay));
        end.handle(Input::Opened(Path::Relay));
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
    end.handle(Input::Closed(Path::Relay));
    end.sent.clear();

    end.partner_takes(4);
    assert_eq!(end.sent.len(), 0);
    end.handle(Input::Opened(Path::Relay));

    let numbers: Vec<u64> = (5..=4 + PARTS_UNDER_WAY as u64).collect();
    assert_eq!(end.sent_numbers(), numbers);
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

/// An end that does so again and again has no more under way than the partner takes.
#[test]
fn emits_that_are_taken_back_again_and_again_overrun_nothing() {
    let mut end = End::new();
    for call in 0..100 {
        end.call_with(call, text(20), None);
        end.handle(Input::Cancelled(call));
    }

    assert_eq!(end.sent.len(), PARTS_UNDER_WAY + 1);
    let mut partner = End::new();
    for (path, frame) in end.sent.drain(..) {
        partner.handle(Input::Received(path, frame));
    }
    assert_eq!(partner.violations, []);
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

/// A later version may send it. Its numbers are taken, so that the window moves on.
#[test]
fn a_value_in_parts_of_an_unknown_kind_is_reported_and_a_later_call_is_answered() {
    let mut end = End::new();

    end.receive(part(1, r#"{"t":"later","e":{"of":"#, false));
    end.receive(part(2, r#"[1]},"b":7,"a":"x"}"#, true));

    assert_eq!(end.violations, [Violation::Unknown]);
    assert_eq!(end.session.held_bytes(), 0);
    end.receive(emit_frame(3, json!("ask"), true));
    assert_eq!(end.delivered_numbers(), [3]);
    end.finish(3, json!("here"));
    let (_, sent) = end.sent.back().unwrap();
    assert!(matches!(*sent.body, Body::Reply { to: 3, result: Ok(_) }));
    assert_eq!((sent.ack, sent.got), (3, 3));
    assert_eq!(end.violations, [Violation::Unknown]);
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
fn a_large_value_that_could_not_all_be_sent_is_answered_once_the_partner_is_back() {
    let mut pair = Pair::new();
    pair.a.call_with(1, text(60), None);
    for end in [&mut pair.a, &mut pair.b] {
        end.handle(Input::Closed(Path::Relay));
    }
    pair.a.sent.clear();
    pair.b.sent.clear();

    for end in [&mut pair.a, &mut pair.b] {
        end.handle(Input::Opened(Path::Relay));
    }
    pair.exchange();
    let seq = pair.b.delivered[0].seq;
    pair.b.finish(seq, json!("done"));
    pair.exchange();

    assert_eq!(pair.a.resolved, [(1, Outcome::Replied(args(json!("done")), Path::Relay))]);
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
