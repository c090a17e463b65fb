//! The name of an emit of a v1 client that is refused: its event and its target.

use std::{borrow::Cow, fmt};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Value, value::RawValue};

use crate::{Refusal, limits::MESSAGE_BYTES, text, wire};

/// The bytes at the beginning of a packet that are searched for the name.
const BYTES: usize = MESSAGE_BYTES;

/// Returns the argument of the `SERVER_ERROR` for an emit that is refused. It names event and target as far as they
/// stand at the beginning of `text`, the whole text of the packet or its beginning: an emit without an acknowledgement
/// has nothing else by which its sender knows it.
#[must_use]
pub fn v1_emit_error(text: &str, refusal: &Refusal) -> Value {
    match EmitName::read(text).to_string() {
        name if name.is_empty() => wire::v1_error(refusal),
        name => {
            wire::v1_error(&Refusal::new(refusal.code, &format!("{name}: {}", refusal.message)))
        }
    }
}

/// The event and the target of an emit, each as far as it was read.
#[derive(Debug, Default)]
struct EmitName {
    event: Option<String>,
    target: Option<String>,
}

impl EmitName {
    fn read(text: &str) -> Self {
        let start = &text[..text.floor_char_boundary(BYTES)];
        let mut name = Self::default();
        // The text is cut, or wrong: what came before counts.
        serde_json::Deserializer::from_str(start).deserialize_seq(InPacket(&mut name)).ok();
        name
    }
}

impl fmt::Display for EmitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.event, &self.target) {
            (Some(event), Some(target)) => write!(f, "{event:?} to {target:?}"),
            (Some(event), None) => write!(f, "{event:?}"),
            (None, Some(target)) => write!(f, "an event to {target:?}"),
            (None, None) => Ok(()),
        }
    }
}

struct InPacket<'n>(&'n mut EmitName);

impl<'de> Visitor<'de> for InPacket<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the packet of an emit")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut packet: A) -> Result<(), A::Error> {
        packet.next_element::<IgnoredAny>()?;
        packet.next_element_seed(InEmit(self.0)).map(drop)
    }
}

struct InEmit<'n>(&'n mut EmitName);

impl<'de> DeserializeSeed<'de> for InEmit<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for InEmit<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an emit")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        while let Some(field) = fields.next_key::<Cow<'de, str>>()? {
            let place = match &*field {
                "event" => &mut self.0.event,
                "targetClientId" => &mut self.0.target,
                _ => {
                    fields.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            *place = text_of(fields.next_value::<&RawValue>()?.get());
        }
        Ok(())
    }
}

/// Returns the beginning of a string, or of the id that a number is.
fn text_of(json: &str) -> Option<String> {
    let text: String =
        if wire::is_number(json) { json.to_owned() } else { serde_json::from_str(json).ok()? };
    Some(text::shown(&text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Code, limits::LABEL_BYTES};

    fn name(text: &str) -> String {
        EmitName::read(text).to_string()
    }

    #[test]
    fn a_refusal_names_the_event_and_the_target_before_the_reason() {
        let text = r#"["P2P_EMIT",{"targetClientId":"B","event":"chat","args":[1]}]"#;

        let error = v1_emit_error(text, &Code::NotPaired.into());

        let told = r#"Error: "chat" to "B": not paired with that client (not-paired)"#;
        assert_eq!(error, Value::from(told));
    }

    #[test]
    fn what_stands_at_the_beginning_is_enough() {
        let long = format!(
            r#"["P2P_EMIT",{{"event":"chat","targetClientId":7,"args":["{}"#,
            "x".repeat(BYTES)
        );
        assert_eq!(name(&long), r#""chat" to "7""#);
        assert_eq!(name(&long.replace(":7,", ":-7,")), r#""chat" to "-7""#);
        assert_eq!(name(&long.replace("\"targetClientId\":7,", "")), r#""chat""#);
        let behind = r#"["P2P_EMIT",{"args":[[{"event":7}]],"targetClientId":"B","event":"chat"}]"#;
        assert_eq!(name(behind), r#""chat" to "B""#);
        assert_eq!(name(&behind.replace("\"chat\"", "null")), r#"an event to "B""#);
    }

    #[test]
    fn a_long_name_is_cut_and_a_wrong_one_is_left_out() {
        let long = format!(r#"["P2P_EMIT",{{"event":"{}"}}]"#, "é".repeat(LABEL_BYTES));
        assert_eq!(name(&long), format!("{:?}", "é".repeat(LABEL_BYTES / 2) + "…"));
        assert_eq!(name(r#"["P2P_EMIT",{"event":"a\"\nb"}]"#), r#""a\"\nb""#);
        for text in [
            "",
            "[",
            "7",
            "[\"P2P_EMIT\"]",
            "[\"P2P_EMIT\",\"B\",\"chat\",[]]",
            r#"["P2P_EMIT",{"event":"\ud800","targetClientId":true}]"#,
            r#"["P2P_EMIT",{"event":"not whole"#,
            &"[".repeat(BYTES * 2),
        ] {
            assert_eq!(name(text), "", "{text}");
            let refusal = Code::BadArgs.into();
            assert_eq!(v1_emit_error(text, &refusal), wire::v1_error(&refusal));
        }
    }
}
