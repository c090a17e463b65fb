//! The limits that a server states.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    CONSENT_TIME, CONSENT_TIME_MAX, JSON_DEPTH, LINE_TIME_MAX, RELAYED_FRAME_BYTES, SIGNAL_BYTES,
    setting,
};

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
    /// Longest time that a registration waits for the target's consent, in milliseconds. See
    /// [`Self::consent_time`].
    #[serde(deserialize_with = "crate::wire::rate::bytes")]
    pub consent_ms: u64,
    /// Longest time that a registration waits in line for a busy target, in milliseconds; 0 if none does. See
    /// [`Self::line_time`].
    #[serde(deserialize_with = "crate::wire::rate::bytes")]
    pub wait_ms: u64,
}

impl Limits {
    /// Returns the limits with these rates per second and these bursts; 0 if there is no limit.
    #[must_use]
    pub const fn with_rates(self, messages: (u32, u32), bytes: (u64, u64)) -> Self {
        let (message_rate, message_burst) = messages;
        let (byte_rate, byte_burst) = bytes;
        Self { message_rate, message_burst, byte_rate, byte_burst, ..self }
    }

    /// Returns the limits with this longest time for consent.
    #[must_use]
    pub fn with_consent_time(self, time: Duration) -> Self {
        let time = setting(time).min(CONSENT_TIME_MAX);
        Self { consent_ms: time.as_millis().try_into().unwrap_or(u64::MAX), ..self }
    }

    /// Returns the longest time that a registration waits for the target's consent, from 1 ms to
    /// [`CONSENT_TIME_MAX`].
    #[must_use]
    pub fn consent_time(&self) -> Duration {
        setting(Duration::from_millis(self.consent_ms)).min(CONSENT_TIME_MAX)
    }

    /// Returns the limits with this longest time in line; zero if there are no lines.
    #[must_use]
    pub fn with_line_time(self, time: Duration) -> Self {
        let time = if time.is_zero() { time } else { setting(time).min(LINE_TIME_MAX) };
        Self { wait_ms: time.as_millis().try_into().unwrap_or(u64::MAX), ..self }
    }

    /// Returns the longest time that a registration waits in line, at most [`LINE_TIME_MAX`]; zero if there
    /// are no lines.
    #[must_use]
    pub fn line_time(&self) -> Duration {
        Duration::from_millis(self.wait_ms).min(LINE_TIME_MAX)
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
            consent_ms: CONSENT_TIME.as_millis() as u64,
            wait_ms: 0,
        }
    }
}
