//! What this end has sent and its partner has not taken yet.

use std::{collections::BTreeMap, sync::Arc};

use super::Violation;
use crate::{
    Body,
    limits::{WINDOW_BYTES, WINDOW_FRAMES},
};

#[derive(Debug, Default)]
pub(super) struct Window {
    /// The highest number that was given to a frame.
    sent: u64,
    /// The highest number that arrived there: nothing up to it has to be sent again.
    arrived: u64,
    /// Emits that were not taken, and replies that did not arrive.
    frames: BTreeMap<u64, Arc<Body>>,
    replies: usize,
    bytes: usize,
}

impl Window {
    /// Whether an emit has to wait. A reply never does: the number of those is bounded by that of
    /// the handlers.
    pub(super) fn is_full(&self) -> bool {
        self.frames.len() >= WINDOW_FRAMES || self.bytes >= WINDOW_BYTES
    }

    /// Replies in it. A partner that does not acknowledge them gets no more handlers.
    pub(super) const fn replies(&self) -> usize {
        self.replies
    }

    /// Adds a frame, and says its number.
    pub(super) fn push(&mut self, body: Body) -> (u64, Arc<Body>) {
        let body = Arc::new(body);
        self.sent += 1;
        self.bytes += body.size();
        self.replies += usize::from(is_reply(&body));
        self.frames.insert(self.sent, body.clone());
        (self.sent, body)
    }

    /// Takes out the emits that the partner took, and the replies that arrived there.
    pub(super) fn acknowledge(&mut self, taken: u64, arrived: u64) -> Result<(), Violation> {
        let arrived = arrived.max(taken);
        if !self.was_sent(arrived) {
            return Err(Violation::Ack);
        }
        for seq in self.arrived + 1..=arrived {
            if self.frames.get(&seq).is_some_and(|body| is_reply(body)) {
                self.remove(seq);
            }
        }
        self.arrived = self.arrived.max(arrived);
        while let Some((&seq, _)) = self.frames.first_key_value()
            && seq <= taken
        {
            self.remove(seq);
        }
        Ok(())
    }

    fn remove(&mut self, seq: u64) {
        if let Some(body) = self.frames.remove(&seq) {
            self.bytes -= body.size();
            self.replies -= usize::from(is_reply(&body));
        }
    }

    /// Whether a frame has had this number.
    pub(super) const fn was_sent(&self, seq: u64) -> bool {
        seq <= self.sent
    }

    /// Everything that has to be sent again on another path, in order.
    pub(super) fn frames(&self) -> Vec<(u64, Arc<Body>)> {
        let frames = self.frames.range(self.arrived + 1..);
        frames.map(|(seq, body)| (*seq, body.clone())).collect()
    }
}

fn is_reply(body: &Body) -> bool {
    matches!(body, Body::Reply { .. })
}
