//! What this end has sent and its partner has not taken yet.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use super::Violation;
use crate::{
    Body, Path,
    limits::{PARTS_UNDER_WAY, V1_WINDOW_BYTES, WINDOW_BYTES, WINDOW_FRAMES},
    planted::{self, Fault},
};

/// As what a frame counts in the window. The last part of a value counts as the value itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Role {
    /// It stays until it was taken.
    Emit,
    /// It stays until it arrived.
    Reply,
    /// It stays until it arrived.
    Part,
}

/// A frame in the window.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) body: Arc<Body>,
    /// When an emit is of no use any more.
    pub(super) expires: Option<Instant>,
    /// The path that it takes as long as that is there.
    pub(super) via: Option<Path>,
    /// Whether it answers the partner.
    pub(super) answers: bool,
    role: Role,
    size: usize,
}

#[derive(Debug, Default)]
struct Load {
    frames: usize,
    bytes: usize,
}

#[derive(Debug, Default)]
pub(super) struct Window {
    narrow: bool,
    /// The highest number that was given to a frame.
    sent: u64,
    /// The highest number that arrived there: nothing up to it has to be sent again.
    arrived: u64,
    frames: BTreeMap<u64, Kept>,
    emits: Load,
    replies: Load,
    parts: Load,
    /// Parts that have not arrived, the last ones included.
    parts_under_way: usize,
}

impl Window {
    /// One to or from a v1 end.
    pub(super) fn narrow() -> Self {
        Self { narrow: true, ..Self::default() }
    }

    const fn most(&self) -> usize {
        if self.narrow { V1_WINDOW_BYTES } else { WINDOW_BYTES }
    }

    /// Whether an emit has to wait. A reply does not: the number of those is bounded by that of
    /// the handlers.
    pub(super) fn is_full(&self) -> bool {
        let full = self.frames.len() >= WINDOW_FRAMES || self.bytes() >= self.most();
        full && !planted::is(Fault::NeverFull)
    }

    /// Returns true if the partner has taken everything.
    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    pub(super) const fn bytes(&self) -> usize {
        self.emits.bytes + self.replies.bytes + self.parts.bytes
    }

    /// Whether an emit of this size fits beside the others; the largest fits alone.
    pub(super) const fn fits(&self, size: usize) -> bool {
        self.emits.frames == 0 || self.emits.bytes + size <= self.most()
    }

    /// Whether another part may go.
    pub(super) const fn takes_parts(&self) -> bool {
        self.parts_under_way < PARTS_UNDER_WAY
    }

    /// Replies in it. A partner that does not acknowledge them gets no more handlers.
    pub(super) const fn replies(&self) -> usize {
        self.replies.frames
    }

    /// Bytes in those.
    pub(super) const fn reply_bytes(&self) -> usize {
        self.replies.bytes
    }

    /// Adds a frame, and says its number.
    pub(super) fn push(&mut self, kept: Kept) -> u64 {
        self.sent += 1;
        self.parts_under_way += usize::from(kept.is_part());
        let load = self.load(kept.role);
        load.frames += 1;
        load.bytes += kept.size;
        self.frames.insert(self.sent, kept);
        self.sent
    }

    /// The highest number that arrived there.
    pub(super) const fn arrived(&self) -> u64 {
        self.arrived
    }

    /// Takes out the emits that the partner took, and what else arrived there.
    pub(super) fn acknowledge(&mut self, taken: u64, arrived: u64) -> Result<(), Violation> {
        let arrived = arrived.max(taken);
        if !self.was_sent(arrived) {
            return Err(Violation::Ack);
        }
        for seq in self.arrived + 1..=arrived {
            if let Some(kept) = self.frames.get(&seq) {
                self.parts_under_way -= usize::from(kept.is_part());
                if kept.role != Role::Emit {
                    self.remove(seq);
                }
            }
        }
        self.arrived = self.arrived.max(arrived);
        let taken = taken + u64::from(planted::is(Fault::WindowEvictsEarly));
        while let Some((&seq, _)) = self.frames.first_key_value()
            && seq <= taken
        {
            self.remove(seq);
        }
        Ok(())
    }

    fn remove(&mut self, seq: u64) {
        if let Some(Kept { role, size, .. }) = self.frames.remove(&seq) {
            let load = self.load(role);
            load.frames -= 1;
            load.bytes -= size;
        }
    }

    const fn load(&mut self, role: Role) -> &mut Load {
        match role {
            Role::Emit => &mut self.emits,
            Role::Reply => &mut self.replies,
            Role::Part => &mut self.parts,
        }
    }

    /// Whether a frame has had this number.
    pub(super) const fn was_sent(&self, seq: u64) -> bool {
        seq <= self.sent
    }

    /// Whether a frame that did not arrive takes this path whatever the others do.
    pub(super) fn has_via(&self, path: Path) -> bool {
        let mut frames = self.frames.range(self.arrived + 1..);
        frames.any(|(_, kept)| kept.via == Some(path))
    }

    /// Everything that has to be sent again on another path, in order.
    pub(super) fn frames(&self) -> Vec<(u64, Kept)> {
        let frames = self.frames.range(self.arrived + 1..);
        let mut frames: Vec<_> = frames.map(|(seq, kept)| (*seq, kept.clone())).collect();
        if planted::is(Fault::LoseLastPart) {
            frames.retain(|(_, kept)| !matches!(*kept.body, Body::Part { last: true, .. }));
        }
        if planted::is(Fault::ReorderOnPathChange)
            && let [first, second, ..] = &mut *frames
        {
            std::mem::swap(&mut first.1, &mut second.1);
        }
        frames
    }
}

impl Kept {
    pub(super) fn new(body: Body, role: Role, size: usize, expires: Option<Instant>) -> Self {
        let answers = role == Role::Reply;
        Self { body: body.into(), expires, via: None, answers, role, size }
    }

    pub(super) const fn via(mut self, via: Option<Path>) -> Self {
        self.via = via;
        self
    }

    pub(super) const fn answering(mut self) -> Self {
        self.answers = true;
        self
    }

    fn is_part(&self) -> bool {
        matches!(*self.body, Body::Part { .. } | Body::Drop)
    }
}
