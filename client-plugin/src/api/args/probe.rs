//! The first thing that a value or a type says of itself: whether it is a byte, and whether it is a tuple, which is several
//! arguments.
//!
//! socketioxide (socketioxide-core 0.20.0) counts a newtype among the tuples, for which serde writes no list. Here a newtype is
//! what it holds.

use std::{convert::Infallible, fmt};

use serde::{
    Serialize, Serializer,
    de::{self, DeserializeOwned, Deserializer, Visitor},
    forward_to_deserialize_any,
    ser::{self, Impossible},
};

/// Returns whether a value is a tuple, a tuple struct, or an array of a fixed size.
pub(super) fn is_tuple<T: Serialize + ?Sized>(value: &T) -> bool {
    matches!(value.serialize(Probe), Err(Look::Tuple))
}

/// Returns whether a type is read as a tuple.
pub(super) fn is_tuple_type<T: DeserializeOwned>() -> bool {
    matches!(T::deserialize(Probe), Err(Look::Tuple))
}

/// Returns a value that is a `u8`, and no newtype of one.
pub(super) fn byte_of<T: Serialize + ?Sized>(value: &T) -> Option<u8> {
    match value.serialize(Probe) {
        Err(Look::Byte(byte)) => Some(byte),
        _ => None,
    }
}

/// Ends at the first thing that is said.
struct Probe;

/// What was said, as the error that ends the look.
#[derive(Debug, thiserror::Error)]
enum Look {
    #[error("a byte")]
    Byte(u8),
    #[error("a tuple")]
    Tuple,
    #[error("anything else")]
    Other,
}

impl ser::Error for Look {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::Other
    }
}

impl de::Error for Look {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::Other
    }
}

macro_rules! says {
    ($look:ident: $($name:ident$(<$T:ident>)?($($argument:ty),*) -> $output:ty;)*) => {
        $(fn $name$(<$T: ?Sized + Serialize>)?(self, $(_: $argument),*) -> Result<$output, Look> {
            Err(Look::$look)
        })*
    };
}

type Never = Impossible<Infallible, Look>;

impl Serializer for Probe {
    type Ok = Infallible;
    type Error = Look;
    type SerializeSeq = Never;
    type SerializeTuple = Never;
    type SerializeTupleStruct = Never;
    type SerializeTupleVariant = Never;
    type SerializeMap = Never;
    type SerializeStruct = Never;
    type SerializeStructVariant = Never;

    fn serialize_u8(self, byte: u8) -> Result<Infallible, Look> {
        Err(Look::Byte(byte))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Infallible, Look> {
        match value.serialize(self) {
            Err(Look::Byte(_)) => Err(Look::Other),
            look => look,
        }
    }

    says! { Tuple:
        serialize_tuple(usize) -> Never;
        serialize_tuple_struct(&'static str, usize) -> Never;
    }

    says! { Other:
        serialize_bool(bool) -> Infallible;
        serialize_i8(i8) -> Infallible;
        serialize_i16(i16) -> Infallible;
        serialize_i32(i32) -> Infallible;
        serialize_i64(i64) -> Infallible;
        serialize_u16(u16) -> Infallible;
        serialize_u32(u32) -> Infallible;
        serialize_u64(u64) -> Infallible;
        serialize_f32(f32) -> Infallible;
        serialize_f64(f64) -> Infallible;
        serialize_char(char) -> Infallible;
        serialize_str(&str) -> Infallible;
        serialize_bytes(&[u8]) -> Infallible;
        serialize_none() -> Infallible;
        serialize_some<T>(&T) -> Infallible;
        serialize_unit() -> Infallible;
        serialize_unit_struct(&'static str) -> Infallible;
        serialize_unit_variant(&'static str, u32, &'static str) -> Infallible;
        serialize_newtype_variant<T>(&'static str, u32, &'static str, &T) -> Infallible;
        serialize_seq(Option<usize>) -> Never;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Never;
        serialize_map(Option<usize>) -> Never;
        serialize_struct(&'static str, usize) -> Never;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Never;
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, _: &T) -> Result<Infallible, Look> {
        Err(Look::Other)
    }
}

impl<'de> Deserializer<'de> for Probe {
    type Error = Look;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Look> {
        Err(Look::Other)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Look> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Look> {
        Err(Look::Tuple)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        _: V,
    ) -> Result<V::Value, Look> {
        Err(Look::Tuple)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct seq map struct enum identifier ignored_any
    }
}
