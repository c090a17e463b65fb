//! The limits that a server states.

use serde::{Deserialize, Serialize};

use super::{JSON_DEPTH, RELAYED_FRAME_BYTES, SIGNAL_BYTES};

/// The limits that a server states in its welcome.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Limits {
    /// See [`RELAYED_FRAME_BYTES`].
    pub frame_bytes: usize,
    /// See [`SIGNAL_BYTES`].
    pub signal_bytes: usize,
    /// See [`JSON_DEPTH`].
    pub json_depth: usize,
    /// Messages per second; 0 if there is no limit.
    #[serde(deserialize_with = "crate::wire::rate::messages")]
    pub message_rate: u32,
    /// Messages that may be sent at once; 0 counts as 1.
    #[serde(deserialize_with = "crate::wire::rate::messages")]
    pub message_burst: u32,
    /// Bytes per second; 0 if there is no limit.
    #[serde(deserialize_with = "crate::wire::rate::bytes")]
    pub byte_rate: u64,
    /// Bytes that may be sent at once. A message that has more is sent when all of them may be.
    #[serde(deserialize_with = "crate::wire::rate::bytes")]
    pub byte_burst: u64,
}

impl Limits {
    /// Returns the limits with these rates per second and these bursts; 0 if there is no limit.
    #[must_use]
    pub const fn with_rates(self, messages: (u32, u32), bytes: (u64, u64)) -> Self {
        let (message_rate, message_burst) = messages;
        let (byte_rate, byte_burst) = bytes;
        Self { message_rate, message_burst, byte_rate, byte_burst, ..self }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame_bytes: RELAYED_FRAME_BYTES,
            signal_bytes: SIGNAL_BYTES,
            json_depth: JSON_DEPTH,
            message_rate: 0,
            message_burst: 0,
            byte_rate: 0,
            byte_burst: 0,
        }
    }
}
