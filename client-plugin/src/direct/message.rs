//! What travels over a data channel, and what a channel promises of it.

use bytes::Bytes;
use webrtc::data_channel::RTCDataChannelMessage;

/// The longest label and the longest protocol of a channel, in bytes.
const MAX_NAME: usize = 1024;

/// What travels over a channel, unframed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ChannelMessage {
    /// A text, which a JavaScript partner receives as a string.
    Text(String),
    /// Bytes. A text that is not UTF-8 arrives so as well.
    Binary(Bytes),
}

impl ChannelMessage {
    /// Its length in bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    /// Whether there is nothing in it. Such a message can be received, not sent.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is in it, without the difference between text and bytes.
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

/// What a raw channel promises. The default: all of it, in order.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ChannelOptions {
    /// Whether messages arrive in the order in which they were sent. Default: yes.
    pub ordered: bool,
    /// How often a lost message is sent again. Default: until it arrives. Not together with
    /// `max_packet_life_time`.
    pub max_retransmits: Option<u16>,
    /// For how many milliseconds a lost message is sent again. Default: until it arrives.
    pub max_packet_life_time: Option<u16>,
    /// A name for what the application speaks over it. Default: empty.
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
    /// Messages may arrive in any order, and a lost one is sent again at most `max_retransmits` times.
    pub fn unreliable(max_retransmits: u16) -> Self {
        Self { ordered: false, max_retransmits: Some(max_retransmits), ..Self::default() }
    }

    /// Whether a message may be lost.
    pub(crate) fn is_lossy(&self) -> bool {
        self.max_retransmits.is_some() || self.max_packet_life_time.is_some()
    }

    pub(crate) fn are_possible(&self, label: &str) -> bool {
        let lengths = [label.len(), self.protocol.len()];
        (self.max_retransmits.is_none() || self.max_packet_life_time.is_none())
            && lengths.iter().all(|&length| length <= MAX_NAME)
    }
}

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
