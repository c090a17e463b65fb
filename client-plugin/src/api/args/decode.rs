//! Reading arguments that have blobs, and saying what does not fit.
//!
//! Bytes and lists of numbers stand for each other: a blob is read as a `Vec<u8>`, and a list of numbers as
//! `Bytes`. An error names the place in the arguments, as in `args[0].price`.

use std::{borrow::Cow, fmt};

use bytes::Bytes;
use serde::{
    de::{
        DeserializeOwned, DeserializeSeed, Deserializer, Error as _, Expected,
        IntoDeserializer as _, MapAccess, SeqAccess, Unexpected, Visitor,
        value::{MapAccessDeserializer, SeqDeserializer, StringDeserializer},
    },
    forward_to_deserialize_any,
};
use serde_json::{Map, Value};
use socketio_p2p_protocol::Args;

use super::probe::is_tuple_type;

/// Reads all arguments as a tuple, or the first one as any other type.
pub(super) fn decode<T: DeserializeOwned>(args: &Args) -> Result<T, Mismatch> {
    let values: Vec<Value> = args.parse().map_err(Mismatch::custom)?;
    let blobs = args.blobs();
    if is_tuple_type::<T>() {
        return T::deserialize(Node { value: Value::Array(values), blobs });
    }
    match values.into_iter().next() {
        Some(value) => {
            T::deserialize(Node { value, blobs }).map_err(|error| error.at(PathStep::Index(0)))
        }
        None => Err(Mismatch::custom("there is no argument")),
    }
}

/// The place at which arguments do not match a type, and how.
#[derive(Debug)]
pub(super) struct Mismatch {
    /// The innermost step first.
    path: Vec<PathStep>,
    text: String,
}

#[derive(Debug)]
enum PathStep {
    Index(usize),
    Field(String),
}

impl Mismatch {
    fn at(mut self, step: PathStep) -> Self {
        self.path.push(step);
        self
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("args")?;
        for step in self.path.iter().rev() {
            match step {
                PathStep::Index(index) => write!(f, "[{index}]")?,
                PathStep::Field(name) => write!(f, ".{}", shown(name, SHOWN))?,
            }
        }
        write!(f, ": {}", self.text)
    }
}

impl std::error::Error for Mismatch {}

/// The most characters of the data, or of a key, that the text of a mismatch shows. It travels to the partner
/// and into logs.
const SHOWN: usize = 200;

/// The most characters of a text that a type's own reader gives: it may show the data too.
const CUSTOM: usize = 2 * SHOWN;

/// Returns the beginning of a text, with an ellipsis if it is longer.
fn shown(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

impl Mismatch {
    /// Calls `report` with what was found, of which it shows no more than the beginning.
    fn of_found(found: Unexpected<'_>, report: impl FnOnce(Unexpected<'_>) -> Self) -> Self {
        match found {
            Unexpected::Str(text) => report(Unexpected::Str(&shown(text, SHOWN))),
            found => report(found),
        }
    }

    fn of_text(text: String) -> Self {
        Self { path: Vec::new(), text }
    }
}

impl serde::de::Error for Mismatch {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self::of_text(shown(&text.to_string(), CUSTOM).into_owned())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::of_found(found, |found| {
            Self::of_text(format!("invalid type: {found}, expected {expected}"))
        })
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::of_found(found, |found| {
            Self::of_text(format!("invalid value: {found}, expected {expected}"))
        })
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let variant = shown(variant, SHOWN);
        Self::of_text(format!("unknown variant `{variant}`, expected one of {expected:?}"))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let field = shown(field, SHOWN);
        Self::of_text(format!("unknown field `{field}`, expected one of {expected:?}"))
    }
}

/// A value, and the blobs that its placeholders stand for.
struct Node<'a> {
    value: Value,
    blobs: &'a [Bytes],
}

impl<'a> Node<'a> {
    /// Returns the blob that the value stands for, if it is a placeholder.
    fn blob(&self) -> Result<Option<&'a Bytes>, Mismatch> {
        let Value::Object(fields) = &self.value else {
            return Ok(None);
        };
        if self.blobs.is_empty() || fields.get("_placeholder") != Some(&Value::Bool(true)) {
            return Ok(None);
        }
        let num = fields.get("num").and_then(Value::as_u64);
        let blob = num.and_then(|num| self.blobs.get(usize::try_from(num).ok()?));
        blob.map(Some).ok_or_else(|| Mismatch::custom("a placeholder for no blob"))
    }

    fn visit_seq<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.blob()? {
            Some(blob) => {
                let mut bytes = SeqDeserializer::new(blob.iter().copied());
                let value = visitor.visit_seq(&mut bytes)?;
                bytes.end()?;
                Ok(value)
            }
            None => self.deserialize_any(visitor),
        }
    }
}

impl<'de> Deserializer<'de> for Node<'_> {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        if let Some(blob) = self.blob()? {
            return visitor.visit_byte_buf(blob.to_vec());
        }
        let blobs = self.blobs;
        match self.value {
            Value::Array(items) => {
                let len = items.len();
                let mut items = Items { items: items.into_iter().enumerate(), blobs };
                let value = visitor.visit_seq(&mut items)?;
                match items.items.len() {
                    0 => Ok(value),
                    _ => Err(Mismatch::invalid_length(len, &"fewer elements")),
                }
            }
            Value::Object(fields) => visitor.visit_map(Fields::new(fields, blobs)),
            // Not by serde_json, whose error would hold the whole text.
            Value::String(text) => visitor.visit_string(text),
            scalar => scalar.deserialize_any(visitor).map_err(Mismatch::custom),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.visit_seq(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        self.visit_seq(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.deserialize_byte_buf(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match &self.value {
            // A visitor of bytes may take a text for the bytes of its UTF-8.
            Value::String(text) => Err(Mismatch::invalid_type(Unexpected::Str(text), &"bytes")),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        match self.value {
            Value::Object(fields) => {
                let fields = Fields::new(fields, self.blobs);
                visitor.visit_enum(MapAccessDeserializer::new(fields))
            }
            Value::String(variant) => {
                visitor.visit_enum(StringDeserializer::<Mismatch>::new(variant))
            }
            scalar => scalar.deserialize_enum(name, variants, visitor).map_err(Mismatch::custom),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string unit unit_struct
        tuple_struct map struct identifier ignored_any
    }
}

struct Items<'a> {
    items: std::iter::Enumerate<std::vec::IntoIter<Value>>,
    blobs: &'a [Bytes],
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Mismatch;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Mismatch> {
        let Some((index, value)) = self.items.next() else {
            return Ok(None);
        };
        let element = seed.deserialize(Node { value, blobs: self.blobs });
        element.map(Some).map_err(|error| error.at(PathStep::Index(index)))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

struct Fields<'a> {
    fields: serde_json::map::IntoIter,
    /// The value of the key that was read last.
    value: Option<(String, Value)>,
    blobs: &'a [Bytes],
}

impl<'a> Fields<'a> {
    fn new(fields: Map<String, Value>, blobs: &'a [Bytes]) -> Self {
        Self { fields: fields.into_iter(), value: None, blobs }
    }
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Mismatch;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Mismatch> {
        let Some((key, value)) = self.fields.next() else {
            return Ok(None);
        };
        self.value = Some((key.clone(), value));
        seed.deserialize(Key(key)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Mismatch> {
        let (key, value) =
            self.value.take().ok_or_else(|| Mismatch::custom("a value has no key"))?;
        let value = seed.deserialize(Node { value, blobs: self.blobs });
        value.map_err(|error| error.at(PathStep::Field(key)))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.fields.len())
    }
}

/// The key of an object. A map with numbers for keys has them as texts.
struct Key(String);

macro_rules! numbers {
    ($($method:ident $visit:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
            match self.0.parse() {
                Ok(number) => visitor.$visit(number),
                Err(_) => visitor.visit_string(self.0),
            }
        })*
    };
}

impl<'de> Deserializer<'de> for Key {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_string(self.0)
    }

    numbers! {
        deserialize_i8 visit_i64
        deserialize_i16 visit_i64
        deserialize_i32 visit_i64
        deserialize_i64 visit_i64
        deserialize_u8 visit_u64
        deserialize_u16 visit_u64
        deserialize_u32 visit_u64
        deserialize_u64 visit_u64
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        self.0.into_deserializer().deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        bool i128 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct
        map struct identifier ignored_any
    }
}
