//! The session of one end of a pairing: order, window, replies and outcomes, above whatever path
//! carries them.
//!
//! ```text
//!   emit ──► window ──► frame on the present path ──► partner's reorder buffer ──► handler
//!              │  ▲                                                                   │
//!              │  └── the partner's `k` covers it: removed                            ▼
//!              └───── the path changes: everything in it is sent again          reply, likewise
//! ```
//!
//! - Frames are numbered from 1 in each direction and taken strictly in order. A frame that was seen
//!   before is dropped, one that comes early waits.
//! - An emit stays in the window until the partner's `k` covers it, a reply until it has arrived
//!   there (`g`). The window is the only queue: without [`Session::has_room`] an emit waits with its
//!   caller.
//! - Emits go to handlers, at most [`PENDING_CALLS`] at a time for calls and as many for other emits;
//!   the others wait in the partner's window, since `k` covers an emit only when its handler has
//!   started. Replies never wait behind them, and may exceed the window by [`PENDING_CALLS`] frames:
//!   two peers that are both full still answer each other. A partner that does not confirm replies gets
//!   no more handlers for calls.
//! - A value that is too large for one frame is cut into parts, one value after another and a few
//!   parts at a time, so that small ones pass between them. It counts as sent with its last part.
//! - A call is resolved exactly once: by its reply, at its deadline, or when the pairing ends. A caller
//!   that gives up sends a `cancel`, so that its handler no longer counts at the partner.
//!
//! No IO, no clock: feed it with [`Session::handle`], carry out what [`Session::poll_output`]
//! returns, and come back with [`Input::Timeout`] when [`Session::poll_timeout`] is due.

mod inbox;
mod interface;
mod narrowing;
mod outgoing;
mod reassembly;
mod receiving;
mod sending;
mod window;

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

pub use self::interface::{CallId, Delivery, EmitOptions, Input, Output, Violation};
use self::{
    inbox::Inbox,
    outgoing::Outgoing,
    window::{FrameRole, Unacked, Window},
};
use crate::{
    Body, Cause, Code, EndReason, Frame, Outcome, Path,
    limits::{PENDING_CALLS, RESEND_DELAY, RESEND_DELAY_MAX},
    planted::{self, Fault},
};

/// The use that may be made of a path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Access {
    /// No frame takes it.
    Closed,
    /// It carries emits that name it, and answers to the partner.
    Held,
    /// It carries everything.
    Open,
}

/// A call that waits for its reply.
#[derive(Clone, Copy, Debug)]
struct PendingCall {
    call: CallId,
    reply_by: Instant,
}

/// The session of one end of a pairing. See the [module's page](self).
#[derive(Debug)]
pub struct Session {
    window: Window,
    outgoing: Outgoing,
    inbox: Inbox,
    /// Calls of this peer, by the number of their emit.
    calls: BTreeMap<u64, PendingCall>,
    /// Numbers of emits whose callers gave up, for which the window had no room yet. As long as there
    /// are any, no emit is taken: each `cancel` precedes the calls that it makes room for.
    given_up: VecDeque<u64>,
    /// The two paths, of which the direct one is preferred.
    relay: Access,
    direct: Access,
    /// The highest `k` and `g` that were sent, the number of parts that `g` covered, and the time by
    /// which the present ones must be sent.
    acked_taken: u64,
    acked_arrived: u64,
    acked_parts: u64,
    ack_due: Option<Instant>,
    resend_due: Option<Instant>,
    /// The time that the window waits after the next refusal.
    resend_delay: Duration,
    /// The number of times that the window was sent again.
    resends: u64,
    /// True while nothing can be delivered.
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
            outgoing: Outgoing::default(),
            inbox: Inbox::default(),
            calls: BTreeMap::new(),
            given_up: VecDeque::new(),
            relay: Access::Closed,
            direct: Access::Closed,
            acked_taken: 0,
            acked_arrived: 0,
            acked_parts: 0,
            ack_due: None,
            resend_due: None,
            resend_delay: RESEND_DELAY,
            resends: 0,
            paused: false,
            ended: false,
            outputs: VecDeque::new(),
        }
    }

    /// The session of a client whose partner speaks v1: the server keeps little for it.
    #[must_use]
    pub fn with_v1_partner() -> Self {
        Self { window: Window::narrow(), ..Self::new() }
    }

    /// The session that a server keeps on behalf of a v1 client.
    #[must_use]
    pub fn of_v1_end() -> Self {
        Self { window: Window::narrow(), inbox: Inbox::narrow(), ..Self::new() }
    }

    /// Returns the path that emits take, or `None` while there is none. This is the one place that
    /// decides it.
    #[must_use]
    pub fn path(&self) -> Option<Path> {
        self.path_with(Access::Open)
    }

    /// Returns the path that answers to the partner take: replies and acknowledgements.
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

    /// Returns true if there is this path, though emits may take the other.
    #[must_use]
    pub fn has(&self, path: Path) -> bool {
        self.access(path) != Access::Closed
    }

    /// Returns true if an emit can be taken now. If not, it waits with its caller.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.path().is_some()
            && !self.window.is_full()
            && !self.outgoing.has_emit()
            && self.given_up.is_empty()
            && self.calls.len() < PENDING_CALLS
    }

    /// Returns true if the partner has confirmed everything that this peer has sent or is to send: emits
    /// were taken, replies have arrived.
    #[must_use]
    pub fn is_confirmed(&self) -> bool {
        self.window.is_empty() && self.outgoing.is_empty() && self.given_up.is_empty()
    }

    /// Returns true if everything that this peer replies is sent, and the partner has taken all its emits. Unlike
    /// [`Self::is_confirmed`], this becomes true even if the partner calls all the time.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        self.window.emits() == 0 && self.outgoing.is_empty()
    }

    /// Returns the bytes that this peer holds in its window, before it, and of its partner's frames. An idle
    /// session holds none.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        let (_, waiting) = self.outgoing.load();
        self.window.bytes() + waiting + self.inbox.bytes()
    }

    /// Returns the number of calls of this peer that wait for a reply.
    #[must_use]
    pub fn pending_calls(&self) -> usize {
        self.calls.len() + usize::from(self.outgoing.has_call())
    }

    /// Handles an input.
    pub fn handle(&mut self, input: Input, now: Instant) {
        if self.ended {
            return self.handle_after_end(input);
        }
        match input {
            Input::Emit { call, event, args, options } => {
                let body = Body::Emit { event, args, wants_reply: options.wants_reply() };
                self.emit(call, body, options, now);
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
            Input::Narrowed { bytes, depth } => self.narrowed(bytes, depth, now),
            Input::Ended(reason) => self.end(reason),
            Input::Timeout => self.timeout(now),
        }
        self.send_cancels(now);
        if !self.outgoing.is_empty() {
            self.send_outgoing(now);
        }
    }

    /// Returns the next output, if any.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Returns when [`Input::Timeout`] is due, if ever.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let calls = self.calls.values().map(|pending| pending.reply_by).min();
        [calls, self.outgoing.due(), self.ack_due, self.resend_due].into_iter().flatten().min()
    }

    /// Returns the number of times that everything was sent again. What waited to be sent before the
    /// last time can be dropped: the [`Output::Send`]s since then contain it.
    pub(super) const fn resends(&self) -> u64 {
        self.resends
    }

    /// Sends a frame. Returns false if there is no path for it.
    fn send(&mut self, seq: u64, frame: Unacked, now: Instant) -> bool {
        let any = if frame.answers { self.answers_by() } else { self.path() };
        let Some(path) = frame.via.filter(|via| self.has(*via)).or(any) else { return false };
        self.acked_taken = self.inbox.taken();
        self.acked_arrived = self.inbox.arrived();
        self.acked_parts = self.inbox.parts();
        self.ack_due = None;
        let (mut ack, mut got) = (self.acked_taken, self.acked_arrived);
        if planted::is(Fault::AckUnseen) {
            got = self.inbox.seen();
            ack = got;
        }
        let ttl = frame.expires.map(|at| at.saturating_duration_since(now));
        let frame = Frame { seq, ack, got, ttl, body: frame.body };
        self.outputs.push_back(Output::Send(path, frame));
        true
    }

    fn enqueue(&mut self, frame: Unacked, now: Instant) -> u64 {
        let seq = self.window.push(frame.clone());
        self.send(seq, frame, now);
        seq
    }

    fn acknowledge(&mut self, now: Instant) {
        self.send(0, Unacked::new(Body::Ack, FrameRole::Part, 0, None).answering(), now);
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
        // Frames that took this path although the others did not are lost with it as well.
        let changed = after != before || (came_or_went && self.window.has_via(path));
        if after.1.is_some() && changed {
            self.resend(now);
        }
    }

    /// Notes that the path cannot keep up: the window is sent again after a delay, which doubles from
    /// refusal to refusal until something arrives.
    fn refused(&mut self, now: Instant) {
        if self.resend_due.is_none() {
            self.resend_due = Some(now + self.resend_delay);
            self.resend_delay = (self.resend_delay * 2).min(RESEND_DELAY_MAX);
        }
    }

    /// Sends everything in the window again: the partner drops what it had. An acknowledgement may
    /// have been lost as well, so one is sent if no other frame is.
    fn resend(&mut self, now: Instant) {
        self.resend_due = None;
        self.resends += 1;
        self.outputs.retain(|output| !matches!(output, Output::Send(..)));
        let mut is_any_sent = false;
        for (seq, frame) in self.window.frames() {
            is_any_sent |= self.send(seq, frame, now);
        }
        if !is_any_sent && self.inbox.arrived() > 0 {
            self.acknowledge(now);
        }
    }

    fn timeout(&mut self, now: Instant) {
        let due: Vec<u64> = self
            .calls
            .iter()
            .filter(|(_, pending)| pending.reply_by <= now)
            .map(|(seq, _)| *seq)
            .collect();
        for seq in due {
            if let Some(PendingCall { call, .. }) = self.calls.remove(&seq) {
                self.given_up.push_back(seq);
                self.resolve(call, Outcome::Unknown(Cause::Code(Code::Timeout)));
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
        if let Some(call) = self.outgoing.take_emit().and_then(|unsent| unsent.call) {
            self.resolve(call, Outcome::NotExecuted(Cause::Ended(reason)));
        }
        for PendingCall { call, .. } in std::mem::take(&mut self.calls).into_values() {
            let cause = Cause::Ended(reason);
            let guess = planted::is(Fault::GuessNotExecuted);
            let outcome = if guess { Outcome::NotExecuted(cause) } else { Outcome::Unknown(cause) };
            self.resolve(call, outcome);
        }
        self.window = Window::default();
        self.outgoing = Outgoing::default();
        self.given_up.clear();
        self.inbox = Inbox::default();
        self.relay = Access::Closed;
        self.direct = Access::Closed;
        self.ack_due = None;
        self.resend_due = None;
    }

    fn handle_after_end(&mut self, input: Input) {
        if let Input::Emit { call, options, .. } = input
            && options.wants_reply()
        {
            self.resolve(call, Outcome::NotExecuted(Cause::Code(Code::NotPaired)));
        }
    }
}
