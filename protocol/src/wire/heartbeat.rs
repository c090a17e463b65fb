//! The heartbeat of a direct path, and the messages of a link's first channel.

use serde::{Deserialize, Serialize};

use super::{Label, frame};
use crate::{Frame, FrameError, PairingId};

/// A heartbeat, as it is sent beside the frames on a direct path.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Heartbeat {
    /// Its kind: a ping or the answer to one.
    #[serde(rename = "t")]
    pub kind: HeartbeatKind,
    /// The number of the ping, also in the pong.
    pub n: u64,
    /// The pairing, as the sender knows it.
    pub pairing: PairingId,
    /// True while the sender's own pings return.
    pub ok: bool,
    /// The shortest recent time in which the sender's server answered, in microseconds, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<u64>,
}

/// The kind of a heartbeat.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HeartbeatKind {
    /// A ping, which is answered at once.
    Ping,
    /// The answer to a ping.
    Pong,
}

impl Heartbeat {
    /// Returns the text of a JSON object.
    #[must_use]
    pub fn to_text(&self) -> String {
        // Only a failing `Serialize` or a map without string keys could fail here.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads the text of a JSON object; returns `None` if it is not a heartbeat.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        // Serde alone would also read an array as the fields in their order.
        text.trim_start().starts_with('{').then(|| serde_json::from_str(text).ok())?
    }
}

/// The content of a message on the first channel of a link.
#[derive(Clone, Debug, PartialEq)]
pub enum DirectMessage {
    /// A heartbeat.
    Heartbeat(Heartbeat),
    /// Frames of the session.
    Frames(Vec<Frame>),
    /// A message of a kind that this version does not know.
    Other(Label),
}

impl DirectMessage {
    /// Reads a text: a frame, an array of frames, or a heartbeat.
    ///
    /// # Errors
    ///
    /// As [`frame::batch_from_text`].
    pub fn from_text(text: &str) -> Result<Self, FrameError> {
        frame::batch_from_text(text).map(Self::Frames).or_else(|error| {
            let heartbeat = Heartbeat::from_text(text).map(Self::Heartbeat);
            let is_new = |kind: &Label| !["ping", "pong"].contains(&kind.as_str());
            let other = || frame::unknown_kind(text).filter(is_new).map(Self::Other);
            heartbeat.or_else(other).ok_or(error)
        })
    }

    /// Reads a frame in its binary spelling. The pairing that it names is ignored: the link tells
    /// whose it is.
    ///
    /// # Errors
    ///
    /// As [`Frame::from_binary`].
    pub fn from_binary(bytes: bytes::Bytes) -> Result<Self, FrameError> {
        let (_, frame) = Frame::from_binary(bytes)?;
        Ok(Self::Frames(vec![frame]))
    }
}
