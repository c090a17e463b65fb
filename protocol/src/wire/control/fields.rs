//! Writing fields of control messages.

use std::time::Duration;

use serde_json::Value;

/// Adds `key` to the fields if there is a value for it.
pub(super) fn with(mut fields: Value, key: &str, value: Option<impl Into<Value>>) -> Value {
    if let Some(value) = value {
        fields[key] = value.into();
    }
    fields
}

/// Returns a time in whole milliseconds.
pub(super) fn millis(time: Duration) -> u64 {
    time.as_millis().try_into().unwrap_or(u64::MAX)
}
