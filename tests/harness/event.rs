//! One line that a peer printed.

use std::fmt;
use std::ops::Deref;

use serde_json::Value;

/// An event of a peer: a JSON object with the member `event`, read as the [`Value`] it
/// dereferences to (`event["partner"]`), with the line it came as.
#[derive(Clone)]
pub struct Event {
    value: Value,
    line: String,
}

impl Event {
    /// Reads one line; gives it back if it is not a JSON object whose `event` is a string.
    pub(crate) fn parse(line: String) -> Result<Self, String> {
        match serde_json::from_str::<Value>(&line) {
            Ok(value) if value["event"].is_string() => Ok(Self { value, line }),
            _ => Err(line),
        }
    }

    /// Returns the name of the event: `connected`, `paired`, `incoming`, and so on.
    pub fn name(&self) -> &str {
        self.value["event"].as_str().unwrap_or_default()
    }

    /// The line as the peer wrote it. [`Value`] sorts the keys of objects; this does not.
    pub fn line(&self) -> &str {
        &self.line
    }

    /// The value itself.
    pub fn into_value(self) -> Value {
        self.value
    }
}

impl Deref for Event {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.value
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_an_object_with_a_name() {
        let event = Event::parse(r#"{"event":"paired","partner":"B"}"#.into()).unwrap();

        assert_eq!(event.name(), "paired");
        assert_eq!(event["partner"], "B");
    }

    #[test]
    fn anything_else_is_not_an_event() {
        for line in ["", "hello", "[]", "\"event\"", "{}", r#"{"event":1}"#, r#"{"event":"a""#] {
            assert!(Event::parse(line.into()).is_err(), "{line}");
        }
    }

    #[test]
    fn the_line_keeps_the_order_of_keys() {
        let event = Event::parse(r#"{"event":"incoming","args":[{"z":1,"a":2}]}"#.into()).unwrap();

        assert!(event.line().contains(r#"{"z":1,"a":2}"#));
    }
}
