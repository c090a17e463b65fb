//! The verdicts on an event that a v1 client sends to its partner.

use std::{borrow::Borrow, fmt, ops::Deref};

use bytes::Bytes;
use serde::{
    Deserialize, Deserializer,
    de::{
        DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
        value::MapAccessDeserializer,
    },
};
use serde_json::{Value, value::RawValue};

use super::{Route, TOO_DEEP};
use crate::{
    Args, Code, Dialect, Refusal,
    limits::{JSON_DEPTH, RELAYED_FRAME_BYTES},
    peer::v1::{check_attachments, no_bytes},
    wire::{self, V1EmitFields, check_event},
};

/// An event of a v1 client for its partner: the argument of `P2P_EMIT` or
/// `P2P_EMIT_ACKNOWLEDGE`.
#[derive(Clone, Debug, PartialEq)]
pub struct V1Emit {
    /// The client whom the sender believes to be its partner.
    pub target: String,
    /// The event's name.
    pub event: String,
    /// The arguments for the partner's handler.
    pub args: Args,
}

impl V1Emit {
    /// Reads the whole text of the packet, the name of its event included, and its attachments.
    ///
    /// # Errors
    ///
    /// [`Code::TooLarge`] if it is too long or nested too deep; [`Code::BadArgs`] if it cannot be
    /// read; [`Code::BadEvent`] if the event may not be sent.
    pub fn read(text: &str, attachments: Vec<Bytes>) -> Result<Self, Refusal> {
        let size = text.len() + attachments.iter().map(Bytes::len).sum::<usize>();
        if size > RELAYED_FRAME_BYTES {
            // A host may have read the first bytes only.
            let why = format!(
                "the event has {size} bytes or more, and at most {RELAYED_FRAME_BYTES} are relayed"
            );
            return Err(Refusal::new(Code::TooLarge, &why));
        }
        if wire::depth(text) > JSON_DEPTH {
            return Err(Refusal::new(Code::TooLarge, TOO_DEEP));
        }
        let fields = serde_json::from_str(text).map(|Packet(fields)| fields);
        let V1EmitFields { target_client_id, event, args } = fields.or_else(|_| fields_of(text))?;
        let target = match target_client_id.map(RawValue::get) {
            // What a page without a partner sends.
            Some("null") => return Err(Code::NotPaired.into()),
            Some(id) if wire::is_number(id) => id.to_owned(),
            id => text_in(id, "targetClientId")?,
        };
        let event = text_in(event.map(RawValue::get), "event")?;
        let args = args.filter(|args| args.get().starts_with('['));
        let args = args.ok_or_else(|| bad(&"args is missing or is not an array"))?;
        let args = Args::new(args.to_owned(), attachments).map_err(|error| bad(&error))?;
        check_event(&event)?;
        Ok(Self { target, event, args })
    }

    /// Returns the sender's route if the event may take it; `takes_attachments` tells whether the
    /// partner's transport does.
    ///
    /// # Errors
    ///
    /// [`Code::NotPaired`] if the sender has no route, or one to another client; [`Code::BadArgs`]
    /// if the partner cannot read the arguments.
    pub fn admit<R>(
        &self,
        route: Option<R>,
        takes_attachments: impl FnOnce(&R::Target) -> bool,
    ) -> Result<R, Refusal>
    where
        R: Deref<Target: Borrow<Route>>,
    {
        let route = route.ok_or(Code::NotPaired)?;
        let Route { partner, partner_dialect, .. } = (*route).borrow();
        if partner.as_str() != self.target {
            return Err(Code::NotPaired.into());
        }
        let speaks_v2 = *partner_dialect == Dialect::V2;
        if !self.args.blobs().is_empty() && !takes_attachments(&route) {
            return Err(no_bytes());
        }
        if speaks_v2 {
            // A string of JavaScript may contain a lone surrogate. The parser of a Rust client would
            // drop the whole frame, and the session would wait for it forever.
            self.args.parse::<Vec<Value>>().map_err(|error| Refusal::unreadable(&error))?;
        } else {
            check_attachments(&self.args)?;
        }
        Ok(route)
    }
}

/// The form of an emit. Later versions of the plugin pass the target first, and are not served.
const SHAPE: &str = "an emit takes one object with targetClientId, event and args";

/// The fields of an emit, which is the first argument of its packet. They are read in one pass.
struct Packet<'a>(V1EmitFields<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for Packet<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(PacketVisitor)
    }
}

struct PacketVisitor;

impl<'de> Visitor<'de> for PacketVisitor {
    type Value = Packet<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the packet of an emit")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut packet: A) -> Result<Self::Value, A::Error> {
        packet.next_element::<IgnoredAny>()?;
        let fields =
            packet.next_element_seed(FieldsOfObject)?.ok_or_else(|| A::Error::custom(SHAPE))?;
        while packet.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Packet(fields))
    }
}

/// Reads the fields of an object. By themselves they would be read from an array as well.
struct FieldsOfObject;

impl<'de> DeserializeSeed<'de> for FieldsOfObject {
    type Value = V1EmitFields<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for FieldsOfObject {
    type Value = V1EmitFields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an emit")
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Self::Value, A::Error> {
        V1EmitFields::deserialize(MapAccessDeserializer::new(fields))
    }
}

/// Reads the fields of an emit as [`Packet`] does, and finds out what is wrong with them.
fn fields_of(text: &str) -> Result<V1EmitFields<'_>, Refusal> {
    let packet: Vec<&RawValue> = parse(text)?;
    let emit = packet.get(1).map(|emit| emit.get()).ok_or_else(|| bad(&SHAPE))?;
    if emit.starts_with('{') { parse(emit) } else { Err(bad(&SHAPE)) }
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Refusal> {
    serde_json::from_str(text).map_err(|error| Refusal::unreadable(&error))
}

/// Reads a field that must be a string.
fn text_in(value: Option<&str>, field: &str) -> Result<String, Refusal> {
    let value = value.filter(|value| value.starts_with('"'));
    parse(value.ok_or_else(|| bad(&format!("{field} is missing or is not a string")))?)
}

fn bad(error: &dyn ToString) -> Refusal {
    Refusal::new(Code::BadArgs, &error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ConnId, PairingId, Partner};

    fn route(dialect: Dialect) -> Route {
        let (pairing, conn) = (PairingId::new(0, 1), ConnId(2));
        Route::new(&Partner { pairing, client: "b".parse().unwrap(), conn, dialect, direct: false })
    }

    fn emit(args: &str) -> V1Emit {
        let text = format!(r#"["P2P_EMIT",{{"targetClientId":"b","event":"e","args":{args}}}]"#);
        V1Emit::read(&text, Vec::new()).unwrap()
    }

    fn code<T>(result: Result<T, Refusal>) -> Option<Code> {
        result.err().map(|refusal| refusal.code)
    }

    #[test]
    fn an_event_that_may_not_be_sent_is_refused_whoever_the_partner_is() {
        let read = |text: &str| code(V1Emit::read(text, Vec::new()));

        assert_eq!(read(r#"["P2P_EMIT"]"#), Some(Code::BadArgs));
        assert_eq!(read(r#"["P2P_EMIT",{"event":"e","args":[]}]"#), Some(Code::BadArgs));
        let reserved = r#"["P2P_EMIT",{"targetClientId":"b","event":"connect","args":[]}]"#;
        assert_eq!(read(reserved), Some(Code::BadEvent));
        assert_eq!(read(&"[".repeat(JSON_DEPTH + 1)), Some(Code::TooLarge));
    }

    #[test]
    fn a_refusal_says_what_is_wrong_in_words_of_the_sender() {
        let with = |fields: &str| {
            let text = format!(r#"["P2P_EMIT",{fields}]"#);
            V1Emit::read(&text, Vec::new()).unwrap_err().to_string()
        };
        let one_object = "an emit takes one object with targetClientId, event and args (bad-args)";
        let half = "a string holds half of a surrogate pair, which is no character (bad-args)";

        assert_eq!(with(r#""b","e",[],null"#), one_object, "as later versions of the plugin do");
        assert_eq!(with("7"), one_object);
        for (fields, told) in [
            (
                r#"{"targetClientId":null,"event":"e","args":[]}"#,
                "not paired with that client (not-paired)",
            ),
            (
                r#"{"event":"e","args":[]}"#,
                "targetClientId is missing or is not a string (bad-args)",
            ),
            (
                r#"{"targetClientId":true,"event":"e","args":[]}"#,
                "targetClientId is missing or is not a string (bad-args)",
            ),
            (
                r#"{"targetClientId":"b","args":[]}"#,
                "event is missing or is not a string (bad-args)",
            ),
            (
                r#"{"targetClientId":"b","event":{},"args":[]}"#,
                "event is missing or is not a string (bad-args)",
            ),
            (
                r#"{"targetClientId":"b","event":"e"}"#,
                "args is missing or is not an array (bad-args)",
            ),
            (
                r#"{"targetClientId":"b","event":"e","args":{"0":1}}"#,
                "args is missing or is not an array (bad-args)",
            ),
            (r#"{"targetClientId":"b","event":"\ud800","args":[]}"#, half),
        ] {
            assert_eq!(with(fields), told, "{fields}");
        }
        let for_v2 = route(Dialect::V2);
        let refused = emit(r#"["\ud800"]"#).admit(Some(&for_v2), |_| true).unwrap_err();
        assert_eq!(refused.to_string(), half);
    }

    #[test]
    fn a_target_may_be_a_number() {
        let text = r#"["P2P_EMIT",{"targetClientId":42,"event":"e","args":[]}]"#;

        assert_eq!(V1Emit::read(text, Vec::new()).unwrap().target, "42");
        let negative = text.replace("42", "-42");
        assert_eq!(V1Emit::read(&negative, Vec::new()).unwrap().target, "-42");
    }

    #[test]
    fn an_event_for_somebody_who_is_not_the_partner_is_refused() {
        let emit = emit("[1]");
        let other = V1Emit { target: "c".to_owned(), ..emit.clone() };

        assert!(emit.admit(Some(&route(Dialect::V1)), |_| true).is_ok());
        assert_eq!(code(emit.admit(None::<&Route>, |_| true)), Some(Code::NotPaired));
        assert_eq!(code(other.admit(Some(&route(Dialect::V1)), |_| true)), Some(Code::NotPaired));
    }

    #[test]
    fn what_only_a_v1_partner_can_read_is_refused_for_a_v2_partner() {
        let emit = emit(r#"["\ud800"]"#);

        assert!(emit.admit(Some(&route(Dialect::V1)), |_| true).is_ok());
        assert_eq!(code(emit.admit(Some(&route(Dialect::V2)), |_| true)), Some(Code::BadArgs));
    }

    #[test]
    fn attachments_are_refused_for_a_transport_that_takes_none() {
        let mut emit = emit(r#"[{"_placeholder":true,"num":0}]"#);
        let (json, _) = emit.args.into_parts();
        emit.args = Args::new(json, vec![Bytes::from_static(b"blob")]).unwrap();

        assert!(emit.admit(Some(&route(Dialect::V1)), |_| true).is_ok());
        assert_eq!(code(emit.admit(Some(&route(Dialect::V1)), |_| false)), Some(Code::BadArgs));
    }

    #[test]
    fn more_attachments_than_a_v1_partner_takes_are_refused() {
        let with = |count: usize| {
            let places: Vec<_> =
                (0..count).map(|num| format!(r#"{{"_placeholder":true,"num":{num}}}"#)).collect();
            let blobs = vec![Bytes::from_static(b"blob"); count];
            let args = Args::from_text(format!("[{}]", places.join(",")), blobs).unwrap();
            V1Emit { args, ..emit("[]") }
        };
        let admitted = |count, dialect| code(with(count).admit(Some(&route(dialect)), |_| true));

        assert_eq!(admitted(10, Dialect::V1), None);
        assert_eq!(admitted(11, Dialect::V1), Some(Code::BadArgs));
        assert_eq!(admitted(11, Dialect::V2), None);
    }
}
