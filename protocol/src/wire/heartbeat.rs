//! The heartbeat of a direct path, and the messages of its first channel.

use serde::{Deserialize, Serialize};

use super::frame;
use crate::{Frame, FrameError, PairingId};

/// A heartbeat, as it travels beside the frames on a direct path.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Beat {
    /// Whether it asks or answers.
    #[serde(rename = "t")]
    pub kind: BeatKind,
    /// The number of the ping, in the answer as well.
    pub n: u64,
    /// The pairing, as its sender knows it.
    pub pairing: PairingId,
    /// Whether heartbeats of the sender's own return.
    pub ok: bool,
    /// How long the sender's server takes to answer, in microseconds, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<u64>,
}

/// Whether a heartbeat asks or answers.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BeatKind {
    /// Are you there?
    Ping,
    /// I am.
    Pong,
}

impl Beat {
    /// As the text of a JSON object.
    #[must_use]
    pub fn to_text(&self) -> String {
        // Only a failing `Serialize` or a map without string keys can fail here: there is neither.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads the text of a JSON object; none if it is something else.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        // Serde would take an array for the fields in their order as well.
        text.trim_start().starts_with('{').then(|| serde_json::from_str(text).ok())?
    }
}

/// What comes in on the first channel of a connection.
#[derive(Clone, Debug, PartialEq)]
pub enum DirectMessage {
    /// A heartbeat.
    Beat(Beat),
    /// Frames of the session.
    Frames(Vec<Frame>),
}

impl DirectMessage {
    /// Reads a text: a frame, an array of them, or a heartbeat.
    ///
    /// # Errors
    ///
    /// As [`frame::batch_from_text`].
    pub fn from_text(text: &str) -> Result<Self, FrameError> {
        frame::batch_from_text(text)
            .map(Self::Frames)
            .or_else(|error| Beat::from_text(text).map(Self::Beat).ok_or(error))
    }

    /// Reads a frame in its binary spelling. The connection tells whose it is.
    ///
    /// # Errors
    ///
    /// As [`Frame::from_binary`].
    pub fn from_binary(bytes: bytes::Bytes) -> Result<Self, FrameError> {
        let (_, frame) = Frame::from_binary(bytes)?;
        Ok(Self::Frames(vec![frame]))
    }
}
