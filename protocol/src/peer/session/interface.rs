//! What goes into a session and what comes out of it.

use std::time::Instant;

use crate::{Args, EndReason, Frame, Outcome, Path, Refusal};

/// A number that the caller of an emit chose, unique in a session.
pub type CallId = u64;

/// What happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// This end emits an event. Only while [`Session::has_room`](super::Session::has_room).
    Emit {
        /// The event's name.
        event: String,
        /// For the partner's handler.
        args: Args,
        /// Whose call it is and when it must be answered; none if no reply is wanted.
        call: Option<(CallId, Instant)>,
        /// When it is too late to start a handler for it; none if it never is.
        expires: Option<Instant>,
        /// The path that it takes as long as that is there; none for the present one.
        via: Option<Path>,
    },
    /// The caller no longer wants to know. An emit whose last part was not sent yet is given up.
    Cancelled(CallId),
    /// A frame came in on this path.
    Received(Path, Frame),
    /// A handler is done: the number under which the emit was delivered, and what it returned.
    Finished(u64, Result<Args, Refusal>),
    /// Until further notice nothing can be delivered: what the partner emits stays in its window.
    Paused,
    /// Something can be delivered again.
    Resumed,
    /// A path can be used.
    Opened(Path),
    /// A path is there for what is told to take it, and for what answers the partner if no path is
    /// open: another is better, or this end's emits are not to go that way.
    Held(Path),
    /// A path cannot be used any more.
    Closed(Path),
    /// A path refused a frame; nobody knows which.
    Refused(Path),
    /// The pairing is over.
    Ended(EndReason),
    /// Some deadline may be due.
    Timeout,
}

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Send a frame.
    Send(Path, Frame),
    /// Run a handler, and say [`Input::Finished`] when it is done, whether a reply is wanted or
    /// not.
    Deliver(Delivery),
    /// Tell a caller.
    Resolved(CallId, Outcome),
    /// Tell whoever keeps the logs that the partner breaks the rules. What it sent was dropped.
    Violation(Violation),
}

/// An emit of the partner, for a handler.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// Its number; the reply names it.
    pub seq: u64,
    /// The event's name.
    pub event: String,
    /// The arguments.
    pub args: Args,
    /// Whether the partner waits for a reply.
    pub reply: bool,
}

/// How a partner broke the rules.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// More frames than the window holds, or more bytes.
    #[error("the partner exceeded its window")]
    Window,
    /// It acknowledges what was never sent.
    #[error("the partner acknowledged a frame that was never sent")]
    Ack,
    /// An emit of an event that may not be emitted.
    #[error("the partner emitted a forbidden event")]
    Event,
    /// A value in parts that is too long, or no value.
    #[error("the partner sent parts that form no value")]
    Value,
    /// A reply to what was never sent. One to a call that is over may be late, and is ignored.
    #[error("the partner replied to a call that was never made")]
    Reply,
    /// A message of a kind that this version does not know. It is ignored; the partner may speak a
    /// later version.
    #[error("the partner sent a message of an unknown kind")]
    Unknown,
}
