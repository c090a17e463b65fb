//! Each end's half of a pairing: order, window, replies and outcomes, above whatever path
//! carries them.
//!
//! ```text
//!   emit ──► window ──► frame on the present path ──► partner's reorder buffer ──► handler
//!              │  ▲                                                                   │
//!              │  └── the partner's `k` covers it: taken out                          ▼
//!              └───── the path changes: everything in it is sent again          reply, likewise
//! ```
//!
//! - Frames are numbered from 1 in each direction and taken strictly in order; one seen before is
//!   dropped, one that comes early waits.
//! - An emit stays in the window until the partner's `k` covers it, a reply until it arrived there
//!   (`g`). The window is the only queue: while [`Session::has_room`] says no, an emit waits with its caller.
//! - Emits go to handlers, at most [`PENDING_CALLS`] at a time; the others wait in the partner's
//!   window, since `k` covers an emit only when its handler has started. Replies never wait behind
//!   them, and may exceed the window by [`PENDING_CALLS`] frames: two ends that are both full
//!   still answer each other. A partner that does not say which replies arrived gets no more
//!   handlers.
//! - A value too large for one frame is cut into parts, one value after another and a few parts at a
//!   time: whatever is small passes between them. It was sent once its last part was.
//! - A call is answered exactly once: by its reply, at its deadline, or when the pairing ends.
//!
//! No IO, no clock: feed it with [`Session::handle`], carry out what [`Session::poll_output`]
//! says, and come back with [`Input::Timeout`] when [`Session::poll_timeout`] is due.

mod bulk;
mod inbox;
mod interface;
mod reassembly;
mod receiving;
mod sending;
mod window;

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

pub use self::interface::{CallId, Delivery, Input, Output, Violation};
use self::{
    bulk::{Bulk, Terms},
    inbox::Inbox,
    window::{Kept, Role, Window},
};
use crate::{
    Body, Cause, Code, EndReason, Frame, Outcome, Path,
    limits::{PENDING_CALLS, RESEND_DELAY, RESEND_DELAY_MAX},
    planted::{self, Fault},
};

/// What a path can be used for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Access {
    /// Nothing.
    Closed,
    /// What is told to take it, and what answers the partner.
    Held,
    /// Everything.
    Open,
}

#[derive(Clone, Copy, Debug)]
struct Call {
    id: CallId,
    deadline: Instant,
}

/// Each end's half of a pairing. See the [module's page](self).
#[derive(Debug)]
pub struct Session {
    window: Window,
    bulk: Bulk,
    inbox: Inbox,
    /// Calls of this end, by the number of their emit.
    calls: BTreeMap<u64, Call>,
    /// Which paths can be used; the direct one is preferred.
    relay: Access,
    direct: Access,
    /// The highest `k` and `g` that were sent, how many parts `g` covers, and by when the present
    /// ones must be sent.
    told_taken: u64,
    told_arrived: u64,
    told_parts: u64,
    ack_due: Option<Instant>,
    resend_due: Option<Instant>,
    /// How long the window waits after the next refusal.
    resend_delay: Duration,
    /// Whether nothing can be delivered.
    paused: bool,
    ended: bool,
    outputs: VecDeque<Output>,
}

impl Default for Session {
    fn default() -> Self {
        Self::new()
    }
}

impl Session {
    /// A session that has no path yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            window: Window::default(),
            bulk: Bulk::default(),
            inbox: Inbox::default(),
            calls: BTreeMap::new(),
            relay: Access::Closed,
            direct: Access::Closed,
            told_taken: 0,
            told_arrived: 0,
            told_parts: 0,
            ack_due: None,
            resend_due: None,
            resend_delay: RESEND_DELAY,
            paused: false,
            ended: false,
            outputs: VecDeque::new(),
        }
    }

    /// That of a client whose partner speaks v1: the server keeps little for it.
    #[must_use]
    pub fn with_v1_partner() -> Self {
        Self { window: Window::narrow(), ..Self::new() }
    }

    /// That which a server keeps on behalf of a v1 client.
    #[must_use]
    pub fn of_v1_end() -> Self {
        Self { window: Window::narrow(), inbox: Inbox::narrow(), ..Self::new() }
    }

    /// The one place that decides which way frames go: none while there is no path.
    #[must_use]
    pub fn path(&self) -> Option<Path> {
        self.path_with(Access::Open)
    }

    /// The same of what answers the partner: replies and acknowledgements.
    fn answers_by(&self) -> Option<Path> {
        self.path().or_else(|| self.path_with(Access::Held))
    }

    fn path_with(&self, access: Access) -> Option<Path> {
        [Path::Direct, Path::Relay].into_iter().find(|path| self.access(*path) == access)
    }

    const fn access(&self, path: Path) -> Access {
        match path {
            Path::Relay => self.relay,
            Path::Direct => self.direct,
        }
    }

    /// Whether there is this path, though it may not be the one that is taken.
    #[must_use]
    pub fn has(&self, path: Path) -> bool {
        self.access(path) != Access::Closed
    }

    /// Whether an emit can be taken now; if not, it waits with its caller.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.path().is_some()
            && !self.window.is_full()
            && !self.bulk.has_emit()
            && self.calls.len() < PENDING_CALLS
    }

    /// Returns true if the partner has confirmed everything that this end has sent or is to send: emits
    /// were taken, replies have arrived.
    #[must_use]
    pub fn is_confirmed(&self) -> bool {
        self.window.is_empty() && self.bulk.is_empty()
    }

    /// Calls of this end that wait for a reply.
    #[must_use]
    pub fn pending_calls(&self) -> usize {
        self.calls.len() + usize::from(self.bulk.has_call())
    }

    /// Takes note of what happened.
    pub fn handle(&mut self, input: Input, now: Instant) {
        if self.ended {
            return self.handle_after_end(input);
        }
        match input {
            Input::Emit { event, args, call, expires, via } => {
                let body = Body::Emit { event, args, reply: call.is_some() };
                self.emit(body, Terms { call, expires, via }, now);
            }
            Input::Cancelled(call) => self.cancelled(call, now),
            Input::Received(path, frame) => self.received(path, frame, now),
            Input::Finished(seq, result) => self.finished(seq, result, now),
            Input::Paused => self.paused = true,
            Input::Resumed => {
                self.paused = false;
                self.take(now);
            }
            Input::Opened(path) => self.set_path(path, Access::Open, now),
            Input::Held(path) => self.set_path(path, Access::Held, now),
            Input::Closed(path) => self.set_path(path, Access::Closed, now),
            Input::Refused(path) => {
                if self.answers_by() == Some(path) || self.window.has_via(path) {
                    self.refused(now);
                }
            }
            Input::Ended(reason) => self.end(reason),
            Input::Timeout => self.timeout(now),
        }
        if !self.bulk.is_empty() {
            self.send_bulk(now);
        }
    }

    /// The next thing to do, if any.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Input::Timeout`] is due, if ever.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let calls = self.calls.values().map(|call| call.deadline).min();
        [calls, self.bulk.due(), self.ack_due, self.resend_due].into_iter().flatten().min()
    }

    fn send(&mut self, seq: u64, kept: Kept, now: Instant) {
        let any = if kept.answers { self.answers_by() } else { self.path() };
        let Some(path) = kept.via.filter(|via| self.has(*via)).or(any) else { return };
        self.told_taken = self.inbox.taken();
        self.told_arrived = self.inbox.arrived();
        self.told_parts = self.inbox.parts();
        self.ack_due = None;
        let (mut ack, mut got) = (self.told_taken, self.told_arrived);
        if planted::is(Fault::AckUnseen) {
            got = self.inbox.seen();
            ack = got;
        }
        let ttl = kept.expires.map(|at| at.saturating_duration_since(now));
        let frame = Frame { seq, ack, got, ttl, body: kept.body };
        self.outputs.push_back(Output::Send(path, frame));
    }

    fn enqueue(&mut self, kept: Kept, now: Instant) -> u64 {
        let seq = self.window.push(kept.clone());
        self.send(seq, kept, now);
        seq
    }

    fn acknowledge(&mut self, now: Instant) {
        self.send(0, Kept::new(Body::Ack, Role::Part, 0, None).answering(), now);
    }

    fn resolve(&mut self, call: CallId, outcome: Outcome) {
        self.outputs.push_back(Output::Resolved(call, outcome));
    }

    fn violation(&mut self, violation: Violation) {
        self.outputs.push_back(Output::Violation(violation));
    }

    fn set_path(&mut self, path: Path, access: Access, now: Instant) {
        let before = (self.path(), self.answers_by());
        let change = match path {
            Path::Relay => &mut self.relay,
            Path::Direct => &mut self.direct,
        };
        let was = std::mem::replace(change, access);
        let after = (self.path(), self.answers_by());
        let came_or_went = (was == Access::Closed) != (access == Access::Closed);
        // What took this path although the others did not is lost with it as well.
        let changed = after != before || (came_or_went && self.window.has_via(path));
        if after.1.is_some() && changed {
            self.resend(now);
        }
    }

    /// The path cannot keep up: the window goes again after a while, which grows from refusal to
    /// refusal until something arrives.
    fn refused(&mut self, now: Instant) {
        if self.resend_due.is_none() {
            self.resend_due = Some(now + self.resend_delay);
            self.resend_delay = (self.resend_delay * 2).min(RESEND_DELAY_MAX);
        }
    }

    /// Sends everything in the window again: the partner drops what it had. An acknowledgement may
    /// have been lost as well, so that one goes if there is nothing else to carry it.
    fn resend(&mut self, now: Instant) {
        self.resend_due = None;
        let frames = self.window.frames();
        if frames.is_empty() && self.inbox.arrived() > 0 {
            self.acknowledge(now);
        }
        for (seq, kept) in frames {
            self.send(seq, kept, now);
        }
    }

    fn timeout(&mut self, now: Instant) {
        let due: Vec<u64> = self
            .calls
            .iter()
            .filter(|(_, call)| call.deadline <= now)
            .map(|(seq, _)| *seq)
            .collect();
        for seq in due {
            if let Some(call) = self.calls.remove(&seq) {
                self.resolve(call.id, Outcome::Unknown(Cause::Code(Code::Timeout)));
            }
        }
        if self.ack_due.is_some_and(|due| due <= now) {
            self.ack_due = None;
            self.acknowledge(now);
        }
        if self.resend_due.is_some_and(|due| due <= now) {
            self.resend(now);
        }
    }

    fn end(&mut self, reason: EndReason) {
        self.ended = true;
        if let Some(call) = self.bulk.take_emit().and_then(|unsent| unsent.call) {
            self.resolve(call, Outcome::NotExecuted(Cause::Ended(reason)));
        }
        for call in std::mem::take(&mut self.calls).into_values() {
            let cause = Cause::Ended(reason);
            let guess = planted::is(Fault::GuessNotExecuted);
            let outcome = if guess { Outcome::NotExecuted(cause) } else { Outcome::Unknown(cause) };
            self.resolve(call.id, outcome);
        }
        self.window = Window::default();
        self.bulk = Bulk::default();
        self.inbox = Inbox::default();
        self.relay = Access::Closed;
        self.direct = Access::Closed;
        self.ack_due = None;
        self.resend_due = None;
    }

    fn handle_after_end(&mut self, input: Input) {
        if let Input::Emit { call: Some((call, _)), .. } = input {
            self.resolve(call, Outcome::NotExecuted(Cause::Code(Code::NotPaired)));
        }
    }
}
