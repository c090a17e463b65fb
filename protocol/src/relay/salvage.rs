//! Salvage of a refused packet: its event and its pairing, read from its beginning only.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;

use crate::{ClientId, PairingId};

/// Returns the name of an event, given the whole text of its packet.
#[must_use]
pub fn event(text: &str) -> Option<Cow<'_, str>> {
    Some(first(text.trim_start().strip_prefix('[')?)?.0)
}

/// Returns the pairing that a frame or a signal names, in its text or else in its attachment, given the whole
/// text of its packet and its attachments.
#[must_use]
pub fn pairing(text: &str, attachments: &[Bytes]) -> Option<PairingId> {
    pairing_in_text(text).or_else(|| {
        let (length, rest) = attachments.first()?.split_first()?;
        std::str::from_utf8(rest.get(..usize::from(*length))?).ok()?.parse().ok()
    })
}

/// Returns the target that a registration names, given the whole text of its packet.
pub(super) fn target(text: &str) -> Option<ClientId> {
    argument(text)?.parse().ok()
}

fn pairing_in_text(text: &str) -> Option<PairingId> {
    argument(text)?.parse().ok()
}

/// Returns the first argument of an event, if it is a string.
fn argument(text: &str) -> Option<Cow<'_, str>> {
    let (_, rest) = first(text.trim_start().strip_prefix('[')?)?;
    Some(first(rest.trim_start().strip_prefix(',')?)?.0)
}

/// Returns the string at the beginning of a text, and the rest of the text.
fn first(text: &str) -> Option<(Cow<'_, str>, &str)> {
    /// A string that is borrowed if it has no escapes.
    #[derive(Deserialize)]
    struct Borrowed<'a>(#[serde(borrow)] Cow<'a, str>);

    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Borrowed<'_>>();
    let Borrowed(string) = values.next()?.ok()?;
    let end = values.byte_offset();
    Some((string, text.get(end..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_an_event_is_its_first_string() {
        assert_eq!(event(r#"["P2P_X",{"a":1}]"#).as_deref(), Some("P2P_X"));
        assert_eq!(event(r#" [ "P\u0032P_X" ] "#).as_deref(), Some("P2P_X"));
        assert_eq!(event(r#"["P2P_X", and what never ends"#).as_deref(), Some("P2P_X"));
        for text in ["", "[", "[]", "[1]", r#"["P2P_"#, r#"{"P2P_X":1}"#] {
            assert_eq!(event(text), None, "{text}");
        }
    }

    #[test]
    fn a_registration_names_its_target() {
        let named = |text| target(text).map(|target| target.to_string());

        assert_eq!(named(r#"["P2P_REGISTER","B",{"req":"#).as_deref(), Some("B"));
        for text in ["[", r#"["P2P_REGISTER"]"#, r#"["P2P_REGISTER",7]"#, r#"["P2P_REGISTER",""]"#]
        {
            assert_eq!(named(text), None, "{text}");
        }
    }

    #[test]
    fn a_frame_names_its_pairing_in_its_text() {
        let id = "1f-2".parse().ok();

        assert_eq!(pairing(r#"["P2P_FRAME","1f-2",{"s":1}]"#, &[]), id);
        assert_eq!(pairing(r#"[ "P2P_FRAME" , "1f-2" , broken"#, &[]), id);
        let attached = r#"["P2P_FRAME","1f-2",{"_placeholder":true,"num":0}]"#;
        assert_eq!(pairing(attached, &[Bytes::from_static(b"blob")]), id);
        for text in [r#"["P2P_FRAME"]"#, r#"["P2P_FRAME",1]"#, r#"["P2P_FRAME","x",{}]"#] {
            assert_eq!(pairing(text, &[]), None, "{text}");
        }
    }

    #[test]
    fn a_binary_frame_names_its_pairing_in_its_attachment() {
        let text = r#"["P2P_FRAME",{"_placeholder":true,"num":0}]"#;
        let read = |binary: &'static [u8]| pairing(text, &[Bytes::from_static(binary)]);

        assert_eq!(read(b"\x041f-2and more"), "1f-2".parse().ok());
        for binary in [&b""[..], b"\x04", b"\x041f-", b"\x04\xff\xff\xff\xff", b"\x00"] {
            assert_eq!(read(binary), None, "{binary:?}");
        }
    }
}
