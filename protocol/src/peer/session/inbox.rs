//! The frames that the partner has sent and this peer has not handled yet.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Instant,
};

use super::{Delivery, Violation, reassembly::Reassembly};
use crate::{
    Args, Body, Code, Frame, Path, Refusal,
    limits::{
        CHUNK_BYTES, PARTS_UNDER_WAY, PENDING_CALLS, RELAYED_FRAME_BYTES, V1_WINDOW_BYTES,
        VALUE_BYTES, WINDOW_BYTES, WINDOW_FRAMES,
    },
    planted::{self, Fault},
    wire,
};

/// Frames that a lawful partner can have under way: its window, replies beyond it, parts, and one
/// `drop`.
const FRAMES: u64 = (WINDOW_FRAMES + PENDING_CALLS + PARTS_UNDER_WAY + 1) as u64;

/// Bytes that a lawful partner can make this peer keep: emits, replies that came early, the parts of
/// one value, other parts, and what was sent when a window was nearly full.
const BYTES: usize = 2 * WINDOW_BYTES + VALUE_BYTES + 2 * PARTS_UNDER_WAY * CHUNK_BYTES;

/// The same for a v1 peer, whose partner has a small window, or one emit in it and the parts of another
/// under way.
const NARROW_BYTES: usize = V1_WINDOW_BYTES + RELAYED_FRAME_BYTES + PARTS_UNDER_WAY * CHUNK_BYTES;

#[derive(Debug)]
struct Arrived {
    body: Arc<Body>,
    size: usize,
    path: Path,
    /// The time after which no handler may start.
    expires: Option<Instant>,
    /// True if its caller has given up.
    abandoned: bool,
}

#[derive(Debug, Default)]
pub(super) struct Inbox {
    narrow: bool,
    /// The highest number that has arrived without a gap.
    arrived: u64,
    /// The number of parts among them.
    parts: u64,
    /// Frames that came early.
    early: BTreeMap<u64, Arrived>,
    /// The parts of an incomplete value.
    value: Reassembly,
    /// Replies that have arrived and were not taken yet.
    replies: VecDeque<Arrived>,
    /// Emits that have arrived and wait for a free handler.
    emits: VecDeque<(u64, Arrived)>,
    /// The bytes in all four.
    bytes: usize,
    /// Handlers that run: true if a reply is wanted. Those whose callers gave up are not in here.
    running: BTreeMap<u64, bool>,
    /// The number of those that are to reply.
    running_calls: usize,
    /// Handlers whose callers gave up since this was last asked.
    abandoned: VecDeque<u64>,
    duplicate: bool,
}

impl Inbox {
    /// The inbox of a session that a server keeps for a v1 client.
    pub(super) fn narrow() -> Self {
        Self { narrow: true, ..Self::default() }
    }

    const fn most(&self) -> usize {
        if self.narrow { NARROW_BYTES } else { BYTES }
    }

    /// Returns the highest number up to which everything has arrived: the value of `g`.
    pub(super) const fn arrived(&self) -> u64 {
        self.arrived
    }

    /// Returns the highest number up to which everything was taken: the value of `k`.
    pub(super) fn taken(&self) -> u64 {
        self.emits.front().map_or(self.arrived, |(seq, _)| seq - 1)
    }

    /// Returns the bytes that it holds.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns the number of parts that have arrived since the beginning.
    pub(super) const fn parts(&self) -> u64 {
        self.parts
    }

    /// Returns the highest number that has arrived at all.
    pub(super) fn seen(&self) -> u64 {
        self.early.last_key_value().map_or(self.arrived, |(seq, _)| *seq)
    }

    /// Returns the delivery of a repeated emit, as if it had not been seen before.
    pub(super) fn again(&self, frame: &Frame) -> Option<Delivery> {
        match &*frame.body {
            Body::Emit { event, args, wants_reply } if frame.seq <= self.taken() => {
                Some(Delivery {
                    seq: frame.seq,
                    event: event.clone(),
                    args: args.clone(),
                    wants_reply: *wants_reply,
                })
            }
            _ => None,
        }
    }

    /// Returns true if a frame arrived twice since the last call: its sender missed an
    /// acknowledgement.
    pub(super) const fn saw_duplicate(&mut self) -> bool {
        std::mem::replace(&mut self.duplicate, false)
    }

    /// Notes a frame, if it is new.
    pub(super) fn insert(
        &mut self,
        frame: Frame,
        path: Path,
        now: Instant,
    ) -> Result<(), Violation> {
        let Frame { seq, body, ttl, .. } = frame;
        if seq <= self.arrived || self.early.contains_key(&seq) {
            self.duplicate = true;
            return Ok(());
        }
        let size = body.size();
        // An emit that waits for a handler is still in a lawful partner's window.
        let full = self.emits.len() >= WINDOW_FRAMES && matches!(*body, Body::Emit { .. });
        if full || seq > self.arrived + FRAMES || self.bytes + size > self.most() {
            return Err(Violation::Window);
        }
        self.bytes += size;
        let expires = ttl.and_then(|ttl| now.checked_add(ttl));
        self.early.insert(seq, Arrived { body, size, path, expires, abandoned: false });
        let mut lawful = Ok(());
        while let Some(next) = self.early.remove(&(self.arrived + 1)) {
            self.arrived += 1;
            lawful = lawful.and(self.sort(next));
        }
        lawful
    }

    /// Sorts the frame that is next in order.
    fn sort(&mut self, next: Arrived) -> Result<(), Violation> {
        match &*next.body {
            Body::Emit { .. } => self.emits.push_back((self.arrived, next)),
            Body::Reply { .. } => self.replies.push_back(next),
            Body::Part { text, last } => {
                self.parts += 1;
                self.bytes -= next.size + self.value.size();
                let collected = self.value.add(text);
                let complete = if *last { self.value.finish() } else { Ok(None) };
                self.bytes += self.value.size();
                collected?;
                if let Some(body) = complete? {
                    let size = body.size();
                    return self.complete(Arrived { body: body.into(), size, ..next });
                }
            }
            Body::Drop => {
                self.parts += 1;
                self.bytes -= next.size + self.value.size();
                self.value.clear();
            }
            Body::Cancel { to } => {
                self.bytes -= next.size;
                self.cancel(*to);
            }
            Body::Ack => self.bytes -= next.size,
            // Its number is taken, so that what comes after it is.
            Body::Other(_) => {
                self.bytes -= next.size;
                return Err(Violation::Unknown);
            }
        }
        Ok(())
    }

    /// Notes that the caller of an emit gave up. An emit that is not waited for is not affected: the
    /// `cancel` may have crossed the reply.
    fn cancel(&mut self, to: u64) {
        if self.running.get(&to) == Some(&true) {
            self.finish(to);
            self.abandoned.push_back(to);
        } else if let Ok(at) = self.emits.binary_search_by_key(&to, |(seq, _)| *seq) {
            self.emits[at].1.abandoned = true;
        }
    }

    /// Sorts a value whose last part is the latest frame that has arrived.
    fn complete(&mut self, value: Arrived) -> Result<(), Violation> {
        let is_emit = matches!(*value.body, Body::Emit { .. });
        let full = self.emits.len() >= WINDOW_FRAMES && is_emit;
        if full || self.bytes + value.size > self.most() {
            return Err(Violation::Window);
        }
        self.bytes += value.size;
        self.sort(value)
    }

    /// Takes the next reply: the number of the emit, the result, and the path that it took.
    pub(super) fn next_reply(&mut self) -> Option<(u64, Result<Args, Refusal>, Path)> {
        loop {
            let Arrived { body, size, path, .. } = self.replies.pop_front()?;
            self.bytes -= size;
            if let Body::Reply { to, result } = Arc::unwrap_or_clone(body) {
                return Some((to, result, path));
            }
        }
    }

    /// Takes the next emit, if a handler is free for it, with the reason if it may not run. `replies` is the
    /// number of replies that have not arrived, whose handlers are not free yet, or `None` if they hold too
    /// much. A call whose caller gave up needs no place: nothing is kept for its reply.
    pub(super) fn next_delivery(
        &mut self,
        replies: Option<usize>,
        now: Instant,
    ) -> Option<(Delivery, Result<(), Code>)> {
        let (_, next) = self.emits.front()?;
        let is_free = match &*next.body {
            Body::Emit { wants_reply: true, .. } => {
                let few = |replies| self.running_calls + replies < PENDING_CALLS;
                next.abandoned || replies.is_some_and(few)
            }
            _ => self.running.len() - self.running_calls < PENDING_CALLS,
        };
        if !is_free {
            return None;
        }
        let (seq, Arrived { body, size, expires, abandoned, .. }) = self.emits.pop_front()?;
        self.bytes -= size;
        let Body::Emit { event, args, wants_reply } = Arc::unwrap_or_clone(body) else {
            return None;
        };
        let is_late = expires.is_some_and(|at| at <= now) && !planted::is(Fault::IgnoreTtl);
        let verdict = if is_late { Err(Code::Expired) } else { wire::check_event(&event) };
        if !(wants_reply && abandoned) {
            self.running.insert(seq, wants_reply);
            self.running_calls += usize::from(wants_reply);
        } else if verdict.is_ok() {
            self.abandoned.push_back(seq);
        }
        Some((Delivery { seq, event, args, wants_reply }, verdict))
    }

    /// Returns the next handler whose caller gave up.
    pub(super) fn next_abandoned(&mut self) -> Option<u64> {
        self.abandoned.pop_front()
    }

    /// Notes that a handler is done. Returns true if a reply is wanted, and `None` if the handler was
    /// not running.
    pub(super) fn finish(&mut self, seq: u64) -> Option<bool> {
        let wants_reply = self.running.remove(&seq);
        self.running_calls -= usize::from(wants_reply == Some(true));
        wants_reply
    }
}
