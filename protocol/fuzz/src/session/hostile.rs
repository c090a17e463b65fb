//! A session whose partner sends whatever it likes.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use arbitrary::{Result, Unstructured};
use serde_json::json;
use socketio_p2p_protocol::{
    Body, Code, Frame, Outcome, Path, Refusal,
    limits::CHUNK_BYTES,
    session::{CallId, Input},
};

use super::{
    end::{End, some_time},
    some_route, steps,
};

/// Plays the history, which ends with the pairing.
pub(super) fn run(bytes: &mut Unstructured<'_>) {
    let mut end = End::new(Instant::now());
    end.handle(Input::Opened(Path::Relay));
    let mut next = 1;
    steps(bytes, |bytes| step(&mut end, &mut next, bytes));
    end.end();
}

fn step(end: &mut End, next: &mut u64, bytes: &mut Unstructured<'_>) -> Result<()> {
    match bytes.int_in_range(0..=23)? {
        0..=10 => {
            let (frame, times) = (some_frame(end, *next, bytes)?, some_times(bytes)?);
            for time in 0..times {
                // Many with numbers of their own, or the same again and again.
                let seq = if frame.seq == *next { *next + time } else { frame.seq };
                let path = some_route(bytes)?;
                end.handle(Input::Received(path, Frame { seq, ..frame.clone() }));
            }
            if frame.seq == *next {
                *next += times;
            }
        }
        11..=12 => {
            for _ in 0..some_times(bytes)? {
                end.emit(bytes)?;
            }
        }
        13..=15 => {
            for _ in 0..some_times(bytes)? {
                end.finish(bytes)?;
            }
        }
        16 => {
            // Of a handler that does not run.
            let seq = bytes.int_in_range(0..=20)?;
            if end.running.iter().all(|(running, _)| *running != seq) {
                end.handle(Input::Finished(seq, Err(Code::HandlerFailed.into())));
            }
        }
        17 => end.cancel(bytes)?,
        18 => {
            let path = some_route(bytes)?;
            end.handle(Input::Closed(path));
        }
        19 => {
            let path = some_route(bytes)?;
            end.handle(Input::Opened(path));
        }
        20 => {
            let path = some_route(bytes)?;
            end.handle(Input::Refused(path));
        }
        21 => {
            let time = some_time(bytes)?;
            end.pass(time);
        }
        22 => {
            end.now += some_time(bytes)?;
        }
        _ => {
            if bytes.ratio(1, 8)? {
                end.end();
            }
        }
    }
    end.sent.clear();
    end.delivered.clear();
    for (call, outcome) in end.resolved.drain(..) {
        check(call, &outcome, end.emitted);
    }
    Ok(())
}

/// Of a call that was made. Whether it is true is the partner's affair.
fn check(call: CallId, outcome: &Outcome, emitted: u64) {
    assert!((1..=emitted).contains(&call), "{call}: {outcome:?}");
}

fn some_frame(end: &End, next: u64, bytes: &mut Unstructured<'_>) -> Result<Frame> {
    let numbers = [next, 1, next.saturating_sub(1), next + 1, next + 511, next + 600, u64::MAX];
    let seq = if bytes.arbitrary()? { next } else { *bytes.choose(&numbers)? };
    let acks = [0, 0, end.emitted, end.emitted + 1, u64::MAX];
    let (ack, got) = (*bytes.choose(&acks)?, *bytes.choose(&acks)?);
    let events = ["n", "n", "n", "P2P_X", "connect", "SERVER_ERROR"];
    let ttls = [None, None, None, Some(0), Some(1), Some(u64::MAX)];
    let ttl = bytes.choose(&ttls)?.map(Duration::from_millis);
    let body = match bytes.int_in_range(0..=11)? {
        0..=2 => Body::Emit {
            event: (*bytes.choose(&events)?).to_owned(),
            args: vec![json!(next), json!(" ".repeat(*bytes.choose(&[0, 0, 0, 100_000])?))].into(),
            wants_reply: bytes.arbitrary()?,
        },
        3..=4 => Body::Reply {
            to: *bytes.choose(&[end.emitted, end.emitted + 1, 1, 0, u64::MAX])?,
            result: match bytes.arbitrary::<u8>()? {
                code @ 0..128 => Ok(vec![json!(code)].into()),
                code => Err(Refusal::from(Code::ALL[usize::from(code) % Code::ALL.len()])),
            },
        },
        5 => Body::Ack,
        6..=8 => {
            let whole = format!(r#"{{"t":"emit","e":"n","r":true,"a":[{next}]}}"#);
            let deep = "[".repeat(5_000);
            let hidden = r#"{"t":"emit","e":"n","a":[{"$serde_json::private::RawValue":"7"}]}"#;
            let doubtful = r#"{"t":"reply","to":1,"a":["\ud800"]}"#;
            let reply = r#"{"t":"reply","to":1,"a":["#;
            let long = "7,".repeat(CHUNK_BYTES / 2);
            let texts =
                [&whole, &whole[..9], &whole[9..], &deep, hidden, doubtful, reply, &long, "7]}"];
            Body::Part { text: (*bytes.choose(&texts)?).to_owned(), last: bytes.arbitrary()? }
        }
        9 => Body::Drop,
        10 => {
            Body::Cancel { to: *bytes.choose(&[next.saturating_sub(1), next / 2, 1, 0, u64::MAX])? }
        }
        _ => {
            let length = bytes.int_in_range(0..=200)?.min(bytes.len());
            let text = String::from_utf8_lossy(bytes.bytes(length)?).into_owned();
            if let Ok(frame) = Frame::from_text(&text) {
                return Ok(frame);
            }
            Body::Ack
        }
    };
    Ok(Frame { seq, ack, got, ttl, body: Arc::new(body) })
}

fn some_times(bytes: &mut Unstructured<'_>) -> Result<u64> {
    Ok(*bytes.choose(&[1, 1, 1, 1, 1, 2, 64, 300])?)
}
