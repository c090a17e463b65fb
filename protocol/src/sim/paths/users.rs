//! The applications of the two sessions: they emit, give up, and handle.

use std::time::Duration;

use crate::session::EmitOptions;

use super::{LONGEST_WAY, PathEvent, PathWeather, TwoPaths};
use crate::sim::{
    client::Returns,
    oracle::{CallNo, Rule},
};

/// The time that most callers wait for a reply.
const PATIENCE: Duration = Duration::from_secs(120);

impl TwoPaths {
    pub(super) fn act(&mut self, end: usize) {
        if self.weather == PathWeather::Calm {
            return;
        }
        self.after(10..600, PathEvent::Act(end));
        if self.rng.u8(..50) == 0 {
            let pending = self.pair.ends[end].pending();
            let call = pending.iter().nth(self.rng.usize(..=pending.len())).copied();
            if let Some(call) = call {
                self.pair.cancel(end, call as usize);
                self.carry_on(end);
            }
        }
        if self.users[end].waiting.len() > 300 {
            return;
        }
        let is_burst = self.rng.u8(..150) == 0;
        if is_burst && self.rng.bool() {
            self.users[1 - end].lazy_until = self.now + Duration::from_secs(2);
        }
        let wants_no_reply = is_burst && self.rng.bool();
        for _ in 0..self.rng.usize(if is_burst { 100..700 } else { 1..6 }) {
            let acknowledged = !wants_no_reply && self.rng.u8(..5) > 0;
            self.emit(end, acknowledged);
        }
        self.carry_on(end);
    }

    fn emit(&mut self, end: usize, acknowledged: bool) {
        let ttl = (self.rng.u8(..30) == 0).then(|| self.millis(1..500));
        let size = match self.rng.u16(..500) {
            0 => self.rng.usize(..600_000),
            1 => self.rng.usize(..100_000),
            _ => 0,
        };
        let hurries = acknowledged && self.rng.u8(..30) == 0;
        let excused = ttl.is_some() || hurries;
        let patience = if hurries { self.millis(1..3_000) } else { PATIENCE };
        let options = EmitOptions {
            reply_by: acknowledged.then_some(self.now + patience),
            expires: ttl.map(|ttl| self.now + ttl),
            via: None,
        };
        let call = self.pair.call(end, size, options, excused);
        self.users[end].waiting.push_back(call);
    }

    pub(super) fn run_handler(&mut self, end: usize, seq: u64, call: Option<CallNo>) {
        let returns = match self.rng.u32(..500) {
            0..3 => Returns::Nothing,
            3..10 => Returns::Failure,
            10..12 => Returns::Value(self.rng.usize(..200_000)),
            12..250 if self.returns_much => Returns::Value(self.rng.usize(8_000..14_000)),
            _ => Returns::Value(0),
        };
        let expiry = call.and_then(|call| self.pair.expiry_of(call));
        if expiry.is_some_and(|at| self.now > at + LONGEST_WAY) {
            self.pair.oracle.violate(Rule::InTime, format!("{call:?} runs after its time"));
        }
        let is_lazy = self.now < self.users[end].lazy_until || self.rng.u8(..50) == 0;
        let after = if is_lazy { 0..3_000 } else { 0..20 };
        self.after(after, PathEvent::Finish(end, seq, returns));
    }
}
