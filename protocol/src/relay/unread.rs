//! Messages that are too long to be read.

use serde::de::IgnoredAny;
use serde_json::json;

use crate::{
    Args, Code, PairingId, Refusal,
    limits::{ATTACHMENTS, SKIPPED_BYTES},
    wire::{EMIT, EMIT_ACKNOWLEDGE, TOO_LARGE},
};

/// An event that a host did not read, because its message is too long or has too many attachments. An event called `P2P_TOO_LARGE` takes
/// its place. A client that sends this itself is refused as if it had sent the other.
///
/// # Examples
///
/// ```
/// use socketio_p2p_protocol::{Code, relay::Unread};
///
/// let unread = Unread { event: "P2P_LIST".to_owned(), bytes: 700_000, ..Unread::default() };
/// assert_eq!(Unread::read(&unread.to_event()), unread);
/// assert_eq!(unread.refusal().code, Code::TooLarge);
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Unread {
    /// The name of the event.
    pub event: String,
    /// The bytes of its message, or the number at which the host had enough.
    pub bytes: u64,
    /// The pairing that it names, if it is a frame or a signal and the pairing was read.
    pub pairing: Option<PairingId>,
    /// The beginning of the text of its packet, if it is an emit of a v1 client: for
    /// [`v1_emit_error`](super::v1_emit_error).
    pub start: String,
    /// The number of its attachments, if it has more than [`ATTACHMENTS`].
    pub attachments: usize,
}

impl Unread {
    /// Returns the bytes of the message that count towards its sender's rates: at least `text`, those of the event that
    /// takes its place, and at most [`SKIPPED_BYTES`]. A client may send such an event itself.
    ///
    /// # Examples
    ///
    /// ```
    /// use socketio_p2p_protocol::{limits::SKIPPED_BYTES, relay::Unread};
    ///
    /// let claim = |bytes| Unread { bytes, ..Unread::default() };
    /// assert_eq!(claim(2_000_000).counted_bytes(40), 2_000_000);
    /// assert_eq!(claim(0).counted_bytes(40), 40);
    /// assert_eq!(claim(u64::MAX).counted_bytes(40), SKIPPED_BYTES as usize);
    /// ```
    #[must_use]
    pub fn counted_bytes(&self, text: usize) -> usize {
        usize::try_from(self.bytes.min(SKIPPED_BYTES)).unwrap_or(usize::MAX).max(text)
    }

    /// Reads the text of the event that takes its place. What cannot be read is left empty.
    #[must_use]
    pub fn read(text: &str) -> Self {
        if let Ok((IgnoredAny, event, bytes)) = serde_json::from_str(text) {
            return Self { event, bytes, ..Self::default() };
        }
        let read =
            serde_json::from_str::<(IgnoredAny, String, u64, String, usize)>(text).or_else(|_| {
                let (of, event, bytes, rest) = serde_json::from_str(text)?;
                serde_json::Result::Ok((of, event, bytes, rest, 0))
            });
        let Ok((_, event, bytes, rest, attachments)) = read else { return Self::default() };
        let unread = Self { event, bytes, attachments, ..Self::default() };
        match &*unread.event {
            EMIT | EMIT_ACKNOWLEDGE => Self { start: rest, ..unread },
            _ => Self { pairing: rest.parse().ok(), ..unread },
        }
    }

    /// Returns the text of the event that takes its place.
    #[must_use]
    pub fn to_event(&self) -> String {
        let Self { event, bytes, pairing, start, attachments } = self;
        let rest = pairing.map_or_else(|| start.clone(), |pairing| pairing.to_string());
        match (*attachments, &*rest) {
            (0, "") => json!([TOO_LARGE, event, bytes]).to_string(),
            (0, rest) => json!([TOO_LARGE, event, bytes, rest]).to_string(),
            (attachments, rest) => json!([TOO_LARGE, event, bytes, rest, attachments]).to_string(),
        }
    }

    /// Returns the arguments of an acknowledgement that takes the place of one of so many bytes.
    #[must_use]
    pub fn acknowledgement(bytes: u64) -> String {
        json!([TOO_LARGE, bytes]).to_string()
    }

    /// Returns whether these are the arguments of such an acknowledgement.
    #[must_use]
    pub fn is_acknowledgement(args: &Args) -> bool {
        let text = args.as_json();
        text.contains(TOO_LARGE)
            && serde_json::from_str::<(String, u64)>(text).is_ok_and(|(name, _)| name == TOO_LARGE)
    }

    /// Returns the refusal of the event.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        let Self { event, bytes, attachments, .. } = self;
        if event.is_empty() {
            return Refusal::new(
                Code::TooLarge,
                "a message is too long, of which nothing was read",
            );
        }
        if *attachments > 0 {
            let why = format!(
                "{event:?} has {attachments} attachments, and a message may have {ATTACHMENTS}"
            );
            return Refusal::new(Code::TooLarge, &why);
        }
        let why =
            format!("{event:?} has {bytes} bytes or more, and a message may not have so many");
        Refusal::new(Code::TooLarge, &why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acknowledgement_is_told_from_others() {
        for (args, expected) in [
            (&*Unread::acknowledgement(7), true),
            ("[]", false),
            ("[\"P2P_TOO_LARGE\"]", false),
            ("[\"short\",7]", false),
        ] {
            let args = Args::from_text(args.to_owned(), Vec::new()).unwrap();
            assert_eq!(Unread::is_acknowledgement(&args), expected, "{args:?}");
        }
    }

    #[test]
    fn what_a_client_makes_up_is_read_without_a_panic() {
        for text in
            ["[\"P2P_TOO_LARGE\"]", "[\"P2P_TOO_LARGE\",7,\"x\"]", "[", "", "7", "[1,\"\",2,3]"]
        {
            assert_eq!(Unread::read(text), Unread::default(), "{text}");
        }
        assert!(!Unread::default().refusal().message.contains('0'));
    }

    #[test]
    fn the_pairing_of_a_frame_or_a_signal_is_kept() {
        let pairing = "1f-2".parse().ok();
        let unread = Unread { event: "P2P_FRAME".into(), bytes: 9, pairing, ..Unread::default() };

        assert_eq!(Unread::read(&unread.to_event()), unread);
        let made_up = Unread::read(r#"["P2P_TOO_LARGE","P2P_FRAME",9,"no pairing"]"#);
        assert_eq!(made_up, Unread { pairing: None, ..unread });
    }

    #[test]
    fn the_beginning_of_an_emit_is_kept() {
        let start = r#"["P2P_EMIT",{"targetClientId":"B""#.to_owned();
        let unread = Unread { event: "P2P_EMIT".into(), bytes: 9, start, ..Unread::default() };

        assert_eq!(Unread::read(&unread.to_event()), unread);
        let crowded = Unread { attachments: 300, ..unread };
        assert_eq!(Unread::read(&crowded.to_event()), crowded);
        assert!(crowded.refusal().message.contains("300 attachments"), "{crowded:?}");
    }
}
