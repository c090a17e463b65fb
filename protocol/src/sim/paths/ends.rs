//! The ends of the two paths.

use crate::{
    EndReason, Frame, Outcome, Path,
    session::{Delivery, Input, Output},
};

use super::{PAIRING, Pair, PathEvent};
use crate::sim::{
    client::Returns,
    handlers::{LONGEST_WAY, number_in},
    oracle::{Report, Rule},
};

impl Pair {
    pub(super) fn carry_out(&mut self, end: usize, output: Output) {
        match output {
            Output::Send(path, frame) => self.send(end, path, frame),
            Output::Deliver(delivery) => self.run_handler(end, delivery),
            Output::Resolved(call, outcome) => {
                let report = match outcome {
                    Outcome::Replied(args, _) if number_in(&args) == Some(call as usize) => {
                        Report::Value
                    }
                    Outcome::Replied(..) => Report::WrongValue,
                    Outcome::Failed(_) => Report::Failed,
                    Outcome::NotExecuted(_) => Report::NotExecuted,
                    Outcome::Unknown(_) => Report::Unknown,
                };
                self.ends[end].open.retain(|open| *open as u64 != call);
                self.oracle.reported(call as usize, report);
            }
            Output::Violation(violation) => {
                self.oracle.violate(Rule::Bounded, format!("{end} complains: {violation}"));
            }
        }
    }

    fn send(&mut self, end: usize, path: Path, frame: Frame) {
        if path == Path::Relay && self.stormy && self.rng.u16(..200) == 0 {
            self.counts.faults += 1;
            return self.after(1..60, PathEvent::Refused(end));
        }
        let slow = if path == Path::Relay { 2..90 } else { 1..30 };
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
            _ => Returns::Value(0),
        };
        if returns == Returns::Nothing {
            self.oracle.unhandled(call);
        } else {
            self.oracle.executed(call, end, 1 - end, PAIRING);
            let expiry = self.expiries.get(call).copied().flatten();
            if expiry.is_some_and(|at| self.now > at + LONGEST_WAY) {
                self.oracle.violate(Rule::InTime, format!("{call} runs after its time"));
            }
        }
        let after = if self.rng.u8(..50) == 0 { 0..3_000 } else { 0..20 };
        self.after(after, PathEvent::Finish(end, delivery.seq, call, returns));
    }

    /// The pairing ends, at any moment: everything is resolved, and nothing is left.
    pub(super) fn end(&mut self) {
        if self.oracle.breach().is_some() {
            return;
        }
        self.stormy = false;
        self.oracle.ended(PAIRING, EndReason::Unregistered);
        for end in 0..2 {
            self.oracle.unpaired(end, PAIRING, EndReason::Unregistered);
            self.feed(end, Input::Ended(EndReason::Unregistered));
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
