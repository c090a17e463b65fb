//! What this end has sent and its partner has not taken yet.

use std::{collections::VecDeque, sync::Arc};

use super::Violation;
use crate::{
    Body,
    limits::{WINDOW_BYTES, WINDOW_FRAMES},
};

#[derive(Debug, Default)]
pub(super) struct Window {
    /// The highest number that the partner took.
    acknowledged: u64,
    /// Numbered on from there, without a gap.
    frames: VecDeque<Arc<Body>>,
    bytes: usize,
}

impl Window {
    /// Whether an emit has to wait. A reply never does: its number is bounded by the partner's
    /// pending calls.
    pub(super) fn is_full(&self) -> bool {
        self.frames.len() >= WINDOW_FRAMES || self.bytes >= WINDOW_BYTES
    }

    /// Adds a frame, and says its number.
    pub(super) fn push(&mut self, body: Body) -> (u64, Arc<Body>) {
        let body = Arc::new(body);
        self.bytes += body.size();
        self.frames.push_back(body.clone());
        (self.acknowledged + self.frames.len() as u64, body)
    }

    /// Takes out what the partner took.
    pub(super) fn acknowledge(&mut self, ack: u64) -> Result<(), Violation> {
        if !self.was_sent(ack) {
            return Err(Violation::Ack);
        }
        while self.acknowledged < ack
            && let Some(body) = self.frames.pop_front()
        {
            self.acknowledged += 1;
            self.bytes -= body.size();
        }
        Ok(())
    }

    /// Whether a frame has had this number.
    pub(super) fn was_sent(&self, seq: u64) -> bool {
        seq <= self.acknowledged + self.frames.len() as u64
    }

    /// Everything in it, in order.
    pub(super) fn frames(&self) -> Vec<(u64, Arc<Body>)> {
        (self.acknowledged + 1..)
            .zip(self.frames.iter().cloned())
            .collect()
    }
}
