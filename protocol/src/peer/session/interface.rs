//! The inputs and outputs of a session.

use std::time::Instant;

use crate::{Args, EndReason, Frame, Outcome, Path, Refusal};

/// A number that the caller of an emit chose, unique in a session.
pub type CallId = u64;

/// The options of an emit.
#[derive(Clone, Copy, Debug, Default)]
pub struct EmitOptions {
    /// The time by which the reply must be there, or `None` if no reply is wanted.
    pub reply_by: Option<Instant>,
    /// The time after which no handler may start, or `None` if there is none.
    pub expires: Option<Instant>,
    /// The path that carries it while that path is there, or `None` for the present one.
    pub via: Option<Path>,
}

impl EmitOptions {
    /// Returns true if a reply is wanted.
    #[must_use]
    pub const fn wants_reply(&self) -> bool {
        self.reply_by.is_some()
    }
}

/// An input.
#[derive(Clone, Debug)]
pub enum Input {
    /// This peer emits an event. Only while [`Session::has_room`](super::Session::has_room).
    Emit {
        /// The number that the caller chose. It is resolved if a reply is wanted.
        call: CallId,
        /// The event's name.
        event: String,
        /// The arguments.
        args: Args,
        /// The options.
        options: EmitOptions,
    },
    /// The caller no longer waits. An emit whose last part was not sent yet is given up.
    Cancelled(CallId),
    /// A frame was received on this path.
    Received(Path, Frame),
    /// A handler is done: the number of its delivery, and its result.
    Finished(u64, Result<Args, Refusal>),
    /// No emit can be delivered until [`Input::Resumed`]: emits of the partner stay in its window.
    Paused,
    /// Emits can be delivered again.
    Resumed,
    /// A path can be used.
    Opened(Path),
    /// A path carries emits that name it, and answers to the partner if no path is open:
    /// another path is better, or this peer's emits are not to take this one.
    Held(Path),
    /// A path cannot be used any more.
    Closed(Path),
    /// A path refused a frame. It is not known which.
    Refused(Path),
    /// The relay takes less than before: of frames at most so many bytes, of arguments at most so
    /// many levels.
    Narrowed {
        /// The largest size of a frame's content.
        bytes: usize,
        /// The deepest nesting of its arguments.
        depth: usize,
    },
    /// The pairing is over.
    Ended(EndReason),
    /// A deadline may be due.
    Timeout,
}

/// An output, to be carried out in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Send a frame.
    Send(Path, Frame),
    /// Run a handler, and report [`Input::Finished`] when it is done, also if no reply is wanted.
    Deliver(Delivery),
    /// Note that the partner does not wait any more for the result of the handler with this number.
    /// The handler no longer counts, and its result is not sent.
    Abandoned(u64),
    /// Resolve a call.
    Resolved(CallId, Outcome),
    /// Log that the partner breaks the rules. What it sent was dropped.
    Violation(Violation),
}

/// An emit of the partner, for a handler.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// The number of the emit, which the reply names.
    pub seq: u64,
    /// The event's name.
    pub event: String,
    /// The arguments.
    pub args: Args,
    /// True if the partner waits for a reply.
    pub wants_reply: bool,
}

/// A rule that the partner broke.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// More frames than the window holds, or more bytes.
    #[error("the partner exceeded its window")]
    Window,
    /// An acknowledgement of what was never sent.
    #[error("the partner acknowledged a frame that was never sent")]
    Ack,
    /// An emit of an event that may not be emitted.
    #[error("the partner emitted a forbidden event")]
    Event,
    /// A frame that cannot be read. The others that travelled with it are taken.
    #[error("the partner sent a frame that cannot be read")]
    Frame,
    /// Parts of a value that is too long, or of no value.
    #[error("the partner sent parts that form no value")]
    Value,
    /// A reply to what was never sent. A reply to a call that is over may be late, and is ignored.
    #[error("the partner replied to a call that was never made")]
    Reply,
    /// A message of a kind that this version does not know. It is ignored; the partner may speak a
    /// later version.
    #[error("the partner sent a message of an unknown kind")]
    Unknown,
}
