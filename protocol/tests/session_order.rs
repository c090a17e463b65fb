//! Order, duplicates, gaps, paths.

use std::time::Duration;

use serde_json::json;
use socketio_p2p_protocol::{
    Body, Path,
    limits::{ACK_DELAY, ACK_EVERY, RESEND_DELAY, RESEND_DELAY_MAX},
    session::{EmitOptions, Input},
};

use crate::sessions::{End, Pair, args, emit_frame, text};

#[test]
fn frames_are_numbered_from_1() {
    let mut end = End::new();

    end.emit(json!("x"));
    end.emit(json!("y"));

    assert_eq!(end.sent_numbers(), [1, 2]);
}

#[test]
fn frames_are_taken_strictly_in_order() {
    let mut end = End::new();

    for seq in [3, 1, 4, 2] {
        end.receive(emit_frame(seq, json!(seq), false));
    }

    let values: Vec<u64> = end
        .delivered
        .iter()
        .map(|delivery| delivery.args.parse::<Vec<u64>>().unwrap()[0])
        .collect();
    assert_eq!(values, [1, 2, 3, 4]);
}

#[test]
fn a_frame_seen_before_is_dropped() {
    let mut end = End::new();
    for seq in [1, 3, 3, 1, 2, 2, 3] {
        end.receive(emit_frame(seq, json!("first"), false));
    }

    assert_eq!(end.delivered_numbers(), [1, 2, 3]);
    assert_eq!(end.violations, []);
}

#[test]
fn behind_a_gap_everything_waits() {
    let mut end = End::new();

    end.receive(emit_frame(2, json!(2), false));
    end.receive(emit_frame(3, json!(3), false));

    assert_eq!(end.delivered_numbers(), [0; 0]);
    end.pass(ACK_DELAY * 2);
    assert_eq!(end.sent_numbers(), [0; 0], "nothing arrived without a gap");
}

#[test]
fn sixty_four_frames_without_an_answer_are_acknowledged_at_once() {
    let mut end = End::new();
    for value in 1..ACK_EVERY {
        end.partner_emits(json!(value), false);
    }
    assert_eq!(end.sent.len(), 0);

    end.partner_emits(json!("last"), false);

    let (_, frame) = end.sent.pop_front().unwrap();
    assert_eq!((frame.seq, frame.ack, &*frame.body), (0, ACK_EVERY, &Body::Ack));
}

#[test]
fn the_last_frame_is_acknowledged_after_25_ms() {
    let mut end = End::new();
    end.partner_emits(json!("x"), false);

    end.pass(ACK_DELAY - Duration::from_millis(1));
    assert_eq!(end.sent.len(), 0);
    end.pass(Duration::from_millis(1));

    assert_eq!(end.sent.pop_front().unwrap().1.ack, 1);
    assert_eq!(end.session.poll_timeout(), None);
}

#[test]
fn a_frame_of_its_own_carries_the_acknowledgement() {
    let mut end = End::new();
    end.partner_emits(json!("x"), false);

    end.emit(json!("y"));
    end.pass(Duration::from_secs(1));

    assert_eq!(end.sent.len(), 1);
    assert_eq!(end.sent[0].1.ack, 1);
}

#[test]
fn a_duplicate_is_acknowledged_again() {
    let mut end = End::new();
    end.partner_emits(json!("x"), false);
    end.pass(ACK_DELAY);
    end.sent.clear();

    end.receive(emit_frame(1, json!("x"), false));
    end.pass(ACK_DELAY);

    assert_eq!(end.sent.pop_front().unwrap().1.ack, 1);
}

#[test]
fn the_direct_path_is_preferred_and_the_relay_taken_when_it_closes() {
    let mut end = End::new();
    assert_eq!(end.session.path(), Some(Path::Relay));

    end.handle(Input::Opened(Path::Direct));
    assert_eq!(end.session.path(), Some(Path::Direct));

    end.handle(Input::Closed(Path::Direct));
    assert_eq!(end.session.path(), Some(Path::Relay));
    end.handle(Input::Closed(Path::Relay));
    assert_eq!(end.session.path(), None);
}

#[test]
fn a_path_that_is_held_carries_only_what_is_told_to_take_it() {
    let mut end = End::new();
    end.handle(Input::Held(Path::Direct));
    assert_eq!(end.session.path(), Some(Path::Relay));

    end.emit(json!(1));
    end.handle(Input::Emit {
        call: 0,
        event: "note".to_owned(),
        args: args(json!(2)),
        options: EmitOptions { via: Some(Path::Direct), ..EmitOptions::default() },
    });
    let seq = end.partner_emits(json!("x"), true);
    end.finish(seq, json!("y"));

    let sent: Vec<_> = end.sent.drain(..).map(|(path, f)| (path, f.seq)).collect();
    assert_eq!(sent, [(Path::Relay, 1), (Path::Direct, 2), (Path::Relay, 3)]);
    end.handle(Input::Closed(Path::Direct));
    let sent: Vec<_> = end.sent.iter().map(|(path, f)| (*path, f.seq)).collect();
    assert_eq!(sent, [(Path::Relay, 1), (Path::Relay, 2), (Path::Relay, 3)]);
}

#[test]
fn while_no_path_is_open_answers_take_one_that_is_held_and_emits_wait() {
    let mut end = End::closed();
    end.handle(Input::Held(Path::Relay));
    assert!(!end.session.has_room());

    let seq = end.partner_emits(json!("x"), true);
    end.pass(ACK_DELAY);
    end.finish(seq, text(3));

    assert_eq!(end.sent_numbers(), [0, 1, 2, 3], "an acknowledgement, and a reply in parts");
    assert_eq!(end.session.path(), None);
}

#[test]
fn an_emit_that_was_sent_before_its_path_closed_does_not_take_one_that_is_held() {
    let mut end = End::closed();
    end.handle(Input::Held(Path::Relay));
    end.handle(Input::Opened(Path::Direct));
    end.emit(json!(1));
    end.emit(text(40));
    end.sent.clear();

    end.handle(Input::Closed(Path::Direct));
    end.partner_takes(1);
    assert_eq!(end.sent_numbers(), [0_u64; 0]);
    end.handle(Input::Opened(Path::Direct));

    let routes: Vec<_> = end.sent.iter().map(|(path, _)| *path).collect();
    assert_eq!(routes, [Path::Direct; 16]);
}

#[test]
fn when_the_path_changes_everything_unacknowledged_is_sent_again_on_the_new_one() {
    let mut end = End::new();
    for value in 1..=4 {
        end.emit(json!(value));
    }
    end.partner_takes(2);
    end.sent.clear();

    end.handle(Input::Opened(Path::Direct));

    let sent: Vec<_> = end.sent.iter().map(|(path, f)| (*path, f.seq)).collect();
    assert_eq!(sent, [(Path::Direct, 3), (Path::Direct, 4)]);
}

#[test]
fn what_arrived_and_only_waits_for_a_handler_is_not_sent_again() {
    let mut end = End::new();
    for value in 1..=4 {
        end.emit(json!(value));
    }
    let mut ack = crate::sessions::frame(0, 1, Body::Ack);
    ack.got = 3;
    end.receive(ack);
    end.sent.clear();

    end.handle(Input::Opened(Path::Direct));

    assert_eq!(end.sent_numbers(), [4]);
}

#[test]
fn what_is_finished_without_a_path_is_sent_when_there_is_one() {
    let mut end = End::new();
    let seq = end.partner_emits(json!("x"), true);
    end.handle(Input::Closed(Path::Relay));

    end.finish(seq, json!("y"));
    assert_eq!(end.sent.len(), 0);
    end.handle(Input::Opened(Path::Direct));

    assert_eq!(end.sent_numbers(), [1]);
}

#[test]
fn what_is_sent_again_runs_no_handler_twice() {
    let mut pair = Pair::new();
    pair.a.call(1);
    pair.a.call(2);
    pair.exchange();

    pair.a.handle(Input::Opened(Path::Direct));
    pair.a.handle(Input::Closed(Path::Direct));
    pair.exchange();

    assert_eq!(pair.b.delivered_numbers(), [1, 2]);
    assert_eq!(pair.b.violations, []);
}

/// Otherwise a partner whose window is full would wait for it for ever.
#[test]
fn an_acknowledgement_that_was_lost_with_its_path_goes_again() {
    let mut end = End::new();
    end.partner_emits(json!("x"), false);
    end.handle(Input::Closed(Path::Relay));
    end.pass(ACK_DELAY);
    assert_eq!(end.sent.len(), 0);

    end.handle(Input::Opened(Path::Relay));

    assert_eq!(end.sent.pop_front().unwrap().1.ack, 1);
}

#[test]
fn a_new_session_says_nothing_until_it_has_something_to_say() {
    let mut end = End::new();

    end.pass(Duration::from_secs(60));

    assert_eq!(end.sent.len(), 0);
    assert_eq!(end.session.poll_timeout(), None);
}

#[test]
fn after_a_refusal_by_its_path_the_window_is_sent_again_a_little_later() {
    let mut end = End::new();
    end.emit(json!("x"));
    end.emit(json!("y"));
    end.sent.clear();

    end.handle(Input::Refused(Path::Relay));
    end.handle(Input::Refused(Path::Relay));
    assert_eq!(end.sent.len(), 0);
    end.pass(RESEND_DELAY);

    assert_eq!(end.sent_numbers(), [1, 2], "once for any number of refusals");
    assert_eq!(end.session.poll_timeout(), None);
}

#[test]
fn a_path_that_refuses_again_and_again_is_asked_less_and_less_often_until_something_arrives() {
    let mut end = End::new();
    end.emit(json!("x"));
    end.sent.clear();
    let mut times = Vec::new();
    for _ in 0..7 {
        let refused = end.now;
        end.handle(Input::Refused(Path::Relay));
        times.push(end.session.poll_timeout().unwrap() - refused);
        end.pass(RESEND_DELAY_MAX);
    }
    let doubled = (0..5).map(|n| RESEND_DELAY * (1 << n));
    assert_eq!(times, doubled.chain([RESEND_DELAY_MAX; 2]).collect::<Vec<_>>());

    end.partner_takes(1);
    end.emit(json!("y"));
    let refused = end.now;
    end.handle(Input::Refused(Path::Relay));

    assert_eq!(end.session.poll_timeout(), Some(refused + RESEND_DELAY));
}

#[test]
fn a_refused_acknowledgement_goes_again() {
    let mut end = End::new();
    end.partner_emits(json!("x"), false);
    end.pass(ACK_DELAY);
    end.sent.clear();

    end.handle(Input::Refused(Path::Relay));
    end.pass(RESEND_DELAY);

    assert_eq!(end.sent.pop_front().unwrap().1.ack, 1);
}

#[test]
fn a_refusal_by_another_path_means_nothing() {
    let mut end = End::new();
    end.emit(json!("x"));
    end.sent.clear();

    end.handle(Input::Refused(Path::Direct));
    end.pass(RESEND_DELAY);

    assert_eq!(end.sent.len(), 0);
}

#[test]
fn frames_lost_on_a_path_arrive_in_order_once_it_is_used_again() {
    let mut pair = Pair::new();
    for value in 1..=6 {
        pair.a.emit(json!(value));
    }
    // The relay drops every second one and says so.
    let mut dropped = false;
    pair.a.sent.retain(|_| {
        dropped = !dropped;
        dropped
    });
    pair.exchange();
    assert_eq!(pair.b.delivered_numbers(), [1]);

    pair.a.handle(Input::Refused(Path::Relay));
    pair.pass(RESEND_DELAY);

    assert_eq!(pair.b.delivered_numbers(), [2, 3, 4, 5, 6]);
}
