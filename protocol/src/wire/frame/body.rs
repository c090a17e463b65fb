//! A frame and its content.

use std::{sync::Arc, time::Duration};

use serde_json::Value;

use crate::{
    Args, Refusal,
    wire::{Label, Shape},
};

/// One frame of a session.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// The number, counted from 1 in each direction; 0 for a frame that is not in the window.
    pub seq: u64,
    /// The highest number up to which everything of the partner was taken: emits whose handlers
    /// have started, and replies.
    pub ack: u64,
    /// The highest number up to which everything of the partner arrived; at least `ack`.
    pub got: u64,
    /// Time for which an emit may still wait for its handler, counted from its arrival; in whole
    /// milliseconds on the wire. Of a value in parts only the last part has it.
    pub ttl: Option<Duration>,
    /// The content. It is shared with the window, from which it may be sent again.
    pub body: Arc<Body>,
}

/// The content of a frame.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// Event for a handler.
    Emit {
        /// The event's name.
        event: String,
        /// The arguments for the handler.
        args: Args,
        /// True if the sender waits for a reply.
        wants_reply: bool,
    },
    /// Reply of a handler.
    Reply {
        /// The number of the emit.
        to: u64,
        /// The arguments of the reply, or the reason for which there are none.
        result: Result<Args, Refusal>,
    },
    /// Piece of the text of an emit or a reply that is too large for one frame.
    Part {
        /// The piece.
        text: String,
        /// `true` for the last piece.
        last: bool,
    },
    /// End of a value in parts whose sender gave it up.
    Drop,
    /// Notice that the caller of an emit does not wait for its reply any more.
    Cancel {
        /// The number of the emit.
        to: u64,
    },
    /// Acknowledgement without a content.
    Ack,
    /// Frame of a kind that this version does not know. Its number is taken, and nothing else.
    Other(Label),
}

impl Body {
    /// Bytes that every frame holds beside its event, its arguments and its texts.
    pub(crate) const FRAME: usize = 64;

    /// Returns the bytes that the content holds in a window, roughly as many as on the wire.
    #[must_use]
    pub fn size(&self) -> usize {
        Self::FRAME
            + match self {
                Self::Emit { event, args, .. } => event.len() + args.footprint(),
                Self::Reply { result: Ok(args), .. } => args.footprint(),
                Self::Reply { result: Err(refusal), .. } => refusal.message.len(),
                Self::Part { text, .. } => text.bytes().map(spelled).sum(),
                Self::Drop | Self::Cancel { .. } | Self::Ack | Self::Other(_) => 0,
            }
    }

    /// Returns whether usual parsers can read the arguments. A relay cannot check parts.
    pub(crate) fn can_be_read(&self) -> bool {
        match self {
            Self::Emit { args, .. } | Self::Reply { result: Ok(args), .. } => {
                !Shape::of(args.as_json()).doubtful || args.parse::<Vec<Value>>().is_ok()
            }
            _ => true,
        }
    }
}

/// Returns the bytes that one byte of a text takes inside a JSON string.
pub(crate) const fn spelled(byte: u8) -> usize {
    match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' => 2,
        ..b' ' => 6,
        _ => 1,
    }
}
