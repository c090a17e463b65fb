//! The handle of a direct connection.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use socketio_p2p_protocol::Signal;
use tokio::sync::{SemaphorePermit, TryAcquireError, mpsc, oneshot};
use tokio_util::task::TaskTracker;

use super::actor;
use super::channel::{DirectChannel, WeakChannel};
use super::config::DirectConfig;
use super::error::{ChannelError, DirectSendError, DirectSignalError};
use super::events::DirectEvents;
use super::message::{ChannelMessage, ChannelOptions};
use super::role::Role;
use super::shared::{Command, ConnectionShared, Outgoing};
use super::signal::Request;
use super::traffic::Traffic;

/// Signals and requests that may wait for the actor. When it is full they are refused: the actor handles each
/// at once, so only a flood fills it.
const COMMANDS: usize = 128;
/// Messages that may wait to be sent, whatever their length. When it is full, sending waits.
const MESSAGES: usize = 4096;
/// Events that may wait to be read, besides messages. See [`DirectEnd::Unread`](super::DirectEnd::Unread).
const EVENTS: usize = 64;

/// A handle to a direct connection. Cloning is cheap; when the last handle is dropped, the connection closes.
///
/// The owner of the two connections carries the signals of each to the other one.
///
/// # Examples
///
/// ```
/// use socketio_p2p_client::direct::{
///     ChannelMessage, DirectConfig, DirectConnection, DirectEvent, Signal,
/// };
/// use tokio_util::task::TaskTracker;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // Both sides are in this process, and carry their signals themselves.
/// let mut config = DirectConfig::default();
/// config.bind = vec!["127.0.0.1:0".parse()?];
/// config.mdns = false;
/// let tasks = TaskTracker::new();
/// let (alice, mut alices) = DirectConnection::offer(config.clone(), &tasks);
/// let (bob, mut bobs) = DirectConnection::answer(config, &tasks);
///
/// loop {
///     tokio::select! {
///         Some(event) = alices.recv() => match event {
///             // As JSON, as it would travel between two machines.
///             DirectEvent::Signal(signal) => bob.signal(Signal::from_value(&signal.to_value())?)?,
///             DirectEvent::Open => alice.send("hello").await?,
///             _ => {}
///         },
///         Some(event) = bobs.recv() => match event {
///             DirectEvent::Signal(signal) => alice.signal(signal)?,
///             DirectEvent::Message(message) => {
///                 assert_eq!(message, ChannelMessage::from("hello"));
///                 break;
///             }
///             _ => {}
///         },
///     }
/// }
/// # drop(bobs);
/// alice.close().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct DirectConnection {
    role: Role,
    shared: Arc<ConnectionShared>,
    commands: mpsc::Sender<Command>,
    messages: mpsc::Sender<Outgoing>,
}

impl DirectConnection {
    /// Starts a connection in which this side makes the offer. Its first event is the signal of the offer, after the
    /// [`DirectEvent::IceWarning`](super::DirectEvent::IceWarning)s, if there are any.
    ///
    /// The tasks of the connection are among `tasks`, and none of them is left after
    /// [`DirectEvent::Closed`](super::DirectEvent::Closed).
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    pub fn offer(config: DirectConfig, tasks: &TaskTracker) -> (Self, DirectEvents) {
        Self::start(Role::Offerer, config, tasks)
    }

    /// Starts a connection in which the partner makes the offer. It waits for the signal of the offer.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    pub fn answer(config: DirectConfig, tasks: &TaskTracker) -> (Self, DirectEvents) {
        Self::start(Role::Answerer, config, tasks)
    }

    fn start(role: Role, config: DirectConfig, tasks: &TaskTracker) -> (Self, DirectEvents) {
        let config = config.bounded();
        let (commands, requests) = mpsc::channel(COMMANDS);
        let (messages, outgoing) = mpsc::channel(MESSAGES);
        let (events, reports) = mpsc::channel(EVENTS);
        let shared = Arc::new(ConnectionShared::new(config.send_buffer_bytes));
        let handles = actor::Handles { shared: Arc::clone(&shared), events, requests, outgoing };
        tasks.spawn(actor::run(role, config, tasks.clone(), handles));
        let reader = DirectEvents::new(Arc::clone(&shared), reports);
        (Self { role, shared, commands, messages }, reader)
    }

    /// Takes a signal of the partner. Its attempt does not matter. Candidates wait for their description.
    ///
    /// A later offer of the partner's connection, also one that restarts ICE, is answered by a further
    /// [`DirectEvent::Signal`](super::DirectEvent::Signal). Of an ICE restart that fails, the connection ends.
    ///
    /// # Errors
    ///
    /// The signal was not taken; the connection continues without it. A description that WebRTC itself cannot
    /// use ends the connection with [`DirectEnd::Refused`](super::DirectEnd::Refused).
    pub fn signal(&self, signal: Signal) -> Result<(), DirectSignalError> {
        let request = Request::of(signal.step)?;
        let mut descriptions = self.shared.descriptions();
        if !descriptions.takes(self.role, &request) {
            return Err(DirectSignalError::Unexpected);
        }
        self.commands.try_send(Command::Signal(request.clone())).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => DirectSignalError::Overrun,
            mpsc::error::TrySendError::Closed(_) => DirectSignalError::Closed,
        })?;
        descriptions.taken(&request);
        Ok(())
    }

    /// Puts a message for the main channel into the send buffer, once the buffer has room.
    ///
    /// # Errors
    ///
    /// [`DirectSendError::NotOpen`], [`DirectSendError::Empty`] and [`DirectSendError::TooLong`] at once,
    /// [`DirectSendError::Closed`] also while this waits; the message was not sent then.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: if this does not resolve, the message was not sent.
    pub async fn send(&self, message: impl Into<ChannelMessage>) -> Result<(), DirectSendError> {
        let message = message.into();
        let weight = self.weigh(&message)?;
        let room = self.shared.room.acquire_many(weight).await;
        let room = room.map_err(|_| DirectSendError::Closed)?;
        let place = self.messages.reserve().await.map_err(|_| DirectSendError::Closed)?;
        self.put(message, weight, room, place)
    }

    /// Puts a message for the main channel into the send buffer, if the buffer has room.
    ///
    /// # Errors
    ///
    /// [`DirectSendError::Full`] if the buffer has no room, and the errors of [`Self::send`], at once.
    pub fn try_send(&self, message: impl Into<ChannelMessage>) -> Result<(), DirectSendError> {
        let message = message.into();
        let weight = self.weigh(&message)?;
        let room = self.shared.room.try_acquire_many(weight).map_err(|error| match error {
            TryAcquireError::NoPermits => DirectSendError::Full,
            TryAcquireError::Closed => DirectSendError::Closed,
        })?;
        let place = self.messages.try_reserve().map_err(|error| match error {
            mpsc::error::TrySendError::Full(()) => DirectSendError::Full,
            mpsc::error::TrySendError::Closed(()) => DirectSendError::Closed,
        })?;
        self.put(message, weight, room, place)
    }

    /// Returns the room that a message takes, or the reason why it may not be sent now.
    fn weigh(&self, message: &ChannelMessage) -> Result<u32, DirectSendError> {
        if self.shared.stop.is_cancelled() || self.shared.end.get().is_some() {
            return Err(DirectSendError::Closed);
        }
        let channels = self.shared.channels.get().ok_or(DirectSendError::NotOpen)?;
        channels.check(message)?;
        Ok(self.shared.weight(message))
    }

    /// Hands a message to the channel if no message is before it, which saves waking the actor. Otherwise hands
    /// it to the actor.
    fn put(
        &self,
        message: ChannelMessage,
        weight: u32,
        room: SemaphorePermit<'_>,
        place: mpsc::Permit<'_, Outgoing>,
    ) -> Result<(), DirectSendError> {
        let shared = &self.shared;
        let _order = shared.order();
        if self.messages.is_closed() {
            return Err(DirectSendError::Closed);
        }
        let is_first = shared.room.available_permits() + weight as usize == shared.send_buffer;
        let main = shared.main.get().filter(|_| is_first).and_then(WeakChannel::upgrade);
        let Some(main) = main else {
            place.send(Outgoing::Message(message));
            room.forget(); // The actor gives it back when the message has left.
            return Ok(());
        };
        let mut sending = Box::pin(async move { main.send(message).await });
        match sending.as_mut().now_or_never() {
            Some(sent) => sent.inspect_err(|_| shared.left.cancel()),
            None => {
                place.send(Outgoing::Begun(sending, weight));
                room.forget();
                Ok(())
            }
        }
    }

    /// Returns the number of bytes that wait to be sent, besides those in flight.
    pub fn buffered(&self) -> usize {
        self.shared.send_buffer.saturating_sub(self.shared.room.available_permits())
    }

    /// Returns the least of the last eight round trips on the path in use, once the connection is open.
    pub fn round_trip(&self) -> Option<Duration> {
        self.shared.channels.get().and_then(|channels| channels.round_trip())
    }

    /// Returns the traffic over raw channels, which no event reports, once the connection is open.
    pub(crate) fn traffic(&self) -> Option<&Traffic> {
        self.shared.channels.get().map(|channels| &channels.traffic)
    }

    /// Opens a raw channel to the partner, which gets it by
    /// [`DirectEvent::Channel`](super::DirectEvent::Channel).
    ///
    /// On a network that loses datagrams, a channel may open after several seconds where others have been closed, and
    /// the repeated closing of one may close another that was opened within the next second or so: rtc-sctp 0.21.1
    /// answers a closing once, and carries out a repeated one again. Keep a channel open rather than open many.
    ///
    /// # Errors
    ///
    /// [`ChannelError::Options`] and [`ChannelError::NotOpen`]; [`ChannelError::TooMany`] if 64 channels are
    /// open, those of the partner and the main channel included; [`ChannelError::Timeout`] if the partner does
    /// not confirm the channel within 10 s; [`ChannelError::Closed`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: if the caller does not wait for the channel, it is closed again.
    pub async fn open(
        &self,
        label: impl Into<String>,
        options: ChannelOptions,
    ) -> Result<DirectChannel, ChannelError> {
        let label = label.into();
        if !options.are_possible(&label) {
            return Err(ChannelError::Options);
        }
        let (answer, answered) = oneshot::channel();
        let command = Command::Open { label, options, answer };
        self.commands.send(command).await.map_err(|_| ChannelError::Closed)?;
        answered.await.unwrap_or(Err(ChannelError::Closed))
    }

    /// Closes the connection, the main channel first. This waits until everything that was sent has arrived, and
    /// a partner that runs this library has read it, for at most [`DirectConfig::linger`]. It does not wait for
    /// raw channels that are still held: close those first. When this returns, nothing of the connection is
    /// left.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the connection is closed all the same.
    pub async fn close(&self) {
        self.shared.stop.cancel();
        self.shared.ended.cancelled().await;
    }
}

impl fmt::Debug for DirectConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectConnection")
            .field("is_open", &self.shared.main.get().is_some())
            .field("end", &self.shared.end.get())
            .finish_non_exhaustive()
    }
}
