//! Messages of a data channel, and the promises of a channel.

use bytes::Bytes;
use webrtc::data_channel::RTCDataChannelMessage;

/// Length of the longest label and the longest protocol of a channel, in bytes.
const MAX_NAME: usize = 1024;

/// A message of a channel, unframed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ChannelMessage {
    /// A text, which a JavaScript partner receives as a string.
    Text(String),
    /// Bytes. A text that is not UTF-8 arrives as bytes as well.
    Binary(Bytes),
}

impl ChannelMessage {
    /// Returns the length in bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    /// Returns whether the message is empty. An empty message can be received, not sent.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the content of a text or a binary message as bytes.
    pub fn into_bytes(self) -> Bytes {
        match self {
            Self::Text(text) => text.into(),
            Self::Binary(bytes) => bytes,
        }
    }
}

impl From<&str> for ChannelMessage {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for ChannelMessage {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Bytes> for ChannelMessage {
    fn from(bytes: Bytes) -> Self {
        Self::Binary(bytes)
    }
}

impl From<Vec<u8>> for ChannelMessage {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Binary(bytes.into())
    }
}

/// Promises of a raw channel. By default all messages arrive, in order.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ChannelOptions {
    /// Order: messages arrive in the order in which they were sent. Default: true.
    pub ordered: bool,
    /// Number of times that a lost message is sent again. Default: until it arrives. It excludes
    /// `max_packet_life_time`.
    pub max_retransmits: Option<u16>,
    /// Milliseconds for which a lost message is sent again. Default: until it arrives.
    pub max_packet_life_time: Option<u16>,
    /// Name of the application's own protocol. Default: empty.
    pub protocol: String,
}

impl Default for ChannelOptions {
    fn default() -> Self {
        Self {
            ordered: true,
            max_retransmits: None,
            max_packet_life_time: None,
            protocol: String::new(),
        }
    }
}

impl ChannelOptions {
    /// Returns options of a channel whose messages arrive in any order. A lost message is sent again at most
    /// `max_retransmits` times.
    pub fn unreliable(max_retransmits: u16) -> Self {
        Self { ordered: false, max_retransmits: Some(max_retransmits), ..Self::default() }
    }

    /// Returns whether a message may be lost.
    pub(crate) fn is_lossy(&self) -> bool {
        self.max_retransmits.is_some() || self.max_packet_life_time.is_some()
    }

    /// Returns whether a channel of this label can have these options.
    pub(crate) fn are_possible(&self, label: &str) -> bool {
        let lengths = [label.len(), self.protocol.len()];
        (self.max_retransmits.is_none() || self.max_packet_life_time.is_none())
            && lengths.iter().all(|&length| length <= MAX_NAME)
    }
}

/// Turns a message of webrtc's into ours, without a copy.
pub(crate) fn into_message(message: RTCDataChannelMessage) -> ChannelMessage {
    let bytes = message.data.freeze();
    if !message.is_string {
        return ChannelMessage::Binary(bytes);
    }
    match String::from_utf8(bytes.into()) {
        Ok(text) => ChannelMessage::Text(text),
        Err(error) => ChannelMessage::Binary(error.into_bytes().into()),
    }
}
