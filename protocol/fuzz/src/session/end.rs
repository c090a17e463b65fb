//! One end: a session, what it put out, and the rules that hold whatever its partner does.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use arbitrary::{Result, Unstructured};
use serde_json::json;
use socketio_p2p_protocol::{
    Args, Body, Cause, Code, EndReason, Frame, Outcome, Path, Refusal, Session,
    limits::{CHUNK_BYTES, PENDING_CALLS, VALUE_BYTES, WINDOW_FRAMES},
    session::{CallId, Delivery, EmitOptions, Input, Output},
    wire::check_event,
};

/// The most outputs of one input: everything is sent again, and all that waits is handled.
const OUTPUTS: usize = 4 * (WINDOW_FRAMES + PENDING_CALLS);

/// The result of a handler.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Said {
    /// A value of so many bytes.
    Value(usize),
    Failed(Code),
}

pub(super) struct End {
    pub(super) session: Session,
    pub(super) now: Instant,
    pub(super) sent: Vec<(Path, Frame)>,
    /// Emits whose handler runs, in order: their number and the first argument.
    pub(super) running: Vec<(u64, u64)>,
    /// Those of them whose callers have given up.
    abandoned: BTreeSet<u64>,
    /// The results of handlers, by the first argument of the emit.
    pub(super) finished: BTreeMap<u64, Said>,
    /// First arguments of what was delivered.
    pub(super) delivered: Vec<u64>,
    last_delivered: u64,
    /// Emits so far; their first argument counts them, and is the name of the call.
    pub(super) emitted: u64,
    /// Emits that nothing excuses from being delivered.
    pub(super) promised: BTreeSet<u64>,
    pending: BTreeSet<CallId>,
    pub(super) resolved: Vec<(CallId, Outcome)>,
    pub(super) violations: usize,
    pub(super) ended: bool,
}

impl End {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            session: Session::new(),
            now,
            sent: Vec::new(),
            running: Vec::new(),
            abandoned: BTreeSet::new(),
            finished: BTreeMap::new(),
            delivered: Vec::new(),
            last_delivered: 0,
            emitted: 0,
            promised: BTreeSet::new(),
            pending: BTreeSet::new(),
            resolved: Vec::new(),
            violations: 0,
            ended: false,
        }
    }

    pub(super) fn handle(&mut self, input: Input) {
        let is_timeout = matches!(input, Input::Timeout);
        let after_end = self.ended;
        self.ended |= matches!(input, Input::Ended(_));
        self.session.handle(input, self.now);
        let mut outputs = 0;
        while let Some(output) = self.session.poll_output() {
            outputs += 1;
            assert!(outputs <= OUTPUTS, "one input does not lead to more");
            match output {
                Output::Send(path, frame) => {
                    assert!(!self.ended && self.session.path() == Some(path));
                    assert_eq!(frame.seq == 0, matches!(*frame.body, Body::Ack));
                    assert!(frame.ack <= frame.got && frame.ack >= self.last_delivered);
                    assert!(frame.body.size() <= CHUNK_BYTES + 64, "a large value goes in parts");
                    self.sent.push((path, frame));
                }
                Output::Deliver(delivery) => self.deliver(delivery),
                Output::Abandoned(seq) => {
                    assert!(self.running.iter().any(|(running, _)| *running == seq));
                    assert!(self.abandoned.insert(seq), "{seq} is abandoned once");
                }
                Output::Resolved(call, outcome) => {
                    assert!(self.pending.remove(&call), "{call} is resolved once");
                    if after_end {
                        assert_eq!(outcome, Outcome::NotExecuted(Cause::Code(Code::NotPaired)));
                    }
                    self.resolved.push((call, outcome));
                }
                Output::Violation(_) => self.violations += 1,
            }
        }
        assert_eq!(self.session.pending_calls(), self.pending.len());
        assert!(self.pending.len() <= PENDING_CALLS);
        // As many for calls as for other emits.
        assert!(self.running.len() - self.abandoned.len() <= 2 * PENDING_CALLS);
        if is_timeout {
            let due = self.session.poll_timeout();
            assert!(due.is_none_or(|due| due > self.now), "what was due is done");
        }
        if self.ended {
            assert_eq!(self.session.poll_timeout(), None);
            assert!(self.pending.is_empty() && !self.session.has_room());
        }
    }

    /// In order, and once.
    fn deliver(&mut self, Delivery { seq, event, args, .. }: Delivery) {
        assert!(!self.ended && seq > self.last_delivered, "{seq} after {}", self.last_delivered);
        assert_eq!(check_event(&event), Ok(()));
        self.last_delivered = seq;
        let number = number(&args);
        self.running.push((seq, number));
        self.delivered.push(number);
    }

    pub(super) fn emit(&mut self, bytes: &mut Unstructured<'_>) -> Result<()> {
        let size = some_size(bytes)?;
        let has_room = self.session.has_room();
        // The caller should wait for room; who does not is refused.
        if !has_room && bytes.ratio(15, 16)? {
            return Ok(());
        }
        self.emitted += 1;
        let number = self.emitted;
        let in_seconds: u8 = bytes.int_in_range(0..=12)?;
        let deadline = self.now + Duration::from_secs(in_seconds.into());
        let call = bytes.ratio(2, 3)?.then_some((number, deadline));
        let expires = if bytes.ratio(1, 4)? { Some(self.now + some_time(bytes)?) } else { None };
        self.pending.extend(call.map(|(number, _)| number));
        // A large value is given up if its call is over before it was sent.
        let is_small = size < CHUNK_BYTES / 2;
        let waits = is_small || call.is_none() && size < VALUE_BYTES;
        if has_room && expires.is_none() && waits {
            self.promised.insert(number);
        }
        let args = vec![json!(number), json!(" ".repeat(size))].into();
        let (_, reply_by) = call.unzip();
        let options = EmitOptions { reply_by, expires, via: None };
        self.handle(Input::Emit { call: number, event: "n".to_owned(), args, options });
        Ok(())
    }

    /// A handler is done, one of those that run.
    pub(super) fn finish(&mut self, bytes: &mut Unstructured<'_>) -> Result<()> {
        if self.running.is_empty() {
            return Ok(());
        }
        let at = if bytes.arbitrary()? { 0 } else { bytes.choose_index(self.running.len())? };
        let said = match bytes.int_in_range(0..=7_u8)? {
            0 => Said::Failed(Code::HandlerFailed),
            1 => Said::Failed(Code::Unhandled),
            _ => Said::Value(some_size(bytes)?),
        };
        self.finish_at(at, said);
        Ok(())
    }

    pub(super) fn finish_at(&mut self, at: usize, said: Said) {
        let (seq, number) = self.running.remove(at);
        self.abandoned.remove(&seq);
        self.finished.insert(number, said);
        let result = match said {
            Said::Failed(code) => Err(Refusal::from(code)),
            Said::Value(size) => Ok(vec![json!(number), json!(" ".repeat(size))].into()),
        };
        self.handle(Input::Finished(seq, result));
    }

    pub(super) fn cancel(&mut self, bytes: &mut Unstructured<'_>) -> Result<()> {
        let calls: Vec<CallId> = self.pending.iter().copied().collect();
        if !calls.is_empty() {
            let call = *bytes.choose(&calls)?;
            self.pending.remove(&call);
            self.handle(Input::Cancelled(call));
        }
        Ok(())
    }

    pub(super) fn end(&mut self) {
        self.handle(Input::Ended(EndReason::Kicked));
    }

    pub(super) fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(due) = self.session.poll_timeout()
            && due <= until
        {
            self.now = self.now.max(due);
            self.handle(Input::Timeout);
        }
        self.now = until;
    }
}

/// The first argument; 0 if it is no number, as that of a hostile partner need not be.
pub(super) fn number(args: &Args) -> u64 {
    let args: Vec<serde_json::Value> = args.parse().unwrap_or_default();
    args.first().and_then(serde_json::Value::as_u64).unwrap_or(0)
}

/// Mostly short; some travel in parts, and one is too long.
fn some_size(bytes: &mut Unstructured<'_>) -> Result<usize> {
    Ok(*bytes
        .choose(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 100, 2_000, 20_000, 70_000])?)
}

pub(super) fn some_time(bytes: &mut Unstructured<'_>) -> Result<Duration> {
    let times = [0, 1, 10, 24, 25, 49, 50, 1_000, 10_000];
    Ok(Duration::from_millis(*bytes.choose(&times)?))
}
