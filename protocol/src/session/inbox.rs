//! What the partner has sent and this end has not handled yet.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use super::{Delivery, Violation};
use crate::{
    Args, Body, Frame, Refusal, Route,
    limits::{PENDING_CALLS, WINDOW_BYTES, WINDOW_FRAMES},
};

/// Frames that a lawful partner can have under way: its window, and replies beyond it.
const FRAMES: u64 = (WINDOW_FRAMES + PENDING_CALLS) as u64;

/// Bytes that it can have under way beside what arrived: its window, one emit that was taken when
/// it was nearly full, and as much again in replies.
const BYTES: usize = 3 * WINDOW_BYTES;

#[derive(Debug, Default)]
pub(super) struct Inbox {
    /// The highest number that arrived without a gap.
    arrived: u64,
    /// Frames that came early.
    early: BTreeMap<u64, (Arc<Body>, Route)>,
    /// Replies that arrived and were not taken yet.
    replies: VecDeque<(Arc<Body>, Route)>,
    /// Emits that arrived and wait for a free handler.
    emits: VecDeque<(u64, Arc<Body>)>,
    /// Bytes in all three.
    bytes: usize,
    /// Emits whose handler runs, and whether a reply is wanted.
    running: BTreeMap<u64, bool>,
    duplicate: bool,
}

impl Inbox {
    /// The highest number up to which everything arrived: what `g` says.
    pub(super) const fn arrived(&self) -> u64 {
        self.arrived
    }

    /// The highest number up to which everything was taken: what `k` says.
    pub(super) fn taken(&self) -> u64 {
        self.emits.front().map_or(self.arrived, |(seq, _)| seq - 1)
    }

    /// Whether something came twice since the last time this was asked: its sender missed an
    /// acknowledgement.
    pub(super) const fn saw_duplicate(&mut self) -> bool {
        std::mem::replace(&mut self.duplicate, false)
    }

    /// Notes a frame, if it is new.
    pub(super) fn insert(&mut self, frame: Frame, route: Route) -> Result<(), Violation> {
        let Frame { seq, body, .. } = frame;
        if seq <= self.arrived || self.early.contains_key(&seq) {
            self.duplicate = true;
            return Ok(());
        }
        let size = body.size();
        // An emit that waits for a handler is still in a lawful partner's window.
        let full = self.emits.len() >= WINDOW_FRAMES && matches!(*body, Body::Emit { .. });
        if full || seq > self.arrived + FRAMES || self.bytes + size > BYTES {
            return Err(Violation::Window);
        }
        self.bytes += size;
        self.early.insert(seq, (body, route));
        while let Some((body, route)) = self.early.remove(&(self.arrived + 1)) {
            self.arrived += 1;
            if let Body::Emit { .. } = *body {
                self.emits.push_back((self.arrived, body));
            } else {
                self.replies.push_back((body, route));
            }
        }
        Ok(())
    }

    /// The next reply that arrived: the number of the call, what it says, and its way.
    pub(super) fn next_reply(&mut self) -> Option<(u64, Result<Args, Refusal>, Route)> {
        loop {
            let (body, route) = self.replies.pop_front()?;
            self.bytes -= body.size();
            if let Body::Reply { to, result } = Arc::unwrap_or_clone(body) {
                return Some((to, result, route));
            }
        }
    }

    /// The next emit, if a handler is free for it. One is not before its last reply arrived.
    pub(super) fn next_delivery(&mut self, replies: usize) -> Option<Delivery> {
        if self.running.len() + replies >= PENDING_CALLS {
            return None;
        }
        let (seq, body) = self.emits.pop_front()?;
        self.bytes -= body.size();
        let Body::Emit { event, args, reply } = Arc::unwrap_or_clone(body) else {
            return None;
        };
        self.running.insert(seq, reply);
        Some(Delivery { seq, event, args, reply })
    }

    /// Notes that a handler is done. Whether a reply is wanted; none if it was not running.
    pub(super) fn finish(&mut self, seq: u64) -> Option<bool> {
        self.running.remove(&seq)
    }
}
