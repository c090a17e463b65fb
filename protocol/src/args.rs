//! Arguments of events and replies, and their serialisation.

use bytes::Bytes;
use serde::{
    Serialize, Serializer,
    de::DeserializeOwned,
    ser::{Error as _, SerializeMap, SerializeSeq, SerializeTuple},
};
use serde_json::{Value, value::RawValue};

use crate::FrameError;

/// Arguments of an emit or a reply: a JSON array, and the blobs that its placeholders
/// (`{"_placeholder":true,"num":0}`, as Socket.IO spells them) stand for.
///
/// They are kept as text: relayed arguments stay as they were written, and their size is known.
#[derive(Clone, Debug)]
pub struct Args {
    json: Box<RawValue>,
    blobs: Vec<Bytes>,
}

impl Args {
    /// Returns the arguments in this JSON array.
    ///
    /// # Errors
    ///
    /// [`FrameError::NotAnArray`] if the value is not an array.
    pub fn new(json: Box<RawValue>, blobs: Vec<Bytes>) -> Result<Self, FrameError> {
        if json.get().starts_with('[') {
            Ok(Self { json, blobs })
        } else {
            Err(FrameError::NotAnArray)
        }
    }

    /// Returns the arguments in this text of a JSON array.
    ///
    /// # Errors
    ///
    /// [`FrameError::Json`] if the text is not JSON, [`FrameError::NotAnArray`] if it is not an array.
    pub fn from_text(text: String, blobs: Vec<Bytes>) -> Result<Self, FrameError> {
        Self::new(RawValue::from_string(text)?, blobs)
    }

    /// Returns the arguments as the text of a JSON array.
    #[must_use]
    pub fn as_json(&self) -> &str {
        self.json.get()
    }

    pub(crate) fn raw(&self) -> &RawValue {
        &self.json
    }

    /// Returns the blobs that the placeholders stand for.
    #[must_use]
    pub const fn blobs(&self) -> &[Bytes] {
        self.blobs.as_slice()
    }

    /// Returns the text and the blobs.
    #[must_use]
    pub fn into_parts(self) -> (Box<RawValue>, Vec<Bytes>) {
        (self.json, self.blobs)
    }

    /// Reads the whole array, for example as `Vec<Value>`. Placeholders stay as they are.
    ///
    /// # Errors
    ///
    /// The error of `T`, if the array does not fit it.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.json.get())
    }

    /// Returns the bytes of the arguments as text. Blobs count as their base64.
    #[must_use]
    pub fn size(&self) -> usize {
        let blob = |blob: &Bytes| blob.len().div_ceil(3) * 4 + 3;
        self.json.get().len() + self.blobs.iter().map(blob).sum::<usize>()
    }

    /// Returns the bytes of memory that the arguments hold: many small blobs take more than their text.
    pub(crate) fn footprint(&self) -> usize {
        self.size() + size_of_val(self.blobs())
    }
}

impl Default for Args {
    fn default() -> Self {
        Self { json: RawValue::from_string("[]".to_owned()).unwrap_or_default(), blobs: Vec::new() }
    }
}

impl PartialEq for Args {
    fn eq(&self, other: &Self) -> bool {
        self.as_json() == other.as_json() && self.blobs == other.blobs
    }
}

impl From<Vec<Value>> for Args {
    fn from(values: Vec<Value>) -> Self {
        // A `Value` has string keys only, so that writing it as JSON cannot fail.
        let json = serde_json::value::to_raw_value(&values).unwrap_or_default();
        Self { json, blobs: Vec::new() }
    }
}

/// Serialises the arguments as a tuple, which socketioxide takes for several arguments. Blobs are
/// bytes, which its serializer sends as attachments. Without blobs the text stays as it is.
impl Serialize for Args {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.blobs().is_empty() {
            let raws: Vec<&RawValue> =
                serde_json::from_str(self.as_json()).map_err(S::Error::custom)?;
            return tuple(serializer, &raws);
        }
        let values: Vec<Value> = self.parse().map_err(S::Error::custom)?;
        let blobs = self.blobs();
        let values: Vec<_> = values.iter().map(|value| WithBlobs { value, blobs }).collect();
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

/// A value whose placeholders are serialised as blobs.
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
