//! Messages of a data channel, and the promises of a channel.

use std::time::Duration;

use bytes::Bytes;
use socketio_p2p_protocol::peer::channel::Kind;
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

    pub(crate) const fn kind(&self) -> Kind {
        match self {
            Self::Text(_) => Kind::Text,
            Self::Binary(_) => Kind::Binary,
        }
    }

    /// Returns the content as bytes.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
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
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use socketio_p2p_client::direct::ChannelOptions;
///
/// // For the position of a pointer: only the latest counts.
/// let latest = ChannelOptions::default().max_retransmits(0).protocol("pointer");
/// // For frames of a video, which are of no use after 150 ms.
/// let timely = ChannelOptions::default().ordered(false);
/// let timely = timely.max_packet_life_time(Duration::from_millis(150));
/// # assert_eq!((latest.ordered, latest.max_retransmits), (true, Some(0)));
/// # assert_eq!((timely.ordered, timely.max_packet_life_time), (false, Some(150)));
/// ```
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
    /// Name of the application's own protocol, of at most 1,024 bytes. Default: empty.
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

    /// Sets [`Self::ordered`]: whether messages arrive in the order in which they were sent. Default: true.
    #[must_use]
    pub fn ordered(mut self, ordered: bool) -> Self {
        self.ordered = ordered;
        self
    }

    /// Sets [`Self::max_retransmits`], the number of times that a lost message is sent again, and unsets
    /// [`Self::max_packet_life_time`]. Default: until it arrives.
    #[must_use]
    pub fn max_retransmits(mut self, times: u16) -> Self {
        self.max_retransmits = Some(times);
        self.max_packet_life_time = None;
        self
    }

    /// Sets [`Self::max_packet_life_time`], the time for which a lost message is sent again, and unsets
    /// [`Self::max_retransmits`]. It is counted in milliseconds, of which at most 65,535 are possible; a longer time
    /// counts as that. Default: until it arrives.
    #[must_use]
    pub fn max_packet_life_time(mut self, time: Duration) -> Self {
        self.max_packet_life_time = Some(u16::try_from(time.as_millis()).unwrap_or(u16::MAX));
        self.max_retransmits = None;
        self
    }

    /// Sets [`Self::protocol`], the name of the application's own protocol, of at most 1,024 bytes. Default: empty.
    #[must_use]
    pub fn protocol(mut self, protocol: impl Into<String>) -> Self {
        self.protocol = protocol.into();
        self
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

/// The terms of a channel that both sides know.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ChannelTerms {
    pub(crate) label: String,
    /// The application's own protocol.
    pub(crate) protocol: String,
    pub(crate) is_ordered: bool,
}

/// Turns a message of webrtc's into ours, without a copy.
pub(crate) fn into_message(message: RTCDataChannelMessage) -> ChannelMessage {
    let kind = if message.is_string { Kind::Text } else { Kind::Binary };
    joined(kind, message.data.freeze())
}

/// Returns the message of this kind and content. A text that is not UTF-8 is bytes.
pub(crate) fn joined(kind: Kind, bytes: Bytes) -> ChannelMessage {
    if kind == Kind::Binary {
        return ChannelMessage::Binary(bytes);
    }
    match String::from_utf8(bytes.into()) {
        Ok(text) => ChannelMessage::Text(text),
        Err(error) => ChannelMessage::Binary(error.into_bytes().into()),
    }
}
