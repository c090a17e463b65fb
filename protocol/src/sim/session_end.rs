//! One session, what it has put out, and the rules that hold whatever its partner does.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use crate::{
    Body, Cause, Code, Frame, Outcome, Path, Refusal, Session,
    limits::{CHUNK_BYTES, HANDLERS, PENDING_CALLS, WINDOW_FRAMES},
    session::{CallId, Delivery, EmitOptions, Input, Output, Violation},
    wire::check_event,
};

use crate::sim::{
    client::Returns,
    handlers::{args_of, number_in},
    oracle::{Breach, CallNo, Rule},
};

/// The most outputs of one input: everything is sent again, and all that waits is handled.
const OUTPUTS: usize = 4 * (WINDOW_FRAMES + PENDING_CALLS);

/// A session with a clock of its own, and its outputs until the driver takes them.
///
/// It checks each output: frames take a path that may be used, large values are sent in parts, emits are delivered in
/// order and once, each call is resolved once, and all state stays within its limits.
#[derive(Debug)]
pub struct SessionEnd {
    /// The session.
    pub session: Session,
    /// The present time.
    pub now: Instant,
    /// Frames to carry to the partner.
    pub sent: VecDeque<(Path, Frame)>,
    /// Emits of the partner.
    pub delivered: VecDeque<Delivery>,
    /// The numbers of handlers for whose results nobody waits any more.
    pub abandoned: Vec<u64>,
    /// The outcomes of calls.
    pub resolved: Vec<(CallId, Outcome)>,
    /// The rules that the partner broke.
    pub violations: Vec<Violation>,
    /// The rules that the session broke.
    pub breaches: Vec<Breach>,
    /// Handlers that run, and the calls to which their arguments belong.
    running: BTreeMap<u64, Option<CallNo>>,
    /// Those of them that were abandoned.
    given_up: BTreeSet<u64>,
    pending: BTreeSet<CallId>,
    last_delivered: u64,
    /// Set if frames may take another path than the present one.
    chooses_path: bool,
    has_ended: bool,
}

impl SessionEnd {
    /// Returns a session without a path.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            session: Session::new(),
            now,
            sent: VecDeque::new(),
            delivered: VecDeque::new(),
            abandoned: Vec::new(),
            resolved: Vec::new(),
            violations: Vec::new(),
            breaches: Vec::new(),
            running: BTreeMap::new(),
            given_up: BTreeSet::new(),
            pending: BTreeSet::new(),
            last_delivered: 0,
            chooses_path: false,
            has_ended: false,
        }
    }

    /// Returns the handlers that run, and the calls to which their arguments belong.
    #[must_use]
    pub const fn running(&self) -> &BTreeMap<u64, Option<CallNo>> {
        &self.running
    }

    /// Returns the calls that wait for their outcome.
    #[must_use]
    pub const fn pending(&self) -> &BTreeSet<CallId> {
        &self.pending
    }

    /// Gives the session an input, takes its outputs and checks them.
    pub fn handle(&mut self, input: Input) {
        let (is_timeout, was_over) = (matches!(input, Input::Timeout), self.has_ended);
        match &input {
            Input::Emit { call, options, .. } => {
                self.chooses_path |= options.via.is_some();
                self.pending.extend(options.reply_by.map(|_| *call));
            }
            Input::Cancelled(call) => drop(self.pending.remove(call)),
            Input::Finished(seq, _) => {
                self.running.remove(seq);
                self.given_up.remove(seq);
            }
            Input::Held(_) => self.chooses_path = true,
            Input::Ended(_) => self.has_ended = true,
            _ => {}
        }
        self.session.handle(input, self.now);
        let mut outputs = 0;
        while let Some(output) = self.session.poll_output() {
            outputs += 1;
            if outputs > OUTPUTS {
                return self.violate(Rule::Bounded, "one input leads to too much");
            }
            self.take(output, was_over);
        }
        self.check(is_timeout);
    }

    fn take(&mut self, output: Output, was_over: bool) {
        match output {
            Output::Send(path, frame) => {
                let present = self.session.path();
                let may_take = self.chooses_path || present == Some(path);
                self.expect(may_take && !self.has_ended, Rule::Bounded, || {
                    format!("{path} takes a frame, and the present path is {present:?}")
                });
                let is_ack = matches!(*frame.body, Body::Ack);
                let is_well = (frame.seq == 0) == is_ack
                    && (self.last_delivered..=frame.got).contains(&frame.ack)
                    && frame.body.size() <= CHUNK_BYTES + 64;
                self.expect(is_well, Rule::Bounded, || format!("this is sent: {frame:?}"));
                self.sent.push_back((path, frame));
            }
            Output::Deliver(delivery) => {
                let (seq, last) = (delivery.seq, self.last_delivered);
                self.expect(!self.has_ended && seq > last, Rule::Order, || {
                    format!("{seq} is delivered after {last}")
                });
                let is_allowed = check_event(&delivery.event).is_ok();
                self.expect(is_allowed, Rule::Bounded, || delivery.event.clone());
                self.last_delivered = seq;
                self.running.insert(seq, number_in(&delivery.args));
                self.delivered.push_back(delivery);
            }
            Output::Abandoned(seq) => {
                let is_first = self.running.contains_key(&seq) && self.given_up.insert(seq);
                self.expect(is_first, Rule::ReportedOnce, || format!("{seq} is abandoned"));
                self.abandoned.push(seq);
            }
            Output::Resolved(call, outcome) => {
                let is_first = self.pending.remove(&call);
                self.expect(is_first, Rule::ReportedOnce, || {
                    format!("{call} was resolved, or taken back, before")
                });
                let not_paired = Outcome::NotExecuted(Cause::Code(Code::NotPaired));
                let is_true = !was_over || outcome == not_paired;
                self.expect(is_true, Rule::Truthful, || {
                    format!("{call} after the end: {outcome:?}")
                });
                self.resolved.push((call, outcome));
            }
            Output::Violation(violation) => self.violations.push(violation),
        }
    }

    fn check(&mut self, is_timeout: bool) {
        let (pending, due) = (self.session.pending_calls(), self.session.poll_timeout());
        let waiting = self.pending.len();
        self.expect(pending == waiting, Rule::ReportedOnce, || {
            format!("{waiting} calls were not resolved, and {pending} wait")
        });
        self.expect(pending <= PENDING_CALLS, Rule::Bounded, || format!("{pending} calls wait"));
        let handlers = self.running.len() - self.given_up.len();
        self.expect(handlers <= HANDLERS, Rule::Bounded, || format!("{handlers} handlers run"));
        let now = self.now;
        let is_done = !is_timeout || due.is_none_or(|due| due > now);
        self.expect(is_done, Rule::Bounded, || "what was due is not done".to_owned());
        if self.has_ended {
            let is_over = due.is_none() && pending == 0 && !self.session.has_room();
            self.expect(is_over, Rule::NothingLeft, || "something is left".to_owned());
        }
    }

    fn expect(&mut self, holds: bool, rule: Rule, what: impl FnOnce() -> String) {
        if !holds {
            self.violate(rule, what());
        }
    }

    fn violate(&mut self, rule: Rule, what: impl Into<String>) {
        self.breaches.push(Breach { rule, what: what.into() });
    }

    /// Emits an event with the number of a call, and a text of about that many bytes.
    pub fn emit(&mut self, call: CallNo, size: usize, options: EmitOptions) {
        let (event, args) = ("call".to_owned(), args_of(call, size));
        self.handle(Input::Emit { call: call as u64, event, args, options });
    }

    /// Ends a handler that runs.
    pub fn finish(&mut self, seq: u64, returns: Returns) {
        let call = self.running.get(&seq).copied().flatten().unwrap_or_default();
        let result = match returns {
            Returns::Value(size) => Ok(args_of(call, size)),
            Returns::Failure => Err(Refusal::from(Code::HandlerFailed)),
            Returns::Nothing => Err(Refusal::from(Code::Unhandled)),
        };
        self.handle(Input::Finished(seq, result));
    }

    /// Lets time pass: what is due is done at its time.
    pub fn pass(&mut self, time: Duration) {
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
