//! The events of a direct connection.

use socketio_p2p_protocol::{IceWarning, Signal};

use super::channel::DirectChannel;
use super::error::DirectEnd;
use super::message::ChannelMessage;

/// An event of a direct connection.
#[derive(Debug)]
#[non_exhaustive]
pub enum DirectEvent {
    /// A signal for the partner. Signals are to be carried in their order, as [`Signal::to_value`], which is the
    /// JSON of simple-peer.
    Signal(Signal),
    /// ICE servers of the configuration are left out.
    IceWarning(IceWarning),
    /// The main channel is open: messages may be sent.
    Open,
    /// A message of the partner on the main channel.
    Message(ChannelMessage),
    /// A raw channel that the partner opened.
    Channel(DirectChannel),
    /// The partner was silent for a while: the partner or the path may be gone.
    Silent,
    /// The partner was heard again.
    Heard,
    /// The connection has ended. This is the last event.
    Closed(DirectEnd),
}

/// A report of the actor to the reader of the events.
#[derive(Debug)]
pub(crate) enum Report {
    Event(DirectEvent),
    /// The main channel is open. The reader reads it without a detour.
    Opened(DirectChannel),
}
