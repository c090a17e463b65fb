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
mod body;
mod error;
mod json;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::{Value, value::RawValue};

pub(crate) use self::body::spelled;
use self::json::{FrameKind, WireFrame, check_object};
pub use self::{
    body::{Body, Frame},
    error::FrameError,
};
use crate::{limits, wire::Label};

impl Body {
    /// Returns the text that is cut into parts: the frame without its numbers.
    pub(crate) fn to_json(&self) -> String {
        let wire = WireFrame::of_body(self, |blob| STANDARD.encode(blob));
        serde_json::to_string(&wire).unwrap_or_default()
    }

    /// Reads the text that was cut into parts: an emit, a reply, or a value of a later version.
    pub(crate) fn from_json(text: &str) -> Result<Self, FrameError> {
        match WireFrame::read(text)?.body(from_base64)? {
            body @ (Self::Emit { .. } | Self::Reply { .. } | Self::Other(_)) => Ok(body),
            _ => Err(FrameError::Part),
        }
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
