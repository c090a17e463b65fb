//! The first message of a server on a websocket. Engine.IO names the session in it, which shows the stream below a
//! socket from all others, whatever their clients send.

use std::borrow::Cow;

use serde::Deserialize;

/// The most bytes that are looked at: Engine.IO's first message has about 110.
const BYTES: usize = 1024;

/// The first byte of a text in one frame.
const TEXT: u8 = 0x81;

/// The length that says that the next two bytes are the length.
const LONG: u8 = 126;

/// The first bytes that were written on a websocket.
#[derive(Debug, Default)]
pub(super) struct Opening(Vec<u8>);

#[derive(Deserialize)]
struct Open<'a> {
    #[serde(borrow)]
    sid: Cow<'a, str>,
}

impl Opening {
    /// Follows written bytes. Returns the id of the session once it was written, and `None` within if the first
    /// message is none of Engine.IO.
    pub(super) fn wrote(&mut self, bytes: &[u8]) -> Option<Option<Box<str>>> {
        let room = BYTES.saturating_sub(self.0.len());
        self.0.extend_from_slice(&bytes[..bytes.len().min(room)]);
        let is_full = self.0.len() == BYTES;
        match read(&self.0) {
            Ok(Some(session)) => Some(Some(session)),
            Ok(None) if !is_full => None,
            _ => Some(None),
        }
    }
}

/// Returns the id of the session, or `None` if more is to come.
fn read(bytes: &[u8]) -> Result<Option<Box<str>>, ()> {
    let (length, payload) = match *bytes {
        [] | [TEXT] | [TEXT, LONG] | [TEXT, LONG, _] => return Ok(None),
        [TEXT, LONG, high, low, ref payload @ ..] => (u16::from_be_bytes([high, low]), payload),
        [TEXT, length @ 0..LONG, ref payload @ ..] => (length.into(), payload),
        _ => return Err(()),
    };
    let Some(payload) = payload.get(..length.into()) else { return Ok(None) };
    let open = payload.strip_prefix(b"0").ok_or(())?;
    let Open { sid } = serde_json::from_slice(open).map_err(drop)?;
    Ok(Some(sid.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the session of a websocket on which this was written, regardless of how it is cut.
    fn session(written: &[u8]) -> Option<Option<Box<str>>> {
        let wrote = |piece: usize| {
            let mut opening = Opening::default();
            written.chunks(piece).find_map(|piece| opening.wrote(piece))
        };
        let whole = wrote(usize::MAX);
        for piece in [1, 2, 3, 7] {
            assert_eq!(wrote(piece), whole);
        }
        whole
    }

    fn frame(payload: &str) -> Vec<u8> {
        let header = match u8::try_from(payload.len()) {
            Ok(length @ 0..LONG) => vec![TEXT, length],
            _ => [&[TEXT, LONG][..], &(payload.len() as u16).to_be_bytes()].concat(),
        };
        [&header[..], payload.as_bytes()].concat()
    }

    #[test]
    fn the_first_message_names_the_session() {
        for rest in ["".to_owned(), format!(r#","more":"{}""#, "x".repeat(200))] {
            let open = frame(&format!(r#"0{{"sid":"one"{rest}}}"#));

            assert_eq!(session(&open[..open.len() - 1]), None);
            assert_eq!(session(&[&open[..], &frame("2")].concat()), Some(Some("one".into())));
        }
    }

    #[test]
    fn any_other_first_message_names_none() {
        let long = frame(&format!(r#"0{{"sid":"{}"}}"#, "x".repeat(BYTES)));
        for written in [
            frame("2"),
            frame(""),
            frame("0[]"),
            frame(r#"0{"sid":7}"#),
            frame(r#"4{"sid":"one"}"#),
            vec![0x82, 1],
            vec![TEXT, 0xff],
            vec![TEXT, 127],
            long,
        ] {
            assert_eq!(session(&written), Some(None), "{written:?}");
        }
    }
}
