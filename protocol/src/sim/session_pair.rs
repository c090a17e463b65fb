//! Two sessions, and the oracle that judges them. The driver carries their frames.

use std::{
    collections::{BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use crate::{
    Body, Cause, Code, EndReason, Frame, Outcome, PairingId, Path,
    limits::{CHUNK_BYTES, VALUE_BYTES},
    session::{EmitOptions, Input},
};

use crate::sim::{
    client::Returns,
    handlers::number_in,
    oracle::{CallNo, Manner, Oracle, Report, Rule, Verdict},
    session_end::SessionEnd,
};

const PAIRING: PairingId = PairingId::new(1, 1);

/// The reason for which the pairing ends.
const REASON: EndReason = EndReason::Unregistered;

/// Two sessions of one pairing, over paths of the driver. All that they do is reported to an [`Oracle`].
#[derive(Debug)]
pub struct SessionPair {
    /// The two sessions.
    pub ends: [SessionEnd; 2],
    /// Frames under way to each of the two.
    pub ways: [VecDeque<(Path, Frame)>; 2],
    /// The judge of both.
    pub oracle: Oracle,
    emits: Vec<EmitRecord>,
    /// Emits of each that nothing excuses from being delivered and that were not.
    promised: [BTreeSet<CallNo>; 2],
    has_ended: bool,
}

/// An emit, by which its outcome is judged.
#[derive(Clone, Copy, Debug)]
struct EmitRecord {
    size: usize,
    options: EmitOptions,
    /// Set if the session had room when it got it.
    had_room: bool,
    /// Set if it was sent in a frame of its own, and may have arrived.
    was_sent: bool,
    /// The time after which it may not be delivered: its time to live after the first arrival.
    too_late: Option<Instant>,
    /// The result of its handler.
    returned: Option<Returns>,
}

impl EmitRecord {
    /// Returns true if it travels in parts.
    const fn is_large(&self) -> bool {
        self.size > CHUNK_BYTES / 2
    }

    /// Returns true if it can have this outcome.
    fn can_be(&self, outcome: &Outcome, has_ended: bool) -> bool {
        match outcome {
            Outcome::Replied(..) => matches!(self.returned, Some(Returns::Value(_))),
            Outcome::Failed(refusal) => match refusal.code {
                Code::TooLarge => matches!(self.returned, Some(Returns::Value(VALUE_BYTES..))),
                code => code == Code::HandlerFailed && self.returned == Some(Returns::Failure),
            },
            Outcome::NotExecuted(Cause::Code(code)) => match code {
                Code::Unhandled => self.returned == Some(Returns::Nothing),
                Code::Congested => !self.had_room,
                Code::Expired => self.options.expires.is_some(),
                // Its last part was not sent, or no path was open.
                Code::Timeout => self.is_large() || !self.was_sent,
                Code::TooLarge => self.size >= VALUE_BYTES,
                Code::NotPaired => has_ended,
                _ => false,
            },
            Outcome::Unknown(Cause::Code(code)) => *code == Code::Timeout && !has_ended,
            Outcome::NotExecuted(cause) | Outcome::Unknown(cause) => {
                has_ended && *cause == Cause::Ended(REASON)
            }
        }
    }
}

impl Default for SessionPair {
    fn default() -> Self {
        Self::new()
    }
}

impl SessionPair {
    /// Returns two sessions of which each has the relay.
    #[must_use]
    pub fn new() -> Self {
        let now = Instant::now();
        let mut pair = Self {
            ends: [(); 2].map(|()| SessionEnd::new(now)),
            ways: Default::default(),
            oracle: Oracle::default(),
            emits: Vec::new(),
            promised: Default::default(),
            has_ended: false,
        };
        for end in 0..2 {
            pair.oracle.paired(end, 1 - end, PAIRING);
            pair.handle(end, Input::Opened(Path::Relay));
        }
        pair
    }

    /// Gives one of the two an input that is neither an emit, nor a frame, nor the end of a handler or of the pairing.
    pub fn handle(&mut self, end: usize, input: Input) {
        self.ends[end].handle(input);
        self.judge(end);
    }

    /// Lets time pass for one of the two.
    pub fn pass(&mut self, end: usize, time: Duration) {
        self.ends[end].pass(time);
        self.judge(end);
    }

    /// Has the application of one of the two make an emit, which is excused if it may fail although both are well.
    pub fn call(&mut self, end: usize, size: usize, options: EmitOptions, excused: bool) -> CallNo {
        let (had_room, was_sent, too_late, returned) = (false, false, None, None);
        self.emits.push(EmitRecord { size, options, had_room, was_sent, too_late, returned });
        self.oracle.called(end, Manner { acknowledged: options.wants_reply(), excused })
    }

    /// Hands the emit to the session, in the order of calls. It need not have room.
    pub fn emit(&mut self, end: usize, call: CallNo) {
        let had_room = self.ends[end].session.has_room();
        let emit = &mut self.emits[call];
        emit.had_room = had_room;
        let EmitRecord { size, options, .. } = *emit;
        // A large value is given up if its call is over before the last part was sent.
        let waits = !emit.is_large() || !options.wants_reply() && size < VALUE_BYTES;
        if had_room && options.expires.is_none() && waits {
            self.promised[end].insert(call);
        }
        self.ends[end].emit(call, size, options);
        self.judge(end);
    }

    /// Returns the time after which no handler of an emit may start.
    pub(crate) fn expiry_of(&self, call: CallNo) -> Option<Instant> {
        self.emits.get(call)?.options.expires
    }

    /// Has a caller give up.
    pub fn cancel(&mut self, end: usize, call: CallNo) {
        self.oracle.forgotten(call);
        self.handle(end, Input::Cancelled(call as u64));
    }

    /// Ends a handler that runs.
    pub fn finish(&mut self, end: usize, seq: u64, returns: Returns) {
        if let Some(Some(call)) = self.ends[end].running().get(&seq).copied() {
            let is_value = matches!(returns, Returns::Value(_));
            self.oracle.returned(call, if is_value { Verdict::Value } else { Verdict::Failed });
            if let Some(emit) = self.emits.get_mut(call) {
                emit.returned = Some(returns);
            }
        }
        self.ends[end].finish(seq, returns);
        self.judge(end);
    }

    /// Lets a frame arrive.
    pub fn receive(&mut self, end: usize, path: Path, frame: Frame) {
        if let (Body::Emit { args, .. }, Some(ttl)) = (&*frame.body, frame.ttl)
            && let Some(emit) = number_in(args).and_then(|call| self.emits.get_mut(call))
        {
            emit.too_late.get_or_insert(self.ends[end].now + ttl);
        }
        if frame.body.size() < 1_000
            && Frame::from_text(&frame.to_text()).ok().as_ref() != Some(&frame)
        {
            self.oracle.violate(Rule::Intact, format!("this cannot be read: {frame:?}"));
        }
        self.handle(end, Input::Received(path, frame));
    }

    /// Puts the frames that one of the two sent on their way, and judges what it delivered and resolved.
    fn judge(&mut self, end: usize) {
        let own = &mut self.ends[end];
        for breach in own.breaches.drain(..) {
            self.oracle.violate(breach.rule, format!("{end}: {}", breach.what));
        }
        for violation in own.violations.drain(..) {
            self.oracle.violate(Rule::Bounded, format!("{end} complains: {violation}"));
        }
        for (path, frame) in own.sent.drain(..) {
            if let Body::Emit { args, .. } = &*frame.body
                && let Some(emit) = number_in(args).and_then(|call| self.emits.get_mut(call))
            {
                emit.was_sent = true;
            }
            self.ways[1 - end].push_back((path, frame));
        }
        let now = own.now;
        for delivery in own.delivered.drain(..) {
            let Some(call) = number_in(&delivery.args) else {
                self.oracle.violate(Rule::Intact, format!("{end} gets something else"));
                continue;
            };
            self.oracle.executed(call, end, 1 - end, PAIRING);
            let too_late = self.emits.get(call).and_then(|emit| emit.too_late);
            if too_late.is_some_and(|too_late| now >= too_late) {
                self.oracle.violate(Rule::InTime, format!("{call} runs after its time"));
            }
            let promised = &mut self.promised[1 - end];
            if let Some(first) = promised.first().filter(|first| **first < call) {
                self.oracle.violate(Rule::NothingLost, format!("{call} runs, and {first} did not"));
            }
            promised.remove(&call);
        }
        for (call, outcome) in std::mem::take(&mut own.resolved) {
            self.report(call as usize, &outcome);
        }
        self.ends[end].abandoned.clear();
    }

    /// Checks that a caller learns the truth.
    fn report(&mut self, call: CallNo, outcome: &Outcome) {
        if !self.emits[call].can_be(outcome, self.has_ended) {
            self.oracle.violate(Rule::Truthful, format!("{call} is {outcome:?}"));
        }
        let report = match outcome {
            Outcome::Replied(args, _) if number_in(args) == Some(call) => Report::Value,
            Outcome::Replied(..) => Report::WrongValue,
            // A handler ran, and found that there is none.
            Outcome::Failed(_) | Outcome::NotExecuted(Cause::Code(Code::Unhandled)) => {
                Report::Failed
            }
            Outcome::NotExecuted(_) => Report::NotExecuted,
            Outcome::Unknown(_) => Report::Unknown,
        };
        self.oracle.reported(call, report);
    }

    /// Checks what must be true when everything arrived and all handlers ended.
    pub fn settle(&mut self) {
        for end in 0..2 {
            if let Some(lost) = self.promised[end].first() {
                self.oracle.violate(Rule::NothingLost, format!("{lost} of {end} did not run"));
            }
            let session = &self.ends[end].session;
            if session.pending_calls() > 0 || !session.has_room() {
                self.oracle.violate(Rule::Progress, format!("{end} still waits: {session:?}"));
            }
        }
        self.oracle.settle();
    }

    /// Checks that nothing is left to do: no frame is kept or unconfirmed, and no timer runs.
    pub fn check_idle(&mut self) {
        for end in 0..2 {
            let session = &self.ends[end].session;
            let is_empty = session.is_confirmed() && session.held_bytes() == 0;
            if !is_empty || session.poll_timeout().is_some() {
                self.oracle.violate(Rule::Progress, format!("{end} is not idle: {session:?}"));
            }
        }
    }

    /// Ends the pairing. It can be followed by emits that waited.
    pub fn end(&mut self) {
        self.has_ended = true;
        self.oracle.ended(PAIRING, REASON);
        for end in 0..2 {
            self.oracle.unpaired(end, PAIRING, REASON);
            self.handle(end, Input::Ended(REASON));
        }
    }
}
