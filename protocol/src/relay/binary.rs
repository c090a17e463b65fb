//! Frames in their binary spelling.

use bytes::Bytes;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::{Refused, TOO_DEEP};
use crate::{
    Body, Code, Frame, PairingId, Refusal,
    limits::{JSON_DEPTH, RELAYED_FRAME_BYTES},
    wire::Shape,
};

/// Reads a `P2P_FRAME` in its binary spelling: the text of the event and its attachment.
///
/// # Errors
///
/// [`Code::TooLarge`] if it is too long or nested too deep; [`Code::BadArgs`] if it cannot be read.
pub fn read_binary(text: &str, binary: &Bytes) -> Result<(PairingId, Frame), Refused> {
    if binary.len() > RELAYED_FRAME_BYTES {
        let bytes = binary.len();
        let why =
            format!("the frame has {bytes} bytes, and at most {RELAYED_FRAME_BYTES} are relayed");
        return Err(Refusal::new(Code::TooLarge, &why).into());
    }
    let _: (IgnoredAny, IgnoredAny) =
        serde_json::from_str(text).map_err(|error| Refusal::unreadable(&error))?;
    let unread = || Refusal::new(Code::BadArgs, "the binary frame has no pairing or no header");
    let (pairing, header) = head(binary).ok_or_else(unread)?;
    let refused = |refusal| Refused { refusal, pairing: Some(pairing) };
    let Shape { depth, doubtful, .. } = Shape::of(header);
    // The arguments are one level below.
    if depth > JSON_DEPTH + 1 {
        return Err(refused(Refusal::new(Code::TooLarge, TOO_DEEP)));
    }
    let (id, frame) =
        Frame::from_binary(binary.clone()).map_err(|error| Refused::unreadable(&error, pairing))?;
    if doubtful
        && let Body::Emit { args, .. } | Body::Reply { result: Ok(args), .. } = &*frame.body
        && let Err(error) = args.parse::<Vec<Value>>()
    {
        return Err(refused(Refusal::unreadable(&error)));
    }
    Ok((id, frame))
}

/// Returns the pairing that a frame names, and its header.
fn head(binary: &[u8]) -> Option<(PairingId, &str)> {
    let (length, rest) = binary.split_first()?;
    let (pairing, rest) = rest.split_at_checked(usize::from(*length))?;
    let (length, rest) = rest.split_first_chunk()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let header = str::from_utf8(rest.get(..length)?).ok()?;
    Some((str::from_utf8(pairing).ok()?.parse().ok()?, header))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relay::Message;

    #[test]
    fn a_frame_that_is_nested_too_deep_is_too_large_in_either_spelling() {
        let pairing = PairingId::new(0x1f, 2);
        let code = |header: &str| {
            let text = format!(r#"["P2P_FRAME","1f-2",{header}]"#);
            let mut binary = b"\x041f-2".to_vec();
            binary.extend(u32::try_from(header.len()).unwrap().to_be_bytes());
            binary.extend(header.as_bytes());
            let event = r#"["P2P_FRAME",{"_placeholder":true,"num":0}]"#;
            let as_text = Message::read(&text, 1 << 20).err().map(|refused| refused.refusal.code);
            (as_text, read_binary(event, &binary.into()).err())
        };
        let flat = r#"{"s":1,"k":0,"t":"emit","e":"e","a":[[[]]],"b":[]}"#;
        assert_eq!(code(flat), (None, None));
        for levels in [JSON_DEPTH + 1, 100, 200, 10_000] {
            let deep = "[".repeat(levels) + &"]".repeat(levels);
            for header in [
                format!(r#"{{"s":1,"k":0,"t":"emit","e":"e","a":{deep},"b":[]}}"#),
                format!(r#"{{"s":1,"k":0,"t":"emit","e":"e","a":[],"b":[],"later":{deep}}}"#),
                format!(r#"{{"s":1,"k":0,"t":"later","b":[],"a":{deep}}}"#),
                format!(r#"{{"s":1,"k":0,"t":"emit","e":{deep},"a":[],"b":[]}}"#),
            ] {
                let (text, binary) = code(&header);

                assert_eq!(text, Some(Code::TooLarge), "{levels} {header:.60}");
                let binary = binary.map(|refused| (refused.refusal.code, refused.pairing));
                assert_eq!(binary, Some((Code::TooLarge, Some(pairing))), "{levels} {header:.60}");
            }
        }
    }
}
