//! Texts of events, as a host hands them over.

use std::fmt;

use serde::{
    Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;
use socketio_p2p_protocol::{
    limits::{JSON_DEPTH, MESSAGE_BYTES},
    wire::{Shape, WireError},
};

/// Reads an event as the server does: `["name", argument, …]`.
pub(super) fn event(data: &[u8]) -> Option<(String, Vec<Value>)> {
    let text = std::str::from_utf8(data).ok()?;
    check_shape(text);
    if Shape::of(text).depth > JSON_DEPTH {
        return None;
    }
    let mut args: Vec<Value> = serde_json::from_str(text).ok()?;
    if !args.first()?.is_string() {
        return None;
    }
    let event = args.remove(0).as_str()?.to_owned();
    Some((event, args))
}

/// Checks that the shape of a text is what a parser finds.
pub(super) fn check_shape(text: &str) {
    let Shape { depth, doubtful, .. } = Shape::of(text);
    if serde_json::from_str::<IgnoredAny>(text).is_err() {
        return;
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    if let Ok(found) = Depth.deserialize(&mut reader) {
        // What no parser should be given has no depth that would be allowed.
        assert!(depth == found || depth > JSON_DEPTH, "{depth} levels are {found}");
    }
    if depth > JSON_DEPTH {
        return;
    }
    match serde_json::from_str::<Value>(text) {
        Ok(value) => assert!(levels(&value) <= depth, "more levels than were counted"),
        Err(error) => assert!(doubtful, "{error}, which nobody expected"),
    }
}

pub(super) fn levels(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(levels).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(levels).max().unwrap_or(0),
        _ => 0,
    }
}

/// Checks that the reason of a refusal can be sent to the sender of the event.
pub(super) fn check_error(error: &WireError, args: &[Value]) {
    let WireError { refusal, req } = error;
    assert!(refusal.message.len() <= MESSAGE_BYTES);
    if let Some(req) = req {
        let names_it = |value: &Value| value.get("req").and_then(Value::as_u64) == Some(*req);
        assert!(args.iter().any(names_it), "a number that nobody named");
    }
}

/// Counts the levels of whatever is read.
struct Depth;

impl<'de> DeserializeSeed<'de> for Depth {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Depth {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_unit<E: Error>(self) -> Result<usize, E> {
        Ok(0)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<usize, E> {
        Ok(0)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<usize, E> {
        Ok(0)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<usize, E> {
        Ok(0)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<usize, E> {
        Ok(0)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<usize, E> {
        Ok(0)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<usize, A::Error> {
        let mut deepest = 0;
        while let Some(depth) = seq.next_element_seed(Self)? {
            deepest = deepest.max(depth);
        }
        Ok(1 + deepest)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<usize, A::Error> {
        let mut deepest = 0;
        while map.next_key::<IgnoredAny>()?.is_some() {
            deepest = deepest.max(map.next_value_seed(Self)?);
        }
        Ok(1 + deepest)
    }
}
