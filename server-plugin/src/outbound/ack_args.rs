//! A native acknowledgement with all its arguments, as text with its blobs apart.
//!
//! socketioxide hands an acknowledgement out only through a `Deserialize`, which sees attachments
//! as bytes in the place of their placeholders. So this one writes the text anew, with keys in the
//! order in which they came. (Version 0.18.9 fails where the first key of an object is written with
//! escapes, and this one with it.)

use std::fmt;

use bytes::Bytes;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};
use socketio_p2p_protocol::Args;

/// All arguments of an acknowledgement.
pub(crate) struct AckArgs(Writer);

impl AckArgs {
    pub(crate) fn into_args(self) -> Args {
        let Writer { json, blobs } = self.0;
        String::from_utf8(json)
            .ok()
            .and_then(|json| Args::from_text(json, blobs).ok())
            .unwrap_or_default()
    }
}

#[derive(Default)]
struct Writer {
    json: Vec<u8>,
    blobs: Vec<Bytes>,
}

impl<'de> Deserialize<'de> for AckArgs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut writer = Writer::default();
        // As a tuple: of another type only the first argument would be seen.
        deserializer.deserialize_tuple(usize::MAX, Text(&mut writer))?;
        Ok(Self(writer))
    }
}

/// A visitor that writes every value it is given.
struct Text<'a>(&'a mut Writer);

impl<'de> DeserializeSeed<'de> for Text<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Text<'_> {
    fn scalar<E: Error>(self, value: impl Serialize) -> Result<(), E> {
        serde_json::to_writer(&mut self.0.json, &value).map_err(E::custom)
    }
}

impl<'de> Visitor<'de> for Text<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the arguments of an acknowledgement")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.scalar(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.scalar(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.scalar(value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.scalar(value)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.scalar(value)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.scalar(value)
    }

    fn visit_bytes<E: Error>(self, value: &[u8]) -> Result<(), E> {
        let num = self.0.blobs.len();
        self.0.json.extend(format!(r#"{{"_placeholder":true,"num":{num}}}"#).into_bytes());
        self.0.blobs.push(Bytes::copy_from_slice(value));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        self.0.json.push(b'[');
        let start = self.0.json.len();
        loop {
            let end = self.0.json.len();
            if end > start {
                self.0.json.push(b',');
            }
            if seq.next_element_seed(Text(self.0))?.is_none() {
                self.0.json.truncate(end);
                break;
            }
        }
        self.0.json.push(b']');
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.0.json.push(b'{');
        let start = self.0.json.len();
        while let Some(key) = map.next_key::<String>()? {
            if self.0.json.len() > start {
                self.0.json.push(b',');
            }
            Text(self.0).scalar(key)?;
            self.0.json.push(b':');
            map.next_value_seed(Text(self.0))?;
        }
        self.0.json.push(b'}');
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        serde_json::from_str::<AckArgs>(text).unwrap().into_args().as_json().to_owned()
    }

    #[test]
    fn an_acknowledgement_stays_as_it_was_written() {
        for text in [
            "[]",
            "[null]",
            "[[],[[]],{}]",
            r#"[1,-2,1.5,"a\"b",true,{"z":1,"a":[null,{"b":""}]}]"#,
        ] {
            assert_eq!(read(text), text);
        }
    }
}
