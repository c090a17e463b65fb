//! Bytes as blobs: what serialises as bytes, and sequences of `u8`, for serde presents a `Vec<u8>` as a
//! list of numbers.
//!
//! socketioxide's own serializer (socketioxide-parser-common 0.17.3) leaves bytes inside an `Option`, a
//! newtype or a variant as numbers.

use std::cell::RefCell;

use ::bytes::Bytes;
use serde::ser::{
    Error as _, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant,
    SerializeTuple, SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::probe::byte_of;

/// The blobs of the arguments, in the order of their placeholders.
pub(super) type Blobs = RefCell<Vec<Bytes>>;

/// A value whose bytes and sequences of `u8` are serialised as placeholders of blobs, however deep they
/// are. A tuple or an array is no sequence, and an empty sequence has no bytes that would tell.
pub(super) struct WithBlobs<'a, T: ?Sized>(pub(super) &'a T, pub(super) &'a Blobs);

impl<T: Serialize + ?Sized> Serialize for WithBlobs<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(Forward(serializer, self.1))
    }
}

/// A serializer that passes everything on but bytes and sequences.
struct Forward<'a, S>(S, &'a Blobs);

impl<S: Serializer> Forward<'_, S> {
    fn blob(self, blob: Bytes) -> Result<S::Ok, S::Error> {
        let mut blobs = self.1.borrow_mut();
        let num = blobs.len();
        blobs.push(blob);
        let mut placeholder = self.0.serialize_struct("Placeholder", 2)?;
        placeholder.serialize_field("_placeholder", &true)?;
        placeholder.serialize_field("num", &num)?;
        placeholder.end()
    }
}

/// A compound whose values are passed on with [`WithBlobs`].
struct Compound<'a, C>(C, &'a Blobs);

/// A sequence, whose elements are kept as long as all of them are bytes.
enum Seq<'a, S: Serializer> {
    Bytes { forward: Forward<'a, S>, len: Option<usize>, bytes: Vec<u8> },
    Values(Compound<'a, S::SerializeSeq>),
    Failed,
}

macro_rules! forward_values {
    ($($method:ident($value:ty))*) => {
        $(fn $method(self, value: $value) -> Result<S::Ok, S::Error> {
            self.0.$method(value)
        })*
    };
}

impl<'a, S: Serializer> Serializer for Forward<'a, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Seq<'a, S>;
    type SerializeTuple = Compound<'a, S::SerializeTuple>;
    type SerializeTupleStruct = Compound<'a, S::SerializeTupleStruct>;
    type SerializeTupleVariant = Compound<'a, S::SerializeTupleVariant>;
    type SerializeMap = Compound<'a, S::SerializeMap>;
    type SerializeStruct = Compound<'a, S::SerializeStruct>;
    type SerializeStructVariant = Compound<'a, S::SerializeStructVariant>;

    forward_values! {
        serialize_bool(bool)
        serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64) serialize_i128(i128)
        serialize_u8(u8) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64) serialize_u128(u128)
        serialize_f32(f32) serialize_f64(f64)
        serialize_char(char) serialize_str(&str)
        serialize_unit_struct(&'static str)
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<S::Ok, S::Error> {
        self.blob(Bytes::copy_from_slice(bytes))
    }

    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        self.0.serialize_none()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.0.serialize_some(&WithBlobs(value, self.1))
    }

    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.0.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<S::Ok, S::Error> {
        self.0.serialize_unit_variant(name, index, variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        self.0.serialize_newtype_struct(name, &WithBlobs(value, self.1))
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        self.0.serialize_newtype_variant(name, index, variant, &WithBlobs(value, self.1))
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Seq<'a, S>, S::Error> {
        Ok(Seq::Bytes { forward: self, len, bytes: Vec::new() })
    }

    fn serialize_tuple(self, len: usize) -> Result<Self::SerializeTuple, S::Error> {
        self.0.serialize_tuple(len).map(|compound| Compound(compound, self.1))
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleStruct, S::Error> {
        self.0.serialize_tuple_struct(name, len).map(|compound| Compound(compound, self.1))
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        self.0
            .serialize_tuple_variant(name, index, variant, len)
            .map(|compound| Compound(compound, self.1))
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        self.0.serialize_map(len).map(|compound| Compound(compound, self.1))
    }

    fn serialize_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStruct, S::Error> {
        self.0.serialize_struct(name, len).map(|compound| Compound(compound, self.1))
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        self.0
            .serialize_struct_variant(name, index, variant, len)
            .map(|compound| Compound(compound, self.1))
    }

    fn collect_str<T: std::fmt::Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.0.collect_str(value)
    }

    fn is_human_readable(&self) -> bool {
        self.0.is_human_readable()
    }
}

impl<S: Serializer> SerializeSeq for Seq<'_, S> {
    type Ok = S::Ok;
    type Error = S::Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), S::Error> {
        if let Self::Bytes { bytes, .. } = self
            && let Some(byte) = byte_of(value)
        {
            bytes.push(byte);
            return Ok(());
        }
        let Compound(mut values, blobs) = match std::mem::replace(self, Self::Failed) {
            Self::Values(values) => values,
            Self::Bytes { forward: Forward(serializer, blobs), len, bytes } => {
                let mut values = serializer.serialize_seq(len)?;
                bytes.iter().try_for_each(|byte| values.serialize_element(byte))?;
                Compound(values, blobs)
            }
            Self::Failed => return Err(S::Error::custom("a sequence goes on after an error")),
        };
        values.serialize_element(&WithBlobs(value, blobs))?;
        *self = Self::Values(Compound(values, blobs));
        Ok(())
    }

    fn end(self) -> Result<S::Ok, S::Error> {
        match self {
            Self::Bytes { forward, bytes, .. } if bytes.is_empty() => {
                forward.0.serialize_seq(Some(0))?.end()
            }
            Self::Bytes { forward, bytes, .. } => forward.blob(bytes.into()),
            Self::Values(values) => values.0.end(),
            Self::Failed => Err(S::Error::custom("a sequence ends after an error")),
        }
    }
}

macro_rules! forward_compounds {
    ($($compound:ident $method:ident($($key:ident)?))*) => {
        $(impl<C: $compound> $compound for Compound<'_, C> {
            type Ok = C::Ok;
            type Error = C::Error;

            fn $method<T: Serialize + ?Sized>(
                &mut self,
                $($key: &'static str,)?
                value: &T,
            ) -> Result<(), C::Error> {
                self.0.$method($($key,)? &WithBlobs(value, self.1))
            }

            fn end(self) -> Result<C::Ok, C::Error> {
                self.0.end()
            }
        })*
    };
}

forward_compounds! {
    SerializeTuple serialize_element()
    SerializeTupleStruct serialize_field()
    SerializeTupleVariant serialize_field()
    SerializeStruct serialize_field(key)
    SerializeStructVariant serialize_field(key)
}

impl<C: SerializeMap> SerializeMap for Compound<'_, C> {
    type Ok = C::Ok;
    type Error = C::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), C::Error> {
        self.0.serialize_key(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
        self.0.serialize_value(&WithBlobs(value, self.1))
    }

    fn end(self) -> Result<C::Ok, C::Error> {
        self.0.end()
    }
}
