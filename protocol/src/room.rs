//! The name of a room.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{ClientId, limits::CLIENT_ID_BYTES};

/// The name of a room: 1 to 128 bytes of UTF-8 without control characters, as a client id.
///
/// Cloning is cheap.
///
/// # Examples
///
/// ```
/// use socketio_p2p_protocol::RoomName;
///
/// let room: RoomName = "lobby".parse()?;
/// assert_eq!(room.as_str(), "lobby");
/// assert!("".parse::<RoomName>().is_err());
/// # Ok::<(), socketio_p2p_protocol::RoomNameError>(())
/// ```
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RoomName(ClientId);

/// Error: the text is not a [`RoomName`].
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the name of a room has 1 to {CLIENT_ID_BYTES} bytes without control characters")]
pub struct RoomNameError;

impl RoomName {
    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl FromStr for RoomName {
    type Err = RoomNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self).map_err(|_| RoomNameError)
    }
}

impl TryFrom<&str> for RoomName {
    type Error = RoomNameError;

    fn try_from(text: &str) -> Result<Self, RoomNameError> {
        text.parse()
    }
}

impl TryFrom<String> for RoomName {
    type Error = RoomNameError;

    fn try_from(text: String) -> Result<Self, RoomNameError> {
        text.parse()
    }
}

impl PartialEq<str> for RoomName {
    fn eq(&self, text: &str) -> bool {
        self.as_str() == text
    }
}

impl PartialEq<&str> for RoomName {
    fn eq(&self, text: &&str) -> bool {
        self.as_str() == *text
    }
}

impl fmt::Display for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for RoomName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for RoomName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}
