//! Reading the rates of a welcome.

use serde::{Deserialize as _, Deserializer, de};
use serde_json::Number;

/// Reads a rate or a burst of bytes. A fraction is rounded up, because a rate of 0 would be no limit.
pub(crate) fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let number = Number::deserialize(deserializer)?;
    let rounded = || {
        let number = number.as_f64().filter(|number| *number >= 0.0)?;
        Some(number.ceil() as u64) // One that is too large is the largest.
    };
    number.as_u64().or_else(rounded).ok_or_else(|| de::Error::custom("a rate is negative"))
}

/// Reads a rate or a burst of messages. A number that is too large counts as the largest.
pub(crate) fn messages<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    bytes(deserializer).map(|rate| rate.try_into().unwrap_or(u32::MAX))
}
