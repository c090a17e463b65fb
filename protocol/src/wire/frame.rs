//! Frames of a session: one codec for every path, in two spellings.
//!
//! As text a frame is a JSON object, with blobs as base64 under `b`. As one binary value it is
//!
//! ```text
//! length of the pairing id: 1 byte | pairing id | length of the header: 4 bytes, big-endian
//! | header: the JSON object, its `b` the lengths of the blobs | the blobs, one after another
//! ```
//!
//! Of a frame of a kind that this version does not know only the numbers and the kind are read: its
//! other fields may have any shape, and its number is taken all the same.

mod binary;
mod json;

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::{Value, value::RawValue};

use self::json::{FrameKind, WireFrame};
use crate::{
    Args, Refusal, limits,
    wire::{Label, Shape},
};

/// The reason for which arguments, a frame or a batch could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// It is not JSON, or a field is missing or of the wrong type.
    #[error("not a frame")]
    Json(#[from] serde_json::Error),
    /// The arguments are not an array.
    #[error("the arguments are not an array")]
    NotAnArray,
    /// The arguments are nested deeper than [`limits::JSON_DEPTH`].
    #[error("the arguments are nested too deeply")]
    Depth,
    /// The blobs are not base64.
    #[error("a blob is not valid base64")]
    Base64(#[from] base64::DecodeError),
    /// The binary spelling ends too early, or its lengths do not add up.
    #[error("the lengths in the binary frame do not add up")]
    Lengths,
    /// The binary spelling does not name a pairing.
    #[error("the binary frame has no pairing id")]
    Pairing,
    /// The parts do not make an emit or a reply.
    #[error("the parts form neither an emit nor a reply")]
    Part,
    /// The batch is empty, or has more than [`limits::BATCH_FRAMES`].
    #[error("the batch is empty or has too many frames")]
    Batch,
}

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

    /// Returns the text that is cut into parts: the frame without its numbers.
    pub(crate) fn to_json(&self) -> String {
        let wire = WireFrame::of_body(self, |blob| STANDARD.encode(blob));
        serde_json::to_string(&wire).unwrap_or_default()
    }

    /// Reads the text that was cut into parts: an emit or a reply.
    pub(crate) fn from_json(text: &str) -> Result<Self, FrameError> {
        match WireFrame::read(text)?.body(from_base64)? {
            body @ (Self::Emit { .. } | Self::Reply { .. }) => Ok(body),
            _ => Err(FrameError::Part),
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

impl Frame {
    /// Returns the text of a JSON object.
    #[must_use]
    pub fn to_text(&self) -> String {
        let wire = WireFrame::of_frame(self, |blob| STANDARD.encode(blob));
        // Only a failing `Serialize` or a map without string keys could fail here.
        serde_json::to_string(&wire).unwrap_or_default()
    }

    /// Returns a JSON value, for a host that takes nothing else.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let wire = WireFrame::of_frame(self, |blob| STANDARD.encode(blob));
        serde_json::to_value(&wire).unwrap_or_default()
    }

    /// Reads the text of a JSON object.
    ///
    /// # Errors
    ///
    /// Any [`FrameError`] but those of the binary spelling.
    pub fn from_text(text: &str) -> Result<Self, FrameError> {
        WireFrame::read(text)?.frame(from_base64)
    }

    /// Reads a JSON object.
    ///
    /// # Errors
    ///
    /// As [`Self::from_text`].
    pub fn from_value(mut value: Value) -> Result<Self, FrameError> {
        check_object(value.is_object())?;
        json::keep_own_fields(&mut value);
        let wire: WireFrame<'_, _, _> = serde_json::from_value(value)?;
        wire.frame(from_base64)
    }
}

/// Refuses what is not an object. Serde alone would also read an array as the fields in their order.
fn check_object(is_object: bool) -> Result<(), FrameError> {
    if is_object {
        Ok(())
    } else {
        Err(FrameError::Json(serde::de::Error::custom("not an object")))
    }
}

/// Returns the kind of a JSON object, if no frame of this version has it.
pub(super) fn unknown_kind(text: &str) -> Option<Label> {
    #[derive(serde::Deserialize)]
    struct Object {
        t: FrameKind,
    }
    check_object(text.trim_start().starts_with('{')).ok()?;
    match serde_json::from_str(text).ok()? {
        Object { t: FrameKind::Other(label) } => Some(label),
        Object { .. } => None,
    }
}

fn from_base64(blobs: Vec<String>) -> Result<Vec<Bytes>, FrameError> {
    blobs.into_iter().map(|blob| Ok(STANDARD.decode(blob)?.into())).collect()
}

/// Frames that travelled together.
#[derive(Debug, Default)]
pub struct Batch {
    /// The frames that could be read, in order.
    pub frames: Vec<Frame>,
    /// The error of the first frame that could not be read. The others are of use without it.
    pub unread: Option<FrameError>,
}

impl Batch {
    fn read(frames: impl Iterator<Item = Result<Frame, FrameError>>) -> Result<Self, FrameError> {
        let mut batch = Self::default();
        for frame in frames {
            match frame {
                Ok(frame) => batch.frames.push(frame),
                Err(error) => batch.unread = batch.unread.or(Some(error)),
            }
        }
        match batch.unread {
            Some(error) if batch.frames.is_empty() => Err(error),
            unread => Ok(Self { unread, ..batch }),
        }
    }

    /// Returns the frames.
    ///
    /// # Errors
    ///
    /// The error of the first frame that could not be read.
    pub fn all(self) -> Result<Vec<Frame>, FrameError> {
        self.unread.map_or(Ok(self.frames), Err)
    }
}

/// Reads the second argument of a `P2P_FRAME`: one frame, or an array of them.
///
/// # Errors
///
/// [`FrameError::Batch`], or the error of the first frame if none can be read.
pub fn batch_from_value(value: Value) -> Result<Batch, FrameError> {
    match value {
        Value::Array(frames) if (1..=limits::BATCH_FRAMES).contains(&frames.len()) => {
            Batch::read(frames.into_iter().map(Frame::from_value))
        }
        Value::Array(_) => Err(FrameError::Batch),
        frame => Batch::read(std::iter::once(Frame::from_value(frame))),
    }
}

/// Reads the text of the second argument of a `P2P_FRAME`.
///
/// # Errors
///
/// As [`batch_from_value`].
pub fn batch_from_text(text: &str) -> Result<Batch, FrameError> {
    if !text.trim_start().starts_with('[') {
        return Batch::read(std::iter::once(Frame::from_text(text)));
    }
    let frames: Vec<&RawValue> = serde_json::from_str(text)?;
    if !(1..=limits::BATCH_FRAMES).contains(&frames.len()) {
        return Err(FrameError::Batch);
    }
    Batch::read(frames.into_iter().map(|frame| Frame::from_text(frame.get())))
}
