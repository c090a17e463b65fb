//! One error for each operation on a direct connection.

use std::time::Duration;

pub use socketio_p2p_protocol::peer::channel::ChannelEnd;

/// The reason why a signal of the partner was not taken. The connection continues, unless
/// [`DirectEvent::Closed`](crate::direct::DirectEvent::Closed) reports its end.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DirectSignalError {
    /// The signal is a request to renegotiate, or for media. An offer with media beside the data channel is answered.
    #[error("a request for a new offer or for media is not supported")]
    Unsupported,
    /// The signal is a description that the connection does not wait for: an answer to nothing, an offer of another
    /// connection (then make another one here as well), or one of more than 64 later offers.
    #[error("a description was not expected")]
    Unexpected,
    /// Too many signals wait to be handled: the partner sends them faster than any negotiation needs.
    #[error("too many signals at once")]
    Overrun,
    /// The connection is closed.
    #[error("the direct connection is closed")]
    Closed,
}

/// The reason why a message was not sent.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DirectSendError {
    /// The main channel is not open: not yet, or no direct path is tried.
    #[error("there is no open direct connection")]
    NotOpen,
    /// The message is empty. Some partners cannot tell an empty message from the end.
    #[error("an empty message cannot be sent")]
    Empty,
    /// The message is longer than the partner takes.
    #[error("a message of {len} bytes is longer than the partner's limit of {limit}")]
    TooLong {
        /// Length of the message in bytes.
        len: usize,
        /// Length of the longest message that the partner takes.
        limit: usize,
    },
    /// It would have to wait: the send buffer is full
    /// ([`DirectConfig::send_buffer_bytes`](crate::direct::DirectConfig::send_buffer_bytes)), or the window of the
    /// channel.
    #[error("the send buffer is full")]
    Full,
    /// The channel may lose messages, and this one could not leave within 100 ms. Some of it may have left.
    #[error("the message could not be sent in time")]
    Late,
    /// The channel or its connection is closed.
    #[error("the channel is closed")]
    Closed,
}

/// The reason why a raw channel was not opened.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelError {
    /// The main channel is not open: not yet, or no direct path is tried.
    #[error("there is no open direct connection")]
    NotOpen,
    /// Both limits of retransmission were set, or a text is too long.
    #[error("the channel's options are incompatible")]
    Options,
    /// The connection has as many channels as are allowed.
    #[error("the connection already has {0} channels")]
    TooMany(usize),
    /// The partner did not confirm the channel in time.
    #[error("the partner did not open the channel within {0:?}")]
    Timeout(Duration),
    /// The connection is closed.
    #[error("the direct connection is closed")]
    Closed,
}

/// The reason why a direct connection ended.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DirectEnd {
    /// This end closed it.
    #[error("closed locally")]
    Here,
    /// The partner closed it.
    #[error("closed by the partner")]
    Partner,
    /// No path to the partner was found in time.
    #[error("no direct connection within {0:?}")]
    Timeout(Duration),
    /// The partner was silent for too long.
    #[error("the partner fell silent")]
    Silent,
    /// The partner's description has not one data channel section, or cannot be used.
    #[error("the partner's description was refused")]
    Refused,
    /// The application does not read the events.
    #[error("the events were not read")]
    Unread,
    /// The partner does too much at once: it opened channels by the hundred.
    #[error("the partner exceeded a limit")]
    Overrun,
    /// The WebRTC stack failed, with this text.
    #[error("the WebRTC stack failed: {0}")]
    Stack(String),
}
