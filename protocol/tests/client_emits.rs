//! Emits of a client: batches, limits, stale pairings, refusals by the relay.

use serde_json::{Value, json};
use socketio_p2p_protocol::{
    Args, Body, Cause, ClientConfig, ClientEvent, ClientMessage, Code, EndReason, Frame, Outcome,
    Path, Refusal, ServerMessage, Welcome,
    client::{Answer, Command, Complaint, Input, Output},
    limits::{
        BATCH_BYTES, BATCH_FRAMES, CHUNK_BYTES, JSON_DEPTH, Limits, RESEND_DELAY, VALUE_BYTES,
    },
    session::{EmitOptions, Violation},
};

use crate::{
    clients::{PATIENCE, ScriptedClient, disconnect, info, reply, welcome},
    sessions::{args, emit_frame, not_executed},
};

fn batches(outputs: &[Output]) -> Vec<Vec<u64>> {
    let batch = |output: &Output| match output {
        Output::SendFrames(pairing, frames) => {
            assert_eq!(*pairing, info(1).id);
            Some(frames.iter().map(|frame| frame.seq).collect())
        }
        _ => None,
    };
    outputs.iter().filter_map(batch).collect()
}

fn refused(answer: Answer) -> Code {
    match answer {
        Answer::Outcome(Outcome::NotExecuted(cause)) => cause.code().unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_call_is_answered_with_its_reply() {
    let mut client = ScriptedClient::paired();
    client.call(7);
    client.outputs();

    client.frames(1, vec![reply(1, 1, Ok(args(json!("yes"))))]);

    let replied = Outcome::Replied(args(json!("yes")), Path::Relay);
    assert_eq!(client.answers(), [(7, Answer::Outcome(replied))]);
}

#[test]
fn an_emit_without_acknowledgement_is_answered_as_sent() {
    let mut client = ScriptedClient::paired();

    client.emit(7, json!("x"));

    assert_eq!(client.answers(), [(7, Answer::Sent)]);
}

#[test]
fn an_emit_of_a_free_client_is_not_executed() {
    let mut client = ScriptedClient::ready();
    assert!(client.core.takes_emits(), "so that it is told at once");

    client.call(7);
    client.emit(8, json!("x"));

    let answer = Answer::Outcome(not_executed(Code::NotPaired));
    assert_eq!(client.answers(), [(7, answer.clone()), (8, answer)]);
}

#[test]
fn emits_that_are_fed_together_go_as_one_message() {
    let mut client = ScriptedClient::paired();
    for value in 1..=3 {
        client.feed_emit(value, json!(value), false);
    }

    client.poll();

    assert_eq!(batches(&client.outputs()), [[1, 2, 3]]);
}

#[test]
fn a_batch_has_at_most_64_frames() {
    let mut client = ScriptedClient::paired();
    for value in 0..=BATCH_FRAMES as u64 {
        client.feed_emit(value, json!(0), false);
    }

    client.poll();

    let sizes: Vec<_> = batches(&client.outputs()).iter().map(Vec::len).collect();
    assert_eq!(sizes, [BATCH_FRAMES, 1]);
}

#[test]
fn a_batch_is_sent_at_16_kib_and_a_part_goes_alone() {
    let mut client = ScriptedClient::paired();
    let half = json!("x".repeat(BATCH_BYTES / 2 - 200));
    let large = json!("x".repeat(BATCH_BYTES * 2));
    for value in [&half, &half, &half, &large, &half] {
        client.feed_emit(1, value.clone(), false);
    }

    client.poll();

    let batches = batches(&client.outputs());
    assert_eq!(batches, [vec![1, 2], vec![3], vec![4], vec![5], vec![6, 7]]);
}

#[test]
fn control_messages_keep_their_order_relative_to_frames() {
    let mut client = ScriptedClient::paired();
    client.feed_emit(1, json!("before"), false);
    let deadline = client.now + PATIENCE;
    client.feed(Input::Command(Command::List { call: 2, deadline }));
    client.feed_emit(3, json!("after"), false);

    client.poll();

    let order: Vec<_> = client
        .outputs()
        .into_iter()
        .filter(|output| matches!(output, Output::Send(_) | Output::SendFrames(..)))
        .collect();
    let [Output::SendFrames(_, before), Output::Send(list), Output::SendFrames(_, after)] =
        &order[..]
    else {
        panic!("{order:?}");
    };
    assert_eq!((before[0].seq, after[0].seq), (1, 2));
    assert_eq!(*list, ClientMessage::List { req: Some(1) });
}

#[test]
fn frames_of_an_ended_pairing_are_not_sent_under_the_next_one() {
    let mut client = ScriptedClient::paired();
    client.feed_emit(1, json!("x"), false);
    client.feed(Input::Received(disconnect(1, EndReason::Unregistered)));
    client.feed(Input::Received(ServerMessage::Registered { req: None, pairing: info(2) }));

    client.poll();

    assert_eq!(batches(&client.outputs()), [[0; 0]; 0]);
}

fn emit(client: &mut ScriptedClient, event: &str, args: Args) -> Answer {
    let reply_by = Some(client.now + PATIENCE);
    let (event, pairing) = (event.to_owned(), client.present());
    client.command(Command::Emit {
        call: 7,
        pairing,
        event,
        args,
        options: EmitOptions { reply_by, expires: None, via: None },
    });
    let answers = client.answers();
    answers.into_iter().next().map_or(Answer::Sent, |(_, a)| a)
}

#[test]
fn an_emit_for_an_earlier_partner_is_not_executed() {
    let mut client = ScriptedClient::paired();
    let earlier = client.present();
    client.hear(disconnect(1, EndReason::Unregistered));
    client.hear(ServerMessage::Registered { req: None, pairing: info(2) });
    client.outputs();

    client.command(Command::Emit {
        call: 7,
        pairing: earlier,
        event: "note".to_owned(),
        args: Args::default(),
        options: EmitOptions { reply_by: Some(client.now + PATIENCE), expires: None, via: None },
    });

    let answer = client.answers().remove(0).1;
    assert_eq!(refused(answer), Code::StalePairing);
}

#[test]
fn arguments_that_the_partner_cannot_read_are_not_sent() {
    for text in [r#"["\ud800"]"#, "[1e999]"] {
        let mut client = ScriptedClient::paired();
        let args = Args::from_text(text.to_owned(), Vec::new()).unwrap();

        assert_eq!(refused(emit(&mut client, "note", args)), Code::BadArgs, "{text}");
    }
}

#[test]
fn an_emit_that_is_too_large_is_not_executed() {
    let mut client = ScriptedClient::paired();
    let text = |bytes: usize| args(json!("x".repeat(bytes)));

    let answer = emit(&mut client, "note", text(VALUE_BYTES));
    assert_eq!(refused(answer), Code::TooLarge);

    let answer = emit(&mut client, "note", text(VALUE_BYTES - 4));
    assert_eq!(answer, Answer::Sent, "no answer yet: it is on its way");
}

#[test]
fn the_limits_of_a_server_that_takes_no_chunks_count() {
    let mut client = ScriptedClient::connecting();
    let mut welcome = welcome();
    welcome.limits.frame_bytes = 4096;
    client.hear(ServerMessage::Welcome(welcome));
    client.hear(ServerMessage::Registered { req: None, pairing: info(1) });

    let answer = emit(&mut client, "note", args(json!("x".repeat(4000))));

    assert_eq!(refused(answer), Code::TooLarge);
}

fn nested(depth: usize) -> Args {
    let text = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    Args::from_text(text, Vec::new()).unwrap()
}

#[test]
fn an_emit_that_is_nested_too_deep_is_not_executed() {
    let mut client = ScriptedClient::paired();

    // Around the arguments: those of the event, the batch, the frame.
    let answer = emit(&mut client, "note", nested(JSON_DEPTH - 3));
    assert_eq!(answer, Answer::Sent);
    let answer = emit(&mut client, "note", nested(JSON_DEPTH - 2));
    assert_eq!(refused(answer), Code::TooLarge);
}

#[test]
fn the_largest_frame_is_a_chunk_and_a_little() {
    let mut client = ScriptedClient::paired();
    client.outputs();
    // The largest that is not cut, by the text of its name.
    let event = "\u{1}".repeat(128);
    let filler = CHUNK_BYTES - 64 - 128 - 4;
    client.handle(Input::Command(Command::Emit {
        call: 1,
        pairing: client.present(),
        event,
        args: args(json!("x".repeat(filler))),
        options: EmitOptions { reply_by: None, expires: None, via: None },
    }));

    let outputs = client.outputs();
    let [Output::Answered(1, Answer::Sent), Output::SendFrames(pairing, frames)] = &outputs[..]
    else {
        panic!("it is sent");
    };
    assert!(matches!(*frames[0].body, Body::Emit { .. }));
    let text = json!(["P2P_FRAME", pairing, [frames[0].to_value()]]).to_string();
    assert!(text.len() <= CHUNK_BYTES + 1024, "{}", text.len());
}

#[test]
fn an_emit_whose_time_to_live_is_over_is_not_executed() {
    let mut client = ScriptedClient::paired();
    client.outputs();
    client.command(Command::Emit {
        call: 7,
        pairing: client.present(),
        event: "note".to_owned(),
        args: Args::default(),
        options: EmitOptions { reply_by: None, expires: Some(client.now), via: None },
    });

    let answer = Answer::Outcome(Outcome::NotExecuted(Cause::Code(Code::Expired)));
    assert_eq!(client.outputs(), [Output::Answered(7, answer)]);
}

#[test]
fn an_emit_says_how_long_it_may_wait() {
    let mut client = ScriptedClient::paired();
    client.outputs();
    client.command(Command::Emit {
        call: 7,
        pairing: client.present(),
        event: "note".to_owned(),
        args: Args::default(),
        options: EmitOptions { reply_by: None, expires: Some(client.now + PATIENCE), via: None },
    });

    let outputs = client.outputs();
    let [_, Output::SendFrames(_, frames)] = &outputs[..] else { panic!("{outputs:?}") };
    assert_eq!(frames[0].ttl, Some(PATIENCE));
}

#[test]
fn a_reply_that_is_too_large_is_a_failure_of_its_handler() {
    let mut client = ScriptedClient::paired();
    client.frames(1, vec![emit_frame(1, json!("x"), true)]);
    client.outputs();

    let huge = args(json!("x".repeat(VALUE_BYTES)));
    client.handle(Input::Finished(info(1).id, 1, Ok(huge)));

    let outputs = client.outputs();
    let [Output::SendFrames(_, frames)] = &outputs[..] else {
        panic!("{outputs:?}");
    };
    let Body::Reply { to: 1, result: Err(refusal) } = &*frames[0].body else {
        panic!("{frames:?}");
    };
    assert_eq!(refusal.code, Code::TooLarge);
}

#[test]
fn an_event_that_may_not_be_emitted_is_not_executed() {
    let mut client = ScriptedClient::paired();
    let long = "x".repeat(129);
    for event in ["disconnect", "P2P_EMIT", &long] {
        let answer = emit(&mut client, event, Args::default());

        assert_eq!(refused(answer), Code::BadEvent, "{event}");
    }
}

#[test]
fn an_emit_whose_deadline_is_over_is_not_executed() {
    let mut client = ScriptedClient::paired();

    client.command(Command::Emit {
        call: 7,
        pairing: client.present(),
        event: "note".to_owned(),
        args: Args::default(),
        options: EmitOptions { reply_by: Some(client.now), expires: None, via: None },
    });

    let answer = Answer::Outcome(not_executed(Code::Timeout));
    assert_eq!(client.outputs(), [Output::Answered(7, answer)]);
}

#[test]
fn while_the_window_is_full_no_emits_are_taken() {
    let mut client = ScriptedClient::paired();
    let mut taken = 0;
    while client.core.takes_emits() {
        client.feed_emit(taken, json!(0), false);
        taken += 1;
    }
    client.poll();
    assert_eq!(taken, 256);
    client.outputs();

    client.feed_emit(999, json!(0), false);
    client.poll();

    let answer = Answer::Outcome(not_executed(Code::Congested));
    assert_eq!(client.outputs(), [Output::Answered(999, answer)]);
}

#[test]
fn frames_of_another_pairing_are_ignored() {
    let mut client = ScriptedClient::paired();

    client.frames(2, vec![emit_frame(1, json!("stale"), true)]);

    assert_eq!(client.outputs(), []);
}

#[test]
fn a_handler_of_an_earlier_pairing_answers_nobody() {
    let mut client = ScriptedClient::paired();
    client.frames(1, vec![emit_frame(1, json!("x"), true)]);
    client.hear(disconnect(1, EndReason::Disconnected));
    client.hear(ServerMessage::Registered { req: None, pairing: info(2) });
    client.frames(2, vec![emit_frame(1, json!("y"), true)]);
    client.outputs();

    client.handle(Input::Finished(info(1).id, 1, Ok(args(json!("old")))));

    assert_eq!(client.outputs(), []);
}

#[test]
fn when_the_partner_is_gone_its_calls_are_answered() {
    let mut client = ScriptedClient::paired();
    client.call(7);
    client.outputs();

    client.hear(disconnect(1, EndReason::Disconnected));

    let gone = Cause::Ended(EndReason::Disconnected);
    assert_eq!(client.answers(), [(7, Answer::Outcome(Outcome::Unknown(gone)))]);
}

fn frames_refused(code: Code) -> ServerMessage {
    ServerMessage::Error { refusal: code.into(), req: None, pairing: Some(info(1).id) }
}

/// The codes of a refusal that do not say that the pairing is over.
fn codes() -> impl Iterator<Item = Code> {
    let are_over = [Code::NotPaired, Code::StalePairing];
    Code::ALL.iter().copied().filter(move |code| !are_over.contains(code))
}

#[test]
fn frames_that_the_relay_refused_for_a_reason_that_may_pass_are_sent_again() {
    let may_pass = codes().filter(Code::is_retryable);
    for code in may_pass.chain([Code::from("of another version")]) {
        let mut client = ScriptedClient::paired();
        client.emit(1, json!("x"));
        client.outputs();

        client.hear(frames_refused(code));
        client.pass(RESEND_DELAY);

        assert_eq!(batches(&client.outputs()), [[1]], "{code}");
    }
}

#[test]
fn frames_that_the_relay_refused_for_any_other_reason_end_the_pairing() {
    for code in codes().filter(|code| !code.is_retryable()) {
        let mut client = ScriptedClient::paired();
        client.call(7);
        client.outputs();

        client.hear(frames_refused(code));
        client.hear(frames_refused(code));
        let outputs = client.outputs();
        client.hear(disconnect(1, EndReason::Unregistered));

        assert_eq!(outputs[0], Output::Event(ClientEvent::Refused(code.into())));
        let is_unregister =
            |output: &&Output| matches!(output, Output::Send(ClientMessage::Unregister { .. }));
        assert_eq!(outputs.iter().filter(is_unregister).count(), 1, "{code}");
        let ended = Outcome::Unknown(Cause::Ended(EndReason::Unregistered));
        assert_eq!(client.answers(), [(7, Answer::Outcome(ended))], "{code}");
    }
}

#[test]
fn the_end_of_a_pairing_whose_frames_were_refused_is_asked_for_again_on_another_connection() {
    let mut client = ScriptedClient::with_config(ClientConfig::default());
    client.hear(ServerMessage::Welcome(welcome()));
    client.hear(ServerMessage::Registered { req: None, pairing: info(1) });
    client.hear(frames_refused(Code::BadArgs));
    client.handle(Input::Lost);
    client.outputs();

    client.handle(Input::Opened);
    let pairing = Some(info(1));
    client.hear(ServerMessage::Welcome(Welcome { resumed: true, pairing, ..welcome() }));

    let said = client.said();
    assert!(matches!(said[..], [ClientMessage::Unregister { .. }]), "{said:?}");
}

fn limits(frame_bytes: usize) -> Limits {
    let mut limits = Limits::default();
    limits.frame_bytes = frame_bytes;
    limits
}

/// A client that was welcomed by a server whose messages have at most so many bytes.
fn paired_where(frame_bytes: usize) -> ScriptedClient {
    let mut client = ScriptedClient::with_config(ClientConfig::default());
    let limits = limits(frame_bytes);
    client.hear(ServerMessage::Welcome(Welcome { limits, ..welcome() }));
    client.hear(ServerMessage::Registered { req: None, pairing: info(1) });
    client.outputs();
    client
}

fn messages(outputs: &[Output]) -> Vec<String> {
    let message = |output: &Output| match output {
        Output::SendFrames(pairing, frames) => {
            let frames: Vec<_> = frames.iter().map(Frame::to_text).collect();
            Some(format!("[\"P2P_FRAME\",\"{pairing}\",[{}]]", frames.join(",")))
        }
        _ => None,
    };
    outputs.iter().filter_map(message).collect()
}

#[test]
fn a_batch_is_no_larger_than_the_server_allows() {
    let mut client = paired_where(4096);
    for value in 0..200 {
        client.feed_emit(value, json!("x".repeat(value as usize)), false);
    }

    client.poll();

    let messages = messages(&client.outputs());
    assert!(messages.len() > 4);
    for message in messages {
        assert!(message.len() <= 4096, "{}", message.len());
    }
}

#[test]
fn what_no_longer_fits_after_another_welcome_does_not_hold_up_the_rest() {
    let mut client = paired_where(1 << 18);
    let sizes = [10, 10_000, 10, 100_000];
    for (call, size) in sizes.into_iter().enumerate() {
        client.feed_emit(call as u64, json!("x".repeat(size)), true);
    }
    client.poll();
    client.handle(Input::Lost);
    client.outputs();

    client.handle(Input::Opened);
    let limits = limits(4096);
    let pairing = Some(info(1));
    client.hear(ServerMessage::Welcome(Welcome { limits, resumed: true, pairing, ..welcome() }));

    let outputs = client.outputs();
    for message in messages(&outputs) {
        assert!(message.len() <= 4096, "{}", message.len());
    }
    let mut numbers = batches(&outputs).concat();
    numbers.dedup();
    assert_eq!(
        numbers,
        (1..=*numbers.last().unwrap()).collect::<Vec<_>>(),
        "no number is left out"
    );
    let answered = outputs.into_iter().filter_map(|output| match output {
        Output::Answered(call, answer) => Some((call, answer)),
        _ => None,
    });
    let too_large = Cause::Code(Code::TooLarge);
    assert_eq!(
        answered.collect::<Vec<_>>(),
        [
            (1, Answer::Outcome(Outcome::Unknown(too_large))),
            (3, Answer::Outcome(Outcome::Unknown(too_large))),
        ]
    );
}

#[test]
fn a_signal_that_was_refused_is_no_frame_that_was() {
    for code in [Code::Congested, Code::RateLimited, Code::Offline] {
        let mut client = ScriptedClient::paired();
        client.emit(1, json!("x"));
        client.outputs();

        let (refusal, pairing) = (Refusal::from(code), Some(info(1).id));
        client.hear(ServerMessage::SignalRefused { refusal: refusal.clone(), pairing });
        client.pass(RESEND_DELAY);

        assert_eq!(client.outputs(), [Output::Complain(Complaint::Refused(refusal))]);
    }
}

#[test]
fn frames_that_were_refused_because_the_pairing_is_over_are_forgotten() {
    let mut client = ScriptedClient::paired();
    for code in [Code::StalePairing, Code::NotPaired] {
        client.hear(ServerMessage::Error {
            refusal: code.into(),
            req: None,
            pairing: Some(info(1).id),
        });
    }

    assert_eq!(client.outputs(), []);
}

#[test]
fn a_cancelled_call_is_answered_no_more() {
    let mut client = ScriptedClient::paired();
    client.call(7);
    client.command(Command::Cancel(7));
    client.outputs();

    client.frames(1, vec![reply(1, 1, Err(Refusal::from(Code::Unhandled)))]);

    assert_eq!(client.answers(), []);
}

#[test]
fn a_partner_that_breaks_the_rules_is_reported() {
    let mut client = ScriptedClient::paired();

    client.frames(1, vec![reply(1, 0, Ok(args(Value::Null))), reply(2, 9, Ok(args(json!(1))))]);

    assert_eq!(client.outputs(), [Output::Complain(Complaint::Partner(Violation::Ack))]);
}
