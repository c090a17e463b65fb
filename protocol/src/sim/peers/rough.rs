//! Applications and a server that do all that they can do: values of all sizes, small windows of time, handlers
//! that are slow, fail or never return, limits that change. For comparing two implementations: a client in
//! another language must do the same.

use std::time::Duration;

use super::{
    PeerEvent, PeerPair,
    draws::{args, code, event, large},
};
use crate::{
    Args, Path, Refusal,
    limits::WINDOW_FRAMES,
    peer::Input,
    session::{Delivery, EmitOptions},
};

/// Returns the transcripts of both peers of a rough run.
pub(crate) fn record_roughly(seed: u64) -> Vec<String> {
    let mut pair = PeerPair::new(seed, &[0, 1], true);
    pair.be_rough();
    for end in 0..2 {
        pair.after(200..2_000, PeerEvent::Hostile(end));
    }
    pair.live();
    pair.ends.into_iter().filter_map(|end| end.peer.into_transcript()).collect()
}

impl PeerPair {
    /// Draws what this run has of its own.
    pub(super) fn be_rough(&mut self) {
        self.is_rough = true;
        self.has_large_values = self.rng.u8(..12) == 0;
        self.peace = if self.rng.u8(..12) == 0 { 50_000 } else { 9_000 };
        if self.has_large_values {
            self.delays = [50_000..150_000, 30_000..90_000];
        } else if self.rng.u8(..4) == 0 {
            self.delays[1] = 20_000..self.rng.u64(30_000..80_000);
        }
    }

    /// The application emits, now and then as much as the window takes.
    pub(super) fn act_roughly(&mut self, end: usize) {
        if self.ends[end].has_ended {
            return;
        }
        let latest = if self.has_large_values { 300 } else { 2_500 };
        self.after(20..latest, PeerEvent::Act(end));
        let count = match self.rng.u8(..200) {
            0 => 2 * WINDOW_FRAMES,
            // Their replies are more than a window holds.
            1..=20 if self.has_large_values => 30,
            _ => self.rng.usize(1..5),
        };
        for _ in 0..count {
            // An emit that does not fit is refused; rarely is it made nevertheless.
            if !self.ends[end].peer.takes_emits() && self.rng.u8(..4) > 0 {
                return;
            }
            self.last_call += 1;
            let call = self.last_call;
            let args = match self.rng.u8(..4) {
                _ if count > 6 => Args::default(),
                0 if self.has_large_values => large(&mut self.rng),
                _ => args(&mut self.rng, call),
            };
            let via = match self.rng.u8(..12) {
                0 => Some(Path::Relay),
                1 => Some(Path::Direct),
                _ => None,
            };
            let now = self.now;
            let mut soon = |one_in, millis| {
                let is_drawn = self.rng.u8(..one_in) == 0;
                is_drawn.then(|| now + Duration::from_millis(self.rng.u64(..millis)))
            };
            let reply_by = soon(8, 300).or_else(|| soon(2, 30_000));
            let options = EmitOptions { reply_by, expires: soon(10, 300), via };
            let event = event(&mut self.rng);
            self.feed(end, Input::Emit { call, event, args, options });
            if self.rng.u8(..12) == 0 {
                self.after(0..200, PeerEvent::Told(end, Input::Cancelled(call)));
            }
        }
    }

    /// A handler returns something, soon, late or never.
    pub(super) fn run_roughly(&mut self, end: usize, delivery: Delivery) {
        let result = match self.rng.u8(..8) {
            0 => Err(code(&mut self.rng).into()),
            1 => Err(Refusal::new(code(&mut self.rng), "for a \"reason\"")),
            2 => Ok(args(&mut self.rng, delivery.seq)),
            3..=5 if self.has_large_values => Ok(large(&mut self.rng)),
            _ => Ok(delivery.args),
        };
        let finished = PeerEvent::Told(end, Input::Finished(delivery.seq, result));
        match self.rng.u8(..30) {
            0 => {}
            1 => self.after(1_000..20_000, finished),
            _ => self.after(0..100, finished),
        }
    }
}
