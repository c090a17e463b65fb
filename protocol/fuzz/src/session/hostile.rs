//! A session whose partner sends whatever it likes.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use arbitrary::{Result, Unstructured};
use serde_json::json;
use socketio_p2p_protocol::{
    Body, Code, EndReason, Frame, Path, Refusal, limits::CHUNK_BYTES, session::Input,
    sim::SessionEnd,
};

use super::{
    application::{some_call, some_emit, some_result, some_time},
    some_route, steps,
};

/// Plays the history, which ends with the pairing.
pub(super) fn run(bytes: &mut Unstructured<'_>) {
    let mut hostile = Hostile { end: SessionEnd::new(Instant::now()), next: 1, emitted: 0 };
    hostile.end.handle(Input::Opened(Path::Relay));
    steps(bytes, |bytes| hostile.step(bytes));
    hostile.end.handle(Input::Ended(EndReason::Kicked));
    hostile.forget();
}

struct Hostile {
    end: SessionEnd,
    /// The next number of a frame of the partner.
    next: u64,
    /// Emits so far, of which each is the name of its call.
    emitted: u64,
}

impl Hostile {
    fn step(&mut self, bytes: &mut Unstructured<'_>) -> Result<()> {
        let result = self.act(bytes);
        self.forget();
        result
    }

    /// Checks the rules. Whether an outcome is true is the partner's affair.
    fn forget(&mut self) {
        let Self { end, .. } = self;
        if let Some(breach) = end.breaches.first() {
            panic!("{:?} is broken: {}", breach.rule, breach.what);
        }
        end.sent.clear();
        end.delivered.clear();
        end.abandoned.clear();
        end.resolved.clear();
        end.violations.clear();
    }

    fn act(&mut self, bytes: &mut Unstructured<'_>) -> Result<()> {
        let Self { end, next, emitted } = self;
        match bytes.int_in_range(0..=23)? {
            0..=10 => {
                let frame = some_frame(*emitted, *next, bytes)?;
                let times = some_times(bytes)?;
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
                    if let Some((size, options)) = some_emit(end, bytes)? {
                        *emitted += 1;
                        end.emit(*emitted as usize, size, options);
                    }
                }
            }
            13..=15 => {
                for _ in 0..some_times(bytes)? {
                    if let Some((seq, returns)) = some_result(end, bytes)? {
                        end.finish(seq, returns);
                    }
                }
            }
            16 => {
                // Of a handler that does not run.
                let seq = bytes.int_in_range(0..=20)?;
                if !end.running().contains_key(&seq) {
                    end.handle(Input::Finished(seq, Err(Code::HandlerFailed.into())));
                }
            }
            17 => {
                if let Some(call) = some_call(end, bytes)? {
                    end.handle(Input::Cancelled(call));
                }
            }
            18 => end.handle(Input::Closed(some_route(bytes)?)),
            19 => end.handle(Input::Opened(some_route(bytes)?)),
            20 => end.handle(Input::Refused(some_route(bytes)?)),
            21 => end.pass(some_time(bytes)?),
            22 => end.now += some_time(bytes)?,
            _ => {
                if bytes.ratio(1, 8)? {
                    end.handle(Input::Ended(EndReason::Kicked));
                }
            }
        }
        Ok(())
    }
}

fn some_frame(emitted: u64, next: u64, bytes: &mut Unstructured<'_>) -> Result<Frame> {
    let numbers = [next, 1, next.saturating_sub(1), next + 1, next + 511, next + 600, u64::MAX];
    let seq = if bytes.arbitrary()? { next } else { *bytes.choose(&numbers)? };
    let acks = [0, 0, emitted, emitted + 1, u64::MAX];
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
            to: *bytes.choose(&[emitted, emitted + 1, 1, 0, u64::MAX])?,
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
