//! Names of clients, connections and pairings: parsed once at the border, valid ever after.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use subtle::ConstantTimeEq as _;

use crate::limits::CLIENT_ID_BYTES;

/// The name of a client: 1 to 128 bytes of UTF-8 without control characters.
///
/// Cloning is cheap.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ClientId(Arc<str>);

/// Why a text is no [`ClientId`].
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientIdError {
    /// Nothing between the quotes.
    #[error("a client id is at least one byte long")]
    Empty,
    /// Longer than [`CLIENT_ID_BYTES`].
    #[error("a client id is at most {CLIENT_ID_BYTES} bytes long")]
    TooLong,
    /// It would garble logs and terminals.
    #[error("a client id has no control characters")]
    ControlCharacter,
}

impl ClientId {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ClientId {
    type Err = ClientIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err(ClientIdError::Empty);
        }
        if text.len() > CLIENT_ID_BYTES {
            return Err(ClientIdError::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(ClientIdError::ControlCharacter);
        }
        Ok(Self(text.into()))
    }
}

impl AsRef<str> for ClientId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for ClientId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ClientId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// One connection of a client to a server: its incarnation.
///
/// A client that comes back has the same [`ClientId`] and another `ConnId`, so that the end of an
/// old connection never touches its successor. The server numbers them; they never travel.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ConnId(pub u64);

impl fmt::Display for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// One pairing of two clients, never used again for another.
///
/// `node` tells servers and their restarts apart (the server draws it at random), `serial` counts
/// on that node. On the wire it is text, `<node>-<serial>` in lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PairingId {
    node: u64,
    serial: u64,
}

/// The text is no [`PairingId`].
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a pairing id")]
pub struct PairingIdError;

impl PairingId {
    /// The pairing with this number on this node.
    #[must_use]
    pub const fn new(node: u64, serial: u64) -> Self {
        Self { node, serial }
    }

    /// A number to tell pairings apart where chance would do.
    pub(crate) const fn seed(self) -> u64 {
        self.node ^ self.serial.rotate_left(32)
    }
}

impl fmt::Display for PairingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{:x}", self.node, self.serial)
    }
}

impl FromStr for PairingId {
    type Err = PairingIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (node, serial) = text.split_once('-').ok_or(PairingIdError)?;
        let number = |digits: &str| u64::from_str_radix(digits, 16).map_err(|_| PairingIdError);
        let id = Self { node: number(node)?, serial: number(serial)? };

        // One spelling only, or a comparison of texts would differ from one of ids.
        if id.to_string() == text { Ok(id) } else { Err(PairingIdError) }
    }
}

impl Serialize for PairingId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PairingId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// What proves, on a later connection, that it is the same client: 16 bytes that nobody can guess.
///
/// As text it is 32 lower-case hexadecimal digits. Comparing two takes the same time whatever they
/// have in common, and it is not shown by [`fmt::Debug`].
#[derive(Clone, Copy)]
pub struct ResumeToken([u8; 16]);

/// The text is no [`ResumeToken`].
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a resume token")]
pub struct ResumeTokenError;

impl ResumeToken {
    /// The token of these bytes, which must come from a source of secrets.
    #[must_use]
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl PartialEq for ResumeToken {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for ResumeToken {}

impl fmt::Debug for ResumeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResumeToken(…)")
    }
}

impl fmt::Display for ResumeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for ResumeToken {
    type Err = ResumeTokenError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.as_bytes();
        let is_digit = |digit: &u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
        if digits.len() != 32 || !digits.iter().all(is_digit) {
            return Err(ResumeTokenError);
        }
        let mut bytes = [0; 16];
        for (byte, at) in bytes.iter_mut().zip((0..32).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| ResumeTokenError)?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for ResumeToken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ResumeToken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// Which of the two dialects a connection speaks.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Dialect {
    /// That of the JavaScript library socket.io-p2p-plugin: native acknowledgements, no session.
    V1,
    /// Ours: numbered requests and a session.
    V2,
}

impl Dialect {
    /// The number that travels: `1` or `2`.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::V1 => 1,
            Self::V2 => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_id_is_1_to_128_bytes_without_control_characters() {
        assert_eq!("".parse::<ClientId>(), Err(ClientIdError::Empty));
        assert_eq!("a".repeat(129).parse::<ClientId>(), Err(ClientIdError::TooLong));
        assert_eq!("a\nb".parse::<ClientId>(), Err(ClientIdError::ControlCharacter));
        assert_eq!("a\u{7f}".parse::<ClientId>(), Err(ClientIdError::ControlCharacter));
        assert_eq!("é".repeat(64).parse::<ClientId>().unwrap().as_str().len(), 128);
        assert!("é".repeat(65).parse::<ClientId>().is_err());
    }

    #[test]
    fn a_pairing_id_has_one_spelling() {
        let id = PairingId::new(u64::MAX, 10);

        assert_eq!(id.to_string(), "ffffffffffffffff-a");
        assert_eq!("ffffffffffffffff-a".parse(), Ok(id));
        for other in ["FFFFFFFFFFFFFFFF-a", "ffffffffffffffff-0a", "1", "-", "1-", "+1-1", "1-1-1"]
        {
            assert_eq!(other.parse::<PairingId>(), Err(PairingIdError), "{other}");
        }
    }

    #[test]
    fn a_resume_token_has_one_spelling_and_is_not_logged() {
        let token = ResumeToken::new([0xa0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255]);
        let text = "a00102030405060708090a0b0c0d0eff";

        assert_eq!(token.to_string(), text);
        assert_eq!(text.parse(), Ok(token));
        assert!(!format!("{token:?}").contains("a0"));
        for other in ["", "a0", &text.to_uppercase(), &text.replace("a0", "+1"), &text[..31]] {
            assert_eq!(other.parse::<ResumeToken>(), Err(ResumeTokenError), "{other}");
        }
    }
}
