//! The frames that this peer has sent and its partner has not taken yet.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use super::Violation;
use crate::{
    Body, Path,
    limits::{PARTS_UNDER_WAY, V1_WINDOW_BYTES, WINDOW_BYTES, WINDOW_FRAMES},
    planted::{self, Fault},
};

/// The account of a frame in the window. The last part of a value counts as the value itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum FrameRole {
    /// An emit, which stays until it was taken.
    Emit,
    /// A reply, which stays until it has arrived.
    Reply,
    /// A part, which stays until it has arrived.
    Part,
}

/// A frame that the partner has not acknowledged.
#[derive(Clone, Debug)]
pub(super) struct Unacked {
    pub(super) body: Arc<Body>,
    /// The time after which no handler may start for an emit.
    pub(super) expires: Option<Instant>,
    /// The path that carries it while that path is there.
    pub(super) via: Option<Path>,
    /// True if it answers the partner.
    pub(super) answers: bool,
    /// True for a part, and for a `drop` that ends parts.
    is_part: bool,
    role: FrameRole,
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
    /// The highest number of a frame.
    sent: u64,
    /// The highest number that has arrived there: no frame up to it is sent again.
    arrived: u64,
    frames: BTreeMap<u64, Unacked>,
    emits: Load,
    replies: Load,
    parts: Load,
    /// Parts that have not arrived, the last ones included.
    parts_under_way: usize,
}

impl Window {
    /// The window to or from a v1 peer.
    pub(super) fn narrow() -> Self {
        Self { narrow: true, ..Self::default() }
    }

    const fn most(&self) -> usize {
        if self.narrow { V1_WINDOW_BYTES } else { WINDOW_BYTES }
    }

    /// Returns true if an emit has to wait. A reply does not: the number of handlers bounds that of
    /// replies.
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

    /// Returns true if an emit of this size fits beside the others. The largest fits alone.
    pub(super) const fn fits(&self, size: usize) -> bool {
        self.emits.frames == 0 || self.emits.bytes + size <= self.most()
    }

    /// Returns true if another part may be sent.
    pub(super) const fn takes_parts(&self) -> bool {
        self.parts_under_way < PARTS_UNDER_WAY
    }

    /// Returns the number of emits.
    pub(super) const fn emits(&self) -> usize {
        self.emits.frames
    }

    /// Returns the number of replies. A partner that does not acknowledge them gets no more handlers.
    pub(super) const fn replies(&self) -> usize {
        self.replies.frames
    }

    /// Returns the bytes in the replies.
    pub(super) const fn reply_bytes(&self) -> usize {
        self.replies.bytes
    }

    /// Adds a frame, and returns its number.
    pub(super) fn push(&mut self, frame: Unacked) -> u64 {
        self.sent += 1;
        self.parts_under_way += usize::from(frame.is_part);
        let load = self.load(frame.role);
        load.frames += 1;
        load.bytes += frame.size;
        self.frames.insert(self.sent, frame);
        self.sent
    }

    /// Returns the highest number that has arrived there.
    pub(super) const fn arrived(&self) -> u64 {
        self.arrived
    }

    /// Removes the emits that the partner has taken, and the other frames that have arrived there.
    pub(super) fn acknowledge(&mut self, taken: u64, arrived: u64) -> Result<(), Violation> {
        let arrived = arrived.max(taken);
        if !self.was_sent(arrived) {
            return Err(Violation::Ack);
        }
        for seq in self.arrived + 1..=arrived {
            if let Some(frame) = self.frames.get(&seq) {
                self.parts_under_way -= usize::from(frame.is_part);
                if frame.role != FrameRole::Emit {
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
        if let Some(Unacked { role, size, .. }) = self.frames.remove(&seq) {
            let load = self.load(role);
            load.frames -= 1;
            load.bytes -= size;
        }
    }

    const fn load(&mut self, role: FrameRole) -> &mut Load {
        match role {
            FrameRole::Emit => &mut self.emits,
            FrameRole::Reply => &mut self.replies,
            FrameRole::Part => &mut self.parts,
        }
    }

    /// Returns true if a frame has had this number.
    pub(super) const fn was_sent(&self, seq: u64) -> bool {
        seq <= self.sent
    }

    /// Returns true if a frame that has not arrived takes this path whatever the others do.
    pub(super) fn has_via(&self, path: Path) -> bool {
        let mut frames = self.frames.range(self.arrived + 1..);
        frames.any(|(_, frame)| frame.via == Some(path))
    }

    /// Puts other contents in the place of those for which there are any, in frames that have not
    /// arrived. Returns the numbers of these frames. They count as before.
    pub(super) fn replace(
        &mut self,
        mut substitute: impl FnMut(&Body) -> Option<Body>,
    ) -> Vec<u64> {
        let frames = self.frames.range_mut(self.arrived + 1..);
        let replaced = frames.filter_map(|(seq, frame)| {
            frame.body = substitute(&frame.body)?.into();
            Some(*seq)
        });
        replaced.collect()
    }

    /// Returns the frames that are sent again on another path, in order.
    pub(super) fn frames(&self) -> Vec<(u64, Unacked)> {
        let frames = self.frames.range(self.arrived + 1..);
        let mut frames: Vec<_> = frames.map(|(seq, frame)| (*seq, frame.clone())).collect();
        if planted::is(Fault::LoseLastPart) {
            frames.retain(|(_, frame)| !matches!(*frame.body, Body::Part { last: true, .. }));
        }
        if planted::is(Fault::ReorderOnPathChange)
            && let [first, second, ..] = &mut *frames
        {
            std::mem::swap(&mut first.1, &mut second.1);
        }
        frames
    }
}

impl Unacked {
    pub(super) fn new(body: Body, role: FrameRole, size: usize, expires: Option<Instant>) -> Self {
        let answers = role == FrameRole::Reply;
        let is_part = matches!(body, Body::Part { .. } | Body::Drop);
        Self { body: body.into(), expires, via: None, answers, is_part, role, size }
    }

    pub(super) const fn via(mut self, via: Option<Path>) -> Self {
        self.via = via;
        self
    }

    pub(super) const fn answering(mut self) -> Self {
        self.answers = true;
        self
    }
}
