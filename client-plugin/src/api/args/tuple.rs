//! Which values and types are tuples: they are several arguments.
//!
//! socketioxide (socketioxide-core 0.20.0) counts a newtype among them, for which serde writes no list. Here a newtype is
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
    match value.serialize(TupleProbe) {
        Err(IsTuple { is_tuple }) => is_tuple,
    }
}

/// Returns whether a type is read as a tuple.
pub(super) fn is_tuple_type<T: DeserializeOwned>() -> bool {
    // A type that reads nothing is none.
    T::deserialize(TupleProbe).err().is_some_and(|found| found.is_tuple)
}

/// Looks at the first thing that a value or a type says of itself.
struct TupleProbe;

/// What was found, as the error that ends the look.
#[derive(Debug)]
struct IsTuple {
    is_tuple: bool,
}

impl fmt::Display for IsTuple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_tuple { "a tuple" } else { "no tuple" })
    }
}

impl std::error::Error for IsTuple {}

impl ser::Error for IsTuple {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self { is_tuple: false }
    }
}

impl de::Error for IsTuple {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self { is_tuple: false }
    }
}

const TUPLE: IsTuple = IsTuple { is_tuple: true };
const OTHER: IsTuple = IsTuple { is_tuple: false };

macro_rules! no_tuple {
    ($($name:ident($($argument:ty),*) -> $output:ty;)*) => {
        $(fn $name(self, $(_: $argument),*) -> Result<$output, IsTuple> {
            Err(OTHER)
        })*
    };
}

type NoCompound = Impossible<Infallible, IsTuple>;

impl Serializer for TupleProbe {
    type Ok = Infallible;
    type Error = IsTuple;
    type SerializeSeq = NoCompound;
    type SerializeTuple = NoCompound;
    type SerializeTupleStruct = NoCompound;
    type SerializeTupleVariant = NoCompound;
    type SerializeMap = NoCompound;
    type SerializeStruct = NoCompound;
    type SerializeStructVariant = NoCompound;

    no_tuple! {
        serialize_bool(bool) -> Infallible;
        serialize_i8(i8) -> Infallible;
        serialize_i16(i16) -> Infallible;
        serialize_i32(i32) -> Infallible;
        serialize_i64(i64) -> Infallible;
        serialize_i128(i128) -> Infallible;
        serialize_u8(u8) -> Infallible;
        serialize_u16(u16) -> Infallible;
        serialize_u32(u32) -> Infallible;
        serialize_u64(u64) -> Infallible;
        serialize_u128(u128) -> Infallible;
        serialize_f32(f32) -> Infallible;
        serialize_f64(f64) -> Infallible;
        serialize_char(char) -> Infallible;
        serialize_str(&str) -> Infallible;
        serialize_bytes(&[u8]) -> Infallible;
        serialize_none() -> Infallible;
        serialize_unit() -> Infallible;
        serialize_unit_struct(&'static str) -> Infallible;
        serialize_unit_variant(&'static str, u32, &'static str) -> Infallible;
        serialize_seq(Option<usize>) -> NoCompound;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> NoCompound;
        serialize_map(Option<usize>) -> NoCompound;
        serialize_struct(&'static str, usize) -> NoCompound;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> NoCompound;
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<Infallible, IsTuple> {
        Err(OTHER)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Infallible, IsTuple> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<Infallible, IsTuple> {
        Err(OTHER)
    }

    fn serialize_tuple(self, _: usize) -> Result<NoCompound, IsTuple> {
        Err(TUPLE)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<NoCompound, IsTuple> {
        Err(TUPLE)
    }
}

impl<'de> Deserializer<'de> for TupleProbe {
    type Error = IsTuple;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, IsTuple> {
        Err(OTHER)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, IsTuple> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, IsTuple> {
        Err(TUPLE)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        _: V,
    ) -> Result<V::Value, IsTuple> {
        Err(TUPLE)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct seq map struct enum identifier ignored_any
    }
}
