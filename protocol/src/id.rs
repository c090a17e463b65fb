//! Ids of clients, connections and pairings, and the resume token. Parsing checks them, so that a
//! value is always valid.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use subtle::ConstantTimeEq as _;

use crate::{limits::CLIENT_ID_BYTES, secret::HIDDEN};

/// The id of a client: 1 to 128 bytes of UTF-8 without control characters.
///
/// Cloning is cheap.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ClientId(Arc<str>);

/// The reason for which a text is not a [`ClientId`].
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientIdError {
    /// It is empty.
    #[error("a client id must not be empty")]
    Empty,
    /// It is longer than [`CLIENT_ID_BYTES`].
    #[error("a client id must not exceed {CLIENT_ID_BYTES} bytes")]
    TooLong,
    /// It has a control character, which would garble logs and terminals.
    #[error("a client id must not contain control characters")]
    ControlCharacter,
}

impl ClientId {
    /// Returns the id as text.
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

impl TryFrom<&str> for ClientId {
    type Error = ClientIdError;

    fn try_from(text: &str) -> Result<Self, ClientIdError> {
        text.parse()
    }
}

impl TryFrom<String> for ClientId {
    type Error = ClientIdError;

    fn try_from(text: String) -> Result<Self, ClientIdError> {
        text.parse()
    }
}

impl PartialEq<str> for ClientId {
    fn eq(&self, text: &str) -> bool {
        self.as_str() == text
    }
}

impl PartialEq<&str> for ClientId {
    fn eq(&self, text: &&str) -> bool {
        self.as_str() == *text
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

/// The id of one connection of a client to a server.
///
/// A client that comes back has the same [`ClientId`] and another `ConnId`, so that the end of an
/// old connection does not affect its successor. The server numbers connections; the numbers do not
/// travel.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ConnId(pub u64);

impl fmt::Display for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// The id of one pairing of two clients, never used again for another.
///
/// `node` differs between servers and between restarts of one server, which draws it at random.
/// `serial` counts on that node. The text, also for debugging, is `<node>-<serial>` in lower-case
/// hexadecimal digits.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PairingId {
    node: u64,
    serial: u64,
}

/// Error: the text is not a [`PairingId`].
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a pairing id")]
pub struct PairingIdError;

impl PairingId {
    /// Returns the id of the pairing with this number on this node.
    #[must_use]
    pub const fn new(node: u64, serial: u64) -> Self {
        Self { node, serial }
    }

    /// Returns the number of the node.
    #[cfg(feature = "sim")]
    pub(crate) const fn node(self) -> u64 {
        self.node
    }

    /// Returns a number that differs between pairings, for choices that could be random.
    pub(crate) const fn seed(self) -> u64 {
        self.node ^ self.serial.rotate_left(32)
    }
}

impl fmt::Display for PairingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{:x}", self.node, self.serial)
    }
}

impl fmt::Debug for PairingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PairingId {
    type Err = PairingIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (node, serial) = text.split_once('-').ok_or(PairingIdError)?;
        let number = |digits: &str| u64::from_str_radix(digits, 16).map_err(|_| PairingIdError);
        let id = Self { node: number(node)?, serial: number(serial)? };

        // Only one spelling is valid: equal ids have equal texts.
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

/// The secret that resumes a client's session on a later connection: 16 unguessable bytes.
///
/// As text it is 32 lower-case hexadecimal digits. Only the codec of the CONNECT auth and of the
/// welcome writes that text: formatting and serialising a token yield `***`. Comparing two tokens
/// takes the same time whatever they have in common.
#[derive(Clone, Copy)]
pub struct ResumeToken([u8; 16]);

/// Error: the text is not a [`ResumeToken`].
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a resume token")]
pub struct ResumeTokenError;

impl ResumeToken {
    /// Returns the token of these bytes, which must come from a source of secrets.
    #[must_use]
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Returns the text of the token, for the wire alone.
    pub(crate) fn reveal(self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
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
        f.write_str(HIDDEN)
    }
}

impl fmt::Display for ResumeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
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
        serializer.serialize_str(HIDDEN)
    }
}

impl<'de> Deserialize<'de> for ResumeToken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// The dialect that a connection speaks.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Dialect {
    /// The dialect of the JavaScript library socket.io-p2p-plugin: native acknowledgements, no session.
    V1,
    /// The dialect of this crate: numbered requests and a session.
    V2,
}

impl Dialect {
    /// Returns the number on the wire: `1` or `2`.
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
    fn a_resume_token_has_one_spelling() {
        let token = ResumeToken::new([0xa0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255]);
        let text = "a00102030405060708090a0b0c0d0eff";

        assert_eq!(token.reveal(), text);
        assert_eq!(text.parse(), Ok(token));
        for other in ["", "a0", &text.to_uppercase(), &text.replace("a0", "+1"), &text[..31]] {
            assert_eq!(other.parse::<ResumeToken>(), Err(ResumeTokenError), "{other}");
        }
    }

    #[test]
    fn a_resume_token_is_shown_and_serialised_as_three_asterisks() {
        let token = ResumeToken::new([0xa0; 16]);

        assert_eq!(format!("{token} {token:?}"), "*** ***");
        assert_eq!(serde_json::to_string(&token).unwrap(), "\"***\"");
    }
}
