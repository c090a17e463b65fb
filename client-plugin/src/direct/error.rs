//! One error for each operation on a direct connection.

use std::time::Duration;

/// Why a signal from the partner was not taken. The connection goes on, unless
/// [`DirectEvent::Closed`](crate::direct::DirectEvent::Closed) says otherwise.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SignalError {
    /// It has none of simple-peer's shapes.
    #[error("the signal is malformed")]
    Malformed,
    /// It is larger than a description of one data channel can be.
    #[error("the signal is too large")]
    TooLarge,
    /// It asks for something that a data channel does not need: to renegotiate, or media.
    #[error("the partner asks for more than a data channel")]
    Unsupported,
    /// Too many signals wait to be handled: the partner sends them faster than anyone needs.
    #[error("too many signals at once")]
    Overrun,
    /// The connection is closed.
    #[error("the direct connection is closed")]
    Closed,
}

/// Why a message was not sent.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DirectSendError {
    /// The main channel is not open yet.
    #[error("the direct connection is not open yet")]
    NotOpen,
    /// An empty message: some partners cannot tell it from the end.
    #[error("an empty message cannot be sent")]
    Empty,
    /// The partner does not take messages of that length.
    #[error("a message of {len} bytes is longer than the partner's limit of {limit}")]
    TooLong {
        /// The message's length in bytes.
        len: usize,
        /// The longest that the partner takes.
        limit: usize,
    },
    /// As much as the configuration allows is waiting to be sent.
    #[error("the send buffer is full")]
    Full,
    /// The channel or its connection is closed.
    #[error("the direct connection is closed")]
    Closed,
}

/// Why a raw channel was not opened.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelError {
    /// The main channel is not open yet.
    #[error("the direct connection is not open yet")]
    NotOpen,
    /// Both limits of retransmission were set, or a text is too long.
    #[error("the options of the channel cannot be had together")]
    Options,
    /// This connection has as many channels as are allowed.
    #[error("there are {0} channels already")]
    TooMany(usize),
    /// The partner did not confirm the channel in time.
    #[error("the partner did not open the channel within {0:?}")]
    Timeout(Duration),
    /// The connection is closed.
    #[error("the direct connection is closed")]
    Closed,
}

/// Why nothing more comes over a raw channel.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelEnd {
    /// This end closed it.
    #[error("the channel was closed here")]
    Here,
    /// The partner closed it, after everything that it sent. So does one that drops it half way.
    #[error("the partner closed the channel")]
    Partner,
    /// This end closed it: nobody read what came, and the partner did not wait. All of it is lost.
    #[error("the channel was closed since nobody read it")]
    Unread,
    /// Its connection is over, whoever ended it. What had not arrived is lost.
    #[error("the channel's connection is over")]
    Connection,
}

/// How a direct connection ended.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DirectEnd {
    /// This end closed it.
    #[error("closed here")]
    Here,
    /// The partner closed it.
    #[error("closed by the partner")]
    Partner,
    /// No way to the partner was found in time.
    #[error("no direct connection within {0:?}")]
    Timeout(Duration),
    /// Nothing was heard from the partner any more.
    #[error("the partner fell silent")]
    Silent,
    /// The partner's description asks for more than a data channel, or cannot be used.
    #[error("the partner's description is refused")]
    Refused,
    /// The application does not read its events.
    #[error("the events are not read")]
    Unread,
    /// The partner made more happen at once than anyone needs: it opened channels by the hundred.
    #[error("the partner does too much at once")]
    Overrun,
    /// The WebRTC stack failed, with these words.
    #[error("the WebRTC stack failed: {0}")]
    Stack(String),
}
