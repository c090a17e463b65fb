//! A partner that breaks the rules, or follows them to the harm of this end: what this end keeps
//! and reports stays bounded.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use socketio_p2p_protocol::{
    Body, Frame, PairingId, Path, PathPolicy, client,
    limits::{DIRECT_HEARTBEAT_INTERVAL, DIRECT_HEARTBEAT_TIMEOUT, PENDING_CALLS, WINDOW_BYTES},
    peer::{Complaint, Input, LinkCommand, LinkEvent, LinkMessage, Output},
    session::{EmitOptions, Violation},
    wire::FRAME,
};

use crate::{
    clients::ScriptedClient,
    peers::LinkedPeer,
    sessions::{args, emit_frame},
};

/// The most that may wait: a window, and the replies beyond it.
const MOST: usize = 2 * WINDOW_BYTES + PENDING_CALLS * 64;

#[test]
fn a_partner_that_toggles_ok_does_not_make_replies_pile_up() {
    let mut victim = LinkedPeer::new(PathPolicy::DirectOnly);
    for seq in 1..=PENDING_CALLS as u64 {
        let frame = emit_frame(seq, json!(seq), true);
        victim.report(LinkEvent::Received(LinkMessage::Text(frame.to_text())));
    }
    let text = json!("x".repeat(WINDOW_BYTES / PENDING_CALLS));
    for seq in std::mem::take(&mut victim.delivered) {
        victim.handle(Input::Finished(seq, Ok(args(text.clone()))));
    }
    let (start, seconds) = (victim.direct_bytes, 20);

    for turn in 0..seconds * 1000 {
        victim.say(turn % 2 == 1);
        victim.pass(Duration::from_millis(1));
    }

    assert!(victim.waiting_bytes() <= MOST);
    let turns =
        (Duration::from_secs(seconds).div_duration_f64(DIRECT_HEARTBEAT_INTERVAL)) as usize + 2;
    assert!(victim.direct_bytes - start <= turns * MOST);
    assert!(victim.paths.len() <= 2 * turns, "{} changes are reported", victim.paths.len());
}

#[test]
fn a_partner_that_toggles_ok_does_not_make_emits_pile_up() {
    let mut victim = LinkedPeer::new(PathPolicy::PreferDirect);
    let emit = |via| Input::Emit {
        call: 1,
        event: "note".to_owned(),
        args: args(json!("x".repeat(8 * 1024))),
        options: EmitOptions { via, ..EmitOptions::default() },
    };
    victim.say(false); // The path is left, and then held back.
    victim.pass(DIRECT_HEARTBEAT_TIMEOUT);
    victim.say(true);
    while victim.peer.takes_emits() {
        victim.handle(emit(Some(Path::Direct)));
        victim.handle(emit(None));
    }

    for turn in 0..20_000 {
        victim.say(turn % 2 == 1);
        victim.pass(Duration::from_millis(1));
    }

    assert!(victim.waiting_bytes() <= MOST);
    assert!(victim.paths.len() <= 50, "{} changes are reported", victim.paths.len());
}

#[test]
fn acknowledgements_for_a_slow_relay_do_not_pile_up() {
    let mut victim = LinkedPeer::new(PathPolicy::DirectOnly);
    victim.say(false);
    let part = Body::Part { text: "x".to_owned(), last: false };
    let part = |seq| Frame { seq, ack: 0, got: 0, ttl: None, body: Arc::new(part.clone()) };

    for seq in 1..=100_000 {
        victim.report(LinkEvent::Received(LinkMessage::Text(part(seq).to_text())));
    }

    assert_eq!(victim.peer.poll_relay().map(|frames| frames.len()), Some(1));
    assert_eq!(victim.peer.poll_relay(), None);
}

#[test]
fn a_frame_that_cannot_be_read_does_not_take_those_with_it_along() {
    let mut victim = LinkedPeer::new(PathPolicy::PreferDirect);
    let (first, second) = (emit_frame(1, json!(1), false), emit_frame(2, json!(2), false));
    let text = format!("[{},{{\"s\":3}},{}]", first.to_text(), second.to_text());

    victim.report(LinkEvent::Received(LinkMessage::Text(text)));

    assert_eq!(victim.delivered, [1, 2]);
    let complaint = Output::Complain(Complaint::Partner(Violation::Frame));
    assert_eq!(victim.outputs, [complaint], "the path stays");
}

/// The relay and the direct path report it alike, once for each message.
#[test]
fn a_relayed_frame_that_cannot_be_read_does_not_take_those_with_it_along() {
    let mut client = ScriptedClient::paired();
    let emit = |seq: u64| json!({ "s": seq, "k": 0, "t": "emit", "e": "note", "a": [seq] });
    let frames = json!([emit(1), { "s": 3 }, { "s": "x" }, emit(2)]);
    let pairing = client.present();
    let event = |pairing: PairingId, frames: &Value| {
        client::Input::of_event(FRAME, vec![json!(pairing), frames.clone()])
    };

    client.handle(event(pairing, &frames));

    let outputs = client.outputs();
    let delivered = outputs.iter().filter(|output| matches!(output, client::Output::Deliver(..)));
    assert_eq!(delivered.count(), 2);
    let complaint = client::Output::Complain(Complaint::Partner(Violation::Frame));
    let complaints = outputs.iter().filter(|output| matches!(output, client::Output::Complain(_)));
    assert_eq!(complaints.collect::<Vec<_>>(), [&complaint]);
    client.handle(event(PairingId::new(9, 9), &frames));
    assert_eq!(client.outputs(), [], "it is that of another pairing");
}

/// The server lets none of them pass.
#[test]
fn a_relayed_message_of_which_nothing_can_be_read_is_reported() {
    let pairing = "1-1";
    for args in [
        vec![],
        vec![json!(pairing)],
        vec![json!(pairing), json!([])],
        vec![json!(pairing), json!([{ "s": 3 }])],
        vec![json!(pairing), json!({ "s": 3 })],
        vec![json!("x"), json!({ "k": 0, "t": "ack" })],
        vec![json!(pairing), json!({ "k": 0, "t": "ack" }), json!(1)],
    ] {
        let input = client::Input::of_event(FRAME, args.clone());
        assert!(matches!(input, client::Input::Garbled(_)), "{args:?}: {input:?}");
    }
}

#[test]
fn a_message_of_which_nothing_can_be_read_closes_the_direct_path() {
    for text in ["[{\"s\":3}]", "{\"s\":3}", "[]", "no JSON"] {
        let mut victim = LinkedPeer::new(PathPolicy::PreferDirect);

        victim.report(LinkEvent::Received(LinkMessage::Text(text.to_owned())));

        let [Output::Complain(Complaint::Direct(_)), Output::Link(_, close)] = &victim.outputs[..]
        else {
            panic!("{text}: {:?}", victim.outputs);
        };
        assert_eq!(*close, LinkCommand::Close);
    }
}
