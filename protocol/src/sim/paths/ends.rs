//! The ends of the two paths.

use std::time::Duration;

use crate::{
    Body, Cause, Code, EndReason, Frame, Outcome, Path,
    session::{Delivery, Input, Output},
};

use super::{CallTerms, PAIRING, Pair, PathEvent, PathWeather};
use crate::sim::{
    client::Returns,
    handlers::number_in,
    oracle::{CallNo, Report, Rule},
};

/// The longest time that a frame is under way: the receiver of an emit counts its time to live from
/// the arrival.
const LONGEST_WAY: Duration = Duration::from_millis(90);

/// The reason for which the pairing ends.
const REASON: EndReason = EndReason::Unregistered;

impl Pair {
    pub(super) fn carry_out(&mut self, end: usize, output: Output) {
        match output {
            Output::Send(path, frame) => self.send(end, path, frame),
            Output::Deliver(delivery) => self.run_handler(end, delivery),
            // The handler runs on. What it returns goes nowhere.
            Output::Abandoned(_) => {}
            Output::Resolved(call, outcome) => {
                let report = match &outcome {
                    Outcome::Replied(args, _) if number_in(args) == Some(call as usize) => {
                        Report::Value
                    }
                    Outcome::Replied(..) => Report::WrongValue,
                    Outcome::Failed(_) => Report::Failed,
                    Outcome::NotExecuted(_) => Report::NotExecuted,
                    Outcome::Unknown(_) => Report::Unknown,
                };
                let open = &mut self.ends[end].open;
                match open.iter().position(|open| *open as u64 == call) {
                    Some(at) => drop(open.swap_remove(at)),
                    None => {
                        let what = format!("{call} was resolved, or taken back, before");
                        self.oracle.violate(Rule::ReportedOnce, what);
                    }
                }
                if let Outcome::NotExecuted(cause) | Outcome::Unknown(cause) = outcome {
                    self.check_cause(call as usize, report, cause);
                }
                self.oracle.reported(call as usize, report);
            }
            Output::Violation(violation) => {
                self.oracle.violate(Rule::Bounded, format!("{end} complains: {violation}"));
            }
        }
    }

    /// Checks that the cause is one that the call can have.
    fn check_cause(&mut self, call: CallNo, report: Report, cause: Cause) {
        let CallTerms { expires, is_large, was_sent } = self.terms[call];
        let can_be = match (report, cause) {
            (_, Cause::Ended(reason)) => self.has_ended && reason == REASON,
            (Report::NotExecuted, Cause::Code(Code::NotPaired)) => self.has_ended,
            (Report::NotExecuted, Cause::Code(Code::Unhandled)) => true,
            (Report::NotExecuted, Cause::Code(Code::Expired)) => expires.is_some(),
            // Its last part was not sent, or no path was open.
            (Report::NotExecuted, Cause::Code(Code::Timeout)) => is_large || !was_sent,
            // Whether it may be so late is judged in the end.
            (Report::Unknown, Cause::Code(Code::Timeout)) => !self.has_ended,
            _ => false,
        };
        if !can_be {
            self.oracle.violate(Rule::Truthful, format!("{call} is {report:?}: {cause}"));
        }
    }

    fn send(&mut self, end: usize, path: Path, frame: Frame) {
        if let Body::Emit { args, .. } = &*frame.body
            && let Some(terms) = number_in(args).and_then(|call| self.terms.get_mut(call))
        {
            terms.was_sent = true;
        }
        let refuses = match self.weather {
            PathWeather::Storm => self.rng.u16(..200) == 0,
            PathWeather::Drizzle => self.rng.u16(..60) == 0,
            PathWeather::Calm => false,
        };
        if path == Path::Relay && refuses {
            self.counts.faults += 1;
            return self.after(1..60, PathEvent::Refused(end));
        }
        let slow = if path == Path::Relay { 2..LONGEST_WAY.as_millis() as u64 } else { 1..30 };
        let at = self.now + self.millis(slow);
        let wire = self.path(path);
        if wire.stands {
            let at = wire.last[1 - end].map_or(at, |last| last.max(at));
            wire.last[1 - end] = Some(at);
            wire.ways[1 - end].push_back((at, frame));
            self.at(at, PathEvent::Arrive(1 - end, path));
        }
    }

    fn run_handler(&mut self, end: usize, delivery: Delivery) {
        let Some(call) = number_in(&delivery.args) else {
            return self.oracle.violate(Rule::Intact, format!("{end} gets something else"));
        };
        let returns = match self.rng.u32(..500) {
            0..3 => Returns::Nothing,
            3..10 => Returns::Failure,
            10..12 => Returns::Value(self.rng.usize(..200_000)),
            12..250 if self.returns_much => Returns::Value(self.rng.usize(8_000..14_000)),
            _ => Returns::Value(0),
        };
        if returns == Returns::Nothing {
            self.oracle.unhandled(call);
        } else {
            self.oracle.executed(call, end, 1 - end, PAIRING);
            let expiry = self.terms.get(call).and_then(|terms| terms.expires);
            if expiry.is_some_and(|at| self.now > at + LONGEST_WAY) {
                self.oracle.violate(Rule::InTime, format!("{call} runs after its time"));
            }
        }
        let is_lazy = self.now < self.ends[end].lazy_until || self.rng.u8(..50) == 0;
        let after = if is_lazy { 0..3_000 } else { 0..20 };
        self.after(after, PathEvent::Finish(end, delivery.seq, call, returns));
    }

    /// Checks that nothing is left to do after the last handler: no call waits, no frame is kept or
    /// unconfirmed, and no timer runs.
    pub(super) fn check_idle(&mut self) {
        for end in 0..2 {
            let session = &self.ends[end].session;
            let is_idle = session.pending_calls() == 0 && session.has_room();
            let is_empty = session.is_confirmed() && session.held_bytes() == 0;
            if !is_idle
                || !is_empty
                || session.poll_timeout().is_some()
                || !self.ends[end].waiting.is_empty()
            {
                self.oracle.violate(Rule::Progress, format!("{end} still waits: {session:?}"));
            }
        }
    }

    /// The pairing ends, at any moment: everything is resolved, and nothing is left.
    pub(super) fn end(&mut self) {
        if self.oracle.breach().is_some() {
            return;
        }
        self.weather = PathWeather::Calm;
        self.has_ended = true;
        self.oracle.ended(PAIRING, REASON);
        for end in 0..2 {
            self.oracle.unpaired(end, PAIRING, REASON);
            self.feed(end, Input::Ended(REASON));
            for (_, input) in std::mem::take(&mut self.ends[end].waiting) {
                self.feed(end, input);
            }
            let session = &self.ends[end].session;
            if session.poll_timeout().is_some() || session.pending_calls() > 0 {
                self.oracle.violate(Rule::NothingLeft, format!("{session:?}"));
            }
        }
        self.oracle.settle();
        self.oracle.check_ends();
    }
}
