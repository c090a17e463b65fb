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
//! - A call is answered exactly once: by its reply, at its deadline, or when the pairing ends.
//!
//! No IO, no clock: feed it with [`Session::handle`], carry out what [`Session::poll_output`]
//! says, and come back with [`Input::Timeout`] when [`Session::poll_timeout`] is due.

mod inbox;
mod interface;
mod window;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Instant,
};

pub use self::interface::{CallId, Delivery, Input, Output, Violation};
use self::{inbox::Inbox, window::Window};
use crate::{
    Args, Body, Cause, Code, EndReason, Frame, Outcome, Refusal, Route,
    limits::{ACK_DELAY, ACK_EVERY, PENDING_CALLS, RESEND_DELAY},
};

#[derive(Clone, Copy, Debug)]
struct Call {
    id: CallId,
    deadline: Instant,
}

/// Each end's half of a pairing. See the [module's page](self).
#[derive(Debug)]
pub struct Session {
    window: Window,
    inbox: Inbox,
    /// Calls of this end, by the number of their emit.
    calls: BTreeMap<u64, Call>,
    /// Which paths can be used; the direct one is preferred.
    relay: bool,
    direct: bool,
    /// The highest `k` and `g` that were sent, and by when the present ones must be.
    told_taken: u64,
    told_arrived: u64,
    ack_due: Option<Instant>,
    resend_due: Option<Instant>,
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
            inbox: Inbox::default(),
            calls: BTreeMap::new(),
            relay: false,
            direct: false,
            told_taken: 0,
            told_arrived: 0,
            ack_due: None,
            resend_due: None,
            ended: false,
            outputs: VecDeque::new(),
        }
    }

    /// The one place that decides which way frames go: none while there is no path.
    #[must_use]
    pub const fn route(&self) -> Option<Route> {
        if self.direct {
            Some(Route::Direct)
        } else if self.relay {
            Some(Route::Relay)
        } else {
            None
        }
    }

    /// Whether an emit can be taken now; if not, it waits with its caller.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.route().is_some() && !self.window.is_full() && self.calls.len() < PENDING_CALLS
    }

    /// Calls of this end that wait for a reply.
    #[must_use]
    pub fn pending_calls(&self) -> usize {
        self.calls.len()
    }

    /// Takes note of what happened.
    pub fn handle(&mut self, input: Input, now: Instant) {
        if self.ended {
            return self.handle_after_end(input);
        }
        match input {
            Input::Emit { event, args, call } => self.emit(event, args, call),
            Input::Cancelled(call) => self.calls.retain(|_, pending| pending.id != call),
            Input::Received(route, frame) => self.received(route, frame, now),
            Input::Finished(seq, result) => self.finished(seq, result, now),
            Input::Opened(route) => self.set_path(route, true),
            Input::Closed(route) => self.set_path(route, false),
            Input::Refused(route) => {
                if self.route() == Some(route) {
                    self.resend_due.get_or_insert(now + RESEND_DELAY);
                }
            }
            Input::Ended(reason) => self.end(reason),
            Input::Timeout => self.timeout(now),
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
        [calls, self.ack_due, self.resend_due].into_iter().flatten().min()
    }

    fn send(&mut self, seq: u64, body: Arc<Body>) {
        let Some(route) = self.route() else { return };
        self.told_taken = self.inbox.taken();
        self.told_arrived = self.inbox.arrived();
        self.ack_due = None;
        let frame = Frame { seq, ack: self.told_taken, got: self.told_arrived, body };
        self.outputs.push_back(Output::Send(route, frame));
    }

    fn enqueue(&mut self, body: Body) -> u64 {
        let (seq, body) = self.window.push(body);
        self.send(seq, body);
        seq
    }

    fn emit(&mut self, event: String, args: Args, call: Option<(CallId, Instant)>) {
        if !self.has_room() {
            // The caller should have waited; nothing was sent, so nothing is lost but this.
            if let Some((call, _)) = call {
                self.resolve(call, Outcome::NotExecuted(Cause::Code(Code::Congested)));
            }
            return;
        }
        let seq = self.enqueue(Body::Emit { event, args, reply: call.is_some() });
        if let Some((id, deadline)) = call {
            self.calls.insert(seq, Call { id, deadline });
        }
    }

    fn resolve(&mut self, call: CallId, outcome: Outcome) {
        self.outputs.push_back(Output::Resolved(call, outcome));
    }

    fn violation(&mut self, violation: Violation) {
        self.outputs.push_back(Output::Violation(violation));
    }

    fn received(&mut self, route: Route, frame: Frame, now: Instant) {
        if let Err(violation) = self.window.acknowledge(frame.ack, frame.got) {
            return self.violation(violation);
        }
        if !matches!(*frame.body, Body::Ack)
            && let Err(violation) = self.inbox.insert(frame, route)
        {
            self.violation(violation);
        }
        self.take(now);
    }

    /// Takes what is next in order: replies at once, emits as handlers are free.
    fn take(&mut self, now: Instant) {
        while let Some((to, result, route)) = self.inbox.next_reply() {
            match self.calls.remove(&to) {
                Some(call) => {
                    let outcome = match result {
                        Ok(args) => Outcome::Replied(args, route),
                        Err(refusal) => outcome_of(refusal),
                    };
                    self.resolve(call.id, outcome);
                }
                // Late, after its deadline or a cancellation; or never asked for.
                None if self.window.was_sent(to) => {}
                None => self.violation(Violation::Reply),
            }
        }
        while let Some(delivery) = self.inbox.next_delivery(self.window.replies()) {
            match crate::wire::check_event(&delivery.event) {
                Ok(()) => self.outputs.push_back(Output::Deliver(delivery)),
                Err(code) => {
                    self.violation(Violation::Event);
                    self.reply(delivery.seq, Err(code.into()));
                }
            }
        }
        let taken = self.inbox.taken() - self.told_taken;
        let unacked = taken.max(self.inbox.arrived() - self.told_arrived);
        if unacked >= ACK_EVERY {
            self.send(0, Arc::new(Body::Ack));
        } else if unacked > 0 || self.inbox.saw_duplicate() {
            self.ack_due.get_or_insert(now + ACK_DELAY);
        }
    }

    fn finished(&mut self, seq: u64, result: Result<Args, Refusal>, now: Instant) {
        if self.reply(seq, result) {
            self.take(now);
        }
    }

    /// Replies if a reply is wanted. Whether there was a handler for it.
    fn reply(&mut self, seq: u64, result: Result<Args, Refusal>) -> bool {
        let wanted = self.inbox.finish(seq);
        if wanted == Some(true) {
            self.enqueue(Body::Reply { to: seq, result });
        }
        wanted.is_some()
    }

    fn set_path(&mut self, route: Route, open: bool) {
        let before = self.route();
        match route {
            Route::Relay => self.relay = open,
            Route::Direct => self.direct = open,
        }
        let after = self.route();
        if after.is_some() && after != before {
            self.resend();
        }
    }

    /// Sends everything in the window again: the partner drops what it had. An acknowledgement may
    /// have been lost as well, so that one goes if there is nothing else to carry it.
    fn resend(&mut self) {
        self.resend_due = None;
        let frames = self.window.frames();
        if frames.is_empty() && self.inbox.arrived() > 0 {
            self.send(0, Arc::new(Body::Ack));
        }
        for (seq, body) in frames {
            self.send(seq, body);
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
            self.send(0, Arc::new(Body::Ack));
        }
        if self.resend_due.is_some_and(|due| due <= now) {
            self.resend();
        }
    }

    fn end(&mut self, reason: EndReason) {
        self.ended = true;
        for call in std::mem::take(&mut self.calls).into_values() {
            self.resolve(call.id, Outcome::Unknown(Cause::Ended(reason)));
        }
        self.window = Window::default();
        self.inbox = Inbox::default();
        self.relay = false;
        self.direct = false;
        self.ack_due = None;
        self.resend_due = None;
    }

    fn handle_after_end(&mut self, input: Input) {
        if let Input::Emit { call: Some((call, _)), .. } = input {
            self.resolve(call, Outcome::NotExecuted(Cause::Code(Code::NotPaired)));
        }
    }
}

/// What a reply without a value says of the emit.
fn outcome_of(refusal: Refusal) -> Outcome {
    match refusal.code {
        code @ (Code::Unhandled
        | Code::BadEvent
        | Code::BadArgs
        | Code::Congested
        | Code::Offline) => Outcome::NotExecuted(Cause::Code(code)),
        // The handler of a v1 client, which may be missing or slow.
        Code::Timeout => Outcome::Unknown(Cause::Code(Code::Timeout)),
        _ => Outcome::Failed(refusal),
    }
}
