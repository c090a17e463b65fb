//! [`Args`] as a value of serde: a tuple, with bytes in the place of placeholders.

use bytes::Bytes;
use serde::{
    Serialize, Serializer,
    ser::{Error as _, SerializeMap, SerializeSeq, SerializeTuple},
};
use serde_json::{Value, value::RawValue};

use crate::Args;

/// As several arguments, in the way of socketioxide: a tuple; blobs as bytes, which its
/// serializer sends as attachments. Without blobs the text stays as it is.
impl Serialize for Args {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.blobs().is_empty() {
            let raws: Vec<&RawValue> =
                serde_json::from_str(self.as_json()).map_err(S::Error::custom)?;
            return tuple(serializer, &raws);
        }
        let values: Vec<Value> = self.parse().map_err(S::Error::custom)?;
        let blobs = self.blobs();
        let values: Vec<_> = values
            .iter()
            .map(|value| WithBlobs { value, blobs })
            .collect();
        tuple(serializer, &values)
    }
}

fn tuple<S: Serializer>(serializer: S, items: &[impl Serialize]) -> Result<S::Ok, S::Error> {
    let mut tuple = serializer.serialize_tuple(items.len())?;
    for item in items {
        tuple.serialize_element(item)?;
    }
    tuple.end()
}

/// A value whose placeholders are blobs.
struct WithBlobs<'a> {
    value: &'a Value,
    blobs: &'a [Bytes],
}

impl Serialize for WithBlobs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { value, blobs } = *self;
        match value {
            Value::Array(items) => {
                let mut seq = serializer.serialize_seq(Some(items.len()))?;
                for value in items {
                    seq.serialize_element(&WithBlobs { value, blobs })?;
                }
                seq.end()
            }
            Value::Object(fields) if fields.get("_placeholder") == Some(&Value::Bool(true)) => {
                let num = fields.get("num").and_then(Value::as_u64);
                let blob = num.and_then(|num| blobs.get(usize::try_from(num).ok()?));
                let blob = blob.ok_or_else(|| S::Error::custom("a placeholder for no blob"))?;
                serializer.serialize_bytes(blob)
            }
            Value::Object(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                for (key, value) in fields {
                    map.serialize_entry(key, &WithBlobs { value, blobs })?;
                }
                map.end()
            }
            _ => value.serialize(serializer),
        }
    }
}
