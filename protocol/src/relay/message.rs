//! The messages that are relayed as they came.

use serde::de::IgnoredAny;
use serde_json::{Value, value::RawValue};

use super::{Named, Refused, TOO_DEEP};
use crate::{
    Code, FrameError, Refusal,
    limits::{BATCH_FRAMES, JSON_DEPTH},
    wire::Shape,
};

/// The arguments of a `P2P_FRAME` or a `P2P_SIGNAL`, as they came.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// The pairing that it names.
    pub pairing: &'a RawValue,
    /// The frames or the signal.
    pub payload: &'a RawValue,
}

impl<'a> Message<'a> {
    /// Reads the whole text of an event, its name included, of which at most `bytes` are allowed.
    ///
    /// # Errors
    ///
    /// [`Code::TooLarge`] if it is too long or nested too deep; [`Code::BadArgs`] if it is no JSON,
    /// or JSON that a usual parser cannot read.
    pub fn read(text: &'a str, bytes: usize) -> Result<Self, Refused> {
        let (message, commas) = Self::read_with(text, bytes, |text| {
            let (IgnoredAny, pairing, payload) = serde_json::from_str(text)?;
            Ok(Self { pairing, payload })
        })?;
        if let Some(frames) = message.payload.get().strip_prefix('[')
            && (commas >= BATCH_FRAMES || frames.trim_start().starts_with(']'))
        {
            let refusal = Refusal::new(Code::BadArgs, &FrameError::Batch.to_string());
            return Err(Refused { refusal, pairing: Named::Json(message.pairing).id() });
        }
        Ok(message)
    }

    /// Reads the whole text of a `P2P_SIGNAL`, which may have surplus arguments.
    ///
    /// # Errors
    ///
    /// As [`Self::read`].
    pub fn read_signal(text: &'a str, bytes: usize) -> Result<Self, Refused> {
        let read =
            Self::read_with(text, bytes, |text| match serde_json::from_str::<Vec<_>>(text)?[..] {
                [_, pairing, payload, ..] => Ok(Self { pairing, payload }),
                _ => Err(serde::de::Error::custom("arguments are missing")),
            });
        read.map(|(signal, _)| signal)
    }

    /// Reads a message. Returns the commas in its payload as well, if that is a batch.
    fn read_with(
        text: &'a str,
        bytes: usize,
        split: impl FnOnce(&'a str) -> Result<Self, serde_json::Error>,
    ) -> Result<(Self, usize), Refused> {
        let Shape { depth, doubtful, commas } = Shape::of(text);
        if text.len() > bytes {
            let why =
                format!("the message has {} bytes, and at most {bytes} are relayed", text.len());
            return Err(Refusal::new(Code::TooLarge, &why).into());
        }
        if depth > JSON_DEPTH {
            return Err(Refusal::new(Code::TooLarge, TOO_DEEP).into());
        }
        // Checks the whole text: nothing that is not JSON is handed on.
        let Self { pairing, payload } = split(text).map_err(|error| Refusal::unreadable(&error))?;
        // The receiver would drop what its parser cannot read, and its session would wait forever.
        if doubtful && let Err(error) = serde_json::from_str::<Value>(text) {
            let (refusal, pairing) = (Refusal::unreadable(&error), Named::Json(pairing).id());
            return Err(Refused { refusal, pairing });
        }
        Ok((Self { pairing, payload }, commas))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PairingId, frame::batch_from_text};

    fn refusal<T>(result: Result<T, Refused>) -> Option<(Code, Option<PairingId>)> {
        result.err().map(|Refused { refusal, pairing }| (refusal.code, pairing))
    }

    #[test]
    fn a_message_is_read_before_the_route_is_asked() {
        let deep = format!(r#"["P2P_FRAME","1f-2",{}{}]"#, "[".repeat(64), "]".repeat(64));

        assert_eq!(refusal(Message::read(&deep, 1 << 20)), Some((Code::TooLarge, None)));
        assert_eq!(
            refusal(Message::read(r#"["P2P_FRAME","1f-2""#, 99)),
            Some((Code::BadArgs, None))
        );
        assert_eq!(
            refusal(Message::read(r#"["P2P_FRAME","1f-2",1]"#, 9)),
            Some((Code::TooLarge, None))
        );
    }

    #[test]
    fn a_signal_may_have_surplus_arguments_and_a_frame_may_not() {
        let text = r#"["P2P_SIGNAL","1f-2",{"type":"end"},{"later":1},2]"#;

        let signal = Message::read_signal(text, 999).unwrap();

        assert_eq!(signal.payload.get(), r#"{"type":"end"}"#);
        assert_eq!(refusal(Message::read(text, 999)), Some((Code::BadArgs, None)));
        let short = refusal(Message::read_signal(r#"["P2P_SIGNAL","1f-2"]"#, 999));
        assert_eq!(short, Some((Code::BadArgs, None)));
    }

    #[test]
    fn what_the_receiver_cannot_parse_is_refused_with_its_pairing() {
        let text = r#"["P2P_FRAME","1f-2",{"a":["\ud800"]}]"#;

        let refused = refusal(Message::read(text, 999));

        assert_eq!(refused, Some((Code::BadArgs, Some(PairingId::new(0x1f, 2)))));
    }

    #[test]
    fn a_batch_that_its_receiver_would_not_read_is_refused() {
        let read = |frames: usize, blank: &str| {
            let frames = vec![r#"{"s":1,"a":[[1,2],{"b":3}],"t":"ack"}"#; frames].join(",");
            let text = format!(r#"["P2P_FRAME","1f-2",[{blank}{frames}]]"#);
            refusal(Message::read(&text, 1 << 20))
        };

        let refused = Some((Code::BadArgs, Some(PairingId::new(0x1f, 2))));
        assert_eq!([read(0, ""), read(0, " \n"), read(65, "")], [refused; 3]);
        assert_eq!([read(1, ""), read(64, " ")], [None; 2]);
    }

    #[test]
    fn a_refusal_says_what_is_wrong() {
        let why = |text: &str| Message::read(text, 99).unwrap_err().refusal.message.into_owned();

        let long = format!(r#"["P2P_FRAME","1f-2","{}"]"#, "x".repeat(100));
        assert_eq!(why(&long), "the message has 123 bytes, and at most 99 are relayed");
        assert_eq!(why(r#"["P2P_FRAME","1f-2",["\ud800"]]"#).matches("surrogate").count(), 1);
        assert!(why(r#"["P2P_FRAME","1f-2"]"#).starts_with("the message cannot be read: "));
        let error = batch_from_text("[]").unwrap_err();
        let refused = Refused::unreadable(&error, PairingId::new(1, 2));
        assert_eq!(refused.refusal.message, "the batch is empty or has too many frames");
        let error = batch_from_text(r#"{"s":1,"t":"ack"}"#).unwrap_err();
        let refused = Refused::unreadable(&error, PairingId::new(1, 2));
        assert!(refused.refusal.message.contains("missing field `k`"), "{refused:?}");
    }
}
