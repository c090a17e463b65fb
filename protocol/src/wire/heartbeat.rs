//! The heartbeat of a direct path, and the messages of a link's first channel.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::{
    Label,
    frame::{self, Batch},
};
use crate::{Body, Frame, FrameError, PairingId, limits::SETTING_MAX};

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
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub server: Option<u64>,
}

/// Reads a time of at most [`SETTING_MAX`] in microseconds, which JavaScript can still add to another exactly. Any other
/// value counts as absent: it is only a measurement.
fn lenient<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let text = Box::<RawValue>::deserialize(deserializer)?;
    let micros: Option<u64> = serde_json::from_str(text.get()).ok();
    Ok(micros.filter(|micros| Duration::from_micros(*micros) <= SETTING_MAX))
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
#[derive(Debug)]
pub enum DirectMessage {
    /// A heartbeat.
    Heartbeat(Heartbeat),
    /// Frames of the session.
    Frames(Batch),
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
        let is_heartbeat = |kind: &Label| ["ping", "pong"].contains(&kind.as_str());
        let error = match frame::batch_from_text(text) {
            Ok(batch) => match &*batch.frames {
                // A heartbeat may have a field that only frames have at present.
                [frame] if matches!(&*frame.body, Body::Other(kind) if is_heartbeat(kind)) => {
                    let heartbeat = Heartbeat::from_text(text).map(Self::Heartbeat);
                    return Ok(heartbeat.unwrap_or(Self::Frames(batch)));
                }
                _ => return Ok(Self::Frames(batch)),
            },
            Err(error) => error,
        };
        let heartbeat = Heartbeat::from_text(text).map(Self::Heartbeat);
        let other = || frame::unknown_kind(text).filter(|kind| !is_heartbeat(kind));
        heartbeat.or_else(|| other().map(Self::Other)).ok_or(error)
    }

    /// Reads a frame in its binary spelling. The pairing that it names is ignored: the link tells
    /// whose it is.
    ///
    /// # Errors
    ///
    /// As [`Frame::from_binary`].
    pub fn from_binary(bytes: bytes::Bytes) -> Result<Self, FrameError> {
        let (_, frame) = Frame::from_binary(bytes)?;
        Ok(Self::Frames(Batch { frames: vec![frame], unread: None }))
    }
}
