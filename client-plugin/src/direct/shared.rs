//! The state that the handle of a connection, the reader of its events and its actor share.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::{Semaphore, oneshot};
use tokio_util::sync::CancellationToken;

use super::channel::{DirectChannel, WeakChannel};
use super::channels::Channels;
use super::descriptions::Descriptions;
use super::error::{ChannelError, DirectEnd, DirectSendError};
use super::message::{ChannelMessage, ChannelOptions};
use super::signal::Request;

/// A request of the handle to the actor.
pub(crate) enum Command {
    Signal(Request),
    Open { label: String, options: ChannelOptions, answer: OpenAnswer },
}

/// The place for the result of [`Command::Open`].
pub(crate) type OpenAnswer = oneshot::Sender<Result<DirectChannel, ChannelError>>;

/// A message that waits for the actor to send it.
pub(crate) enum Outgoing {
    Message(ChannelMessage),
    /// A message that its sender has begun to send, and its weight in the send buffer.
    Begun(Pin<Box<dyn Future<Output = Result<(), DirectSendError>> + Send>>, u32),
}

/// The shared state of a connection.
pub(crate) struct ConnectionShared {
    /// Cancelled to close the connection.
    pub(crate) stop: CancellationToken,
    /// Cancelled when a reader or a writer saw the main channel closed.
    pub(crate) left: CancellationToken,
    /// Cancelled when the events are read no more.
    pub(crate) unheard: CancellationToken,
    /// Cancelled when nothing of the connection is left.
    pub(crate) ended: CancellationToken,
    pub(crate) end: OnceLock<DirectEnd>,
    /// The partner's descriptions that were taken.
    descriptions: Mutex<Descriptions>,
    /// The main channel, once it is open. It lasts as long as the connection.
    pub(crate) main: OnceLock<WeakChannel>,
    /// The state of all channels, once the main channel is open.
    pub(crate) channels: OnceLock<Arc<Channels>>,
    /// Room in the send buffer, in bytes.
    pub(crate) room: Semaphore,
    /// Held while a message is put somewhere: a message that is begun, and holds up the channel, stays before
    /// those that come after it.
    order: Mutex<()>,
    pub(crate) send_buffer: usize,
}

impl ConnectionShared {
    /// Creates the state of a connection with a send buffer of this many bytes.
    pub(crate) fn new(send_buffer: usize) -> Self {
        let send_buffer = send_buffer.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            stop: CancellationToken::new(),
            left: CancellationToken::new(),
            unheard: CancellationToken::new(),
            ended: CancellationToken::new(),
            end: OnceLock::new(),
            descriptions: Mutex::default(),
            main: OnceLock::new(),
            channels: OnceLock::new(),
            room: Semaphore::new(send_buffer),
            order: Mutex::new(()),
            send_buffer,
        }
    }

    /// Returns the descriptions that were taken. A caller that takes another one holds the lock until the
    /// description is handed over.
    pub(crate) fn descriptions(&self) -> MutexGuard<'_, Descriptions> {
        self.descriptions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps everyone from putting a message anywhere. The actor holds it as well when it stops sending: a
    /// message that is begun after that would never be polled.
    pub(crate) fn order(&self) -> MutexGuard<'_, ()> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the room that a message takes. A message that is longer than the buffer waits for all of it.
    pub(crate) fn weight(&self, message: &ChannelMessage) -> u32 {
        message.len().min(self.send_buffer).min(u32::MAX as usize) as u32
    }
}
