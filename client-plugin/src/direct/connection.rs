//! A direct connection as its user holds it: a handle to send and steer, and its events.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use serde_json::Value;
use socketio_p2p_protocol::Step;
use tokio::sync::{Semaphore, SemaphorePermit, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::channel::{DirectChannel, WeakChannel};
use super::config::DirectConfig;
use super::error::{ChannelError, DirectEnd, DirectSendError, SignalError};
use super::link::Link;
use super::message::{ChannelMessage, ChannelOptions};
use super::owner::{Owner, Role};
use super::signal::{self, Asked};

/// How many signals and requests may wait for the owner. When it is full they are refused: its task
/// handles each at once, so only a flood fills it.
const COMMANDS: usize = 128;
/// How many messages may wait to be sent, whatever their length. When it is full, sending waits.
const MESSAGES: usize = 4096;
/// How many events may wait to be read besides messages. See [`DirectEnd::Unread`].
const EVENTS: usize = 64;

/// Something happened on a direct connection.
#[derive(Debug)]
#[non_exhaustive]
pub enum DirectEvent {
    /// To be carried to the partner's end, in this order: simple-peer's JSON.
    Signal(Value),
    /// The main channel is open: messages may be sent.
    Open,
    /// A message of the partner on the main channel.
    Message(ChannelMessage),
    /// The partner opened a raw channel.
    Channel(DirectChannel),
    /// Nothing was heard from the partner for a while: it, or the path, may be gone.
    Silent,
    /// Something was heard again.
    Heard,
    /// The end, and the last event.
    Closed(DirectEnd),
}

/// What the owner tells the events' reader.
#[derive(Debug)]
pub(crate) enum Happened {
    Event(DirectEvent),
    Opened(DirectChannel),
}

/// What the owner is asked.
pub(crate) enum Command {
    Signal(Asked),
    Open {
        label: String,
        options: ChannelOptions,
        answer: oneshot::Sender<Result<DirectChannel, ChannelError>>,
    },
}

/// What waits for the owner to send it.
pub(crate) enum Outgoing {
    Message(ChannelMessage),
    /// What its sender has begun, and the room that it takes.
    Begun(Pin<Box<dyn Future<Output = Result<(), DirectSendError>> + Send>>, u32),
}

/// What both halves and the owner see.
pub(crate) struct Shared {
    /// Asks the owner to close.
    pub(crate) stop: CancellationToken,
    /// The main channel was seen closed by whoever reads or writes it.
    pub(crate) left: CancellationToken,
    /// Nobody reads the events any more.
    pub(crate) unheard: CancellationToken,
    /// The owner and all of its connection is gone.
    pub(crate) ended: CancellationToken,
    pub(crate) end: OnceLock<DirectEnd>,
    /// Set when the main channel is open, which lasts as long as its connection.
    pub(crate) main: OnceLock<WeakChannel>,
    /// The same for what all channels share.
    pub(crate) link: OnceLock<Arc<Link>>,
    /// Bytes of room for messages that wait to be sent.
    pub(crate) room: Semaphore,
    /// Held by who puts a message somewhere: one that is begun, and holds up the channel, stays before
    /// those that come after it.
    order: Mutex<()>,
    send_buffer: usize,
}

/// A handle to a direct connection. Cheap to clone; when the last one is dropped, the connection
/// closes.
#[derive(Clone)]
pub struct DirectConnection {
    shared: Arc<Shared>,
    commands: mpsc::Sender<Command>,
    messages: mpsc::Sender<Outgoing>,
}

/// The events of a direct connection. Its reader holds up the partner, on all channels, while it does
/// not read. Dropped, it holds up nobody: what comes is dropped as well.
pub struct DirectEvents {
    shared: Arc<Shared>,
    happened: mpsc::Receiver<Happened>,
    main: Option<DirectChannel>,
    is_over: bool,
}

impl DirectConnection {
    /// Starts a connection to which this end invites. Its first event is the offer's signal.
    ///
    /// Its tasks are among `tasks`, and none of them is left after [`DirectEvent::Closed`].
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    pub fn offer(config: DirectConfig, tasks: &TaskTracker) -> (Self, DirectEvents) {
        Self::start(Role::Offerer, config, tasks)
    }

    /// Starts a connection to which the partner invites. It waits for the offer's signal.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    pub fn answer(config: DirectConfig, tasks: &TaskTracker) -> (Self, DirectEvents) {
        Self::start(Role::Answerer, config, tasks)
    }

    fn start(role: Role, config: DirectConfig, tasks: &TaskTracker) -> (Self, DirectEvents) {
        let (commands, asked) = mpsc::channel(COMMANDS);
        let (messages, outgoing) = mpsc::channel(MESSAGES);
        let (events, happened) = mpsc::channel(EVENTS);
        let send_buffer = config.send_buffer_bytes.clamp(1, Semaphore::MAX_PERMITS);
        let shared = Arc::new(Shared {
            stop: CancellationToken::new(),
            left: CancellationToken::new(),
            unheard: CancellationToken::new(),
            ended: CancellationToken::new(),
            end: OnceLock::new(),
            main: OnceLock::new(),
            link: OnceLock::new(),
            room: Semaphore::new(send_buffer),
            order: Mutex::new(()),
            send_buffer,
        });
        let owner = Owner::new(role, config, tasks.clone(), Arc::clone(&shared), events);
        tasks.spawn(owner.run(asked, outgoing));
        let reader =
            DirectEvents { shared: Arc::clone(&shared), happened, main: None, is_over: false };
        (Self { shared, commands, messages }, reader)
    }

    /// Takes a signal of the partner. Order matters little: candidates wait for their description.
    ///
    /// # Errors
    ///
    /// The signal was not taken; the connection goes on without it. A description that WebRTC itself
    /// cannot use ends the connection with [`DirectEnd::Refused`].
    pub fn signal(&self, signal: &Value) -> Result<(), SignalError> {
        self.step(&signal::read(signal)?)
    }

    /// The same, of a signal that was read already.
    pub(crate) fn step(&self, step: &Step) -> Result<(), SignalError> {
        let asked = Asked::of(step)?;
        self.commands.try_send(Command::Signal(asked)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => SignalError::Overrun,
            mpsc::error::TrySendError::Closed(_) => SignalError::Closed,
        })
    }

    /// Puts a message for the main channel into the send buffer, once that has room.
    ///
    /// # Errors
    ///
    /// [`DirectSendError::NotOpen`], [`DirectSendError::Empty`] and [`DirectSendError::TooLong`] at once,
    /// [`DirectSendError::Closed`] also while this waits; it was not sent then.
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

    /// Puts a message for the main channel into the send buffer, if that has room.
    ///
    /// # Errors
    ///
    /// [`DirectSendError::Full`] if not; otherwise as [`Self::send`], at once.
    pub fn try_send(&self, message: impl Into<ChannelMessage>) -> Result<(), DirectSendError> {
        let message = message.into();
        let weight = self.weigh(&message)?;
        let room = self.shared.room.try_acquire_many(weight).map_err(|error| match error {
            tokio::sync::TryAcquireError::NoPermits => DirectSendError::Full,
            tokio::sync::TryAcquireError::Closed => DirectSendError::Closed,
        })?;
        let place = self.messages.try_reserve().map_err(|error| match error {
            mpsc::error::TrySendError::Full(()) => DirectSendError::Full,
            mpsc::error::TrySendError::Closed(()) => DirectSendError::Closed,
        })?;
        self.put(message, weight, room, place)
    }

    /// Whether a message may be sent now, and what room it takes.
    fn weigh(&self, message: &ChannelMessage) -> Result<u32, DirectSendError> {
        if self.shared.stop.is_cancelled() || self.shared.end.get().is_some() {
            return Err(DirectSendError::Closed);
        }
        let link = self.shared.link.get().ok_or(DirectSendError::NotOpen)?;
        link.check(message)?;
        Ok(self.shared.weight(message))
    }

    /// Hands a message to the channel if nothing is before it, which saves waking the owner; or to the
    /// owner.
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
            room.forget(); // Given back by the owner, when the message has left.
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

    /// How many bytes wait to be sent, besides those in flight.
    pub fn buffered(&self) -> usize {
        self.shared.send_buffer.saturating_sub(self.shared.room.available_permits())
    }

    /// The least of the last round trips on the path in use, once it is open.
    pub fn round_trip(&self) -> Option<Duration> {
        self.shared.link.get().and_then(|link| link.round_trip())
    }

    /// How many messages have come over raw channels: a sign of life that nobody else sees.
    pub(crate) fn received_raw(&self) -> u64 {
        self.shared.link.get().map_or(0, |link| link.received())
    }

    /// Opens a raw channel to the partner, who hears of it by [`DirectEvent::Channel`].
    ///
    /// # Errors
    ///
    /// [`ChannelError::Options`] and [`ChannelError::NotOpen`]; [`ChannelError::TooMany`] if 64 are open,
    /// the partner's and the main channel included; [`ChannelError::Timeout`] if the partner does not
    /// confirm it within 10 s; [`ChannelError::Closed`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a channel that nobody waits for is closed again.
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

    /// Closes the connection, the main channel first, after what was sent has arrived, and was read by a
    /// partner of ours, or [`DirectConfig::linger`] is over. Raw channels that are still held are not waited
    /// for: close those first. Returns when nothing of it is left.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: it closes all the same.
    pub async fn close(&self) {
        self.shared.stop.cancel();
        self.shared.ended.cancelled().await;
    }
}

impl Shared {
    /// While this is held, nobody puts a message anywhere. Who stops sending holds it, too: one that is
    /// begun after that would be polled by nobody.
    pub(crate) fn order(&self) -> MutexGuard<'_, ()> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The room that a message takes. One that is longer than the buffer waits for all of it.
    pub(crate) fn weight(&self, message: &ChannelMessage) -> u32 {
        message.len().min(self.send_buffer).min(u32::MAX as usize) as u32
    }
}

impl DirectEvents {
    /// The next event; `None` after [`DirectEvent::Closed`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn recv(&mut self) -> Option<DirectEvent> {
        loop {
            let happened = match &self.main {
                Some(main) => tokio::select! {
                    happened = self.happened.recv() => happened,
                    message = main.recv() => match message {
                        Some(message) => return Some(DirectEvent::Message(message)),
                        None => {
                            self.main = None;
                            self.shared.left.cancel();
                            continue;
                        }
                    },
                },
                None => self.happened.recv().await,
            };
            match happened {
                Some(Happened::Event(event)) => return Some(event),
                Some(Happened::Opened(main)) => {
                    self.main = Some(main);
                    return Some(DirectEvent::Open);
                }
                None => return self.last(),
            }
        }
    }

    /// What has arrived before the end, then the end.
    fn last(&mut self) -> Option<DirectEvent> {
        if let Some(message) = self.main.as_ref().and_then(|main| main.recv().now_or_never()) {
            if let Some(message) = message {
                return Some(DirectEvent::Message(message));
            }
            self.main = None;
        }
        if std::mem::replace(&mut self.is_over, true) {
            return None;
        }
        self.main = None;
        Some(DirectEvent::Closed(self.shared.end.get().cloned().unwrap_or(DirectEnd::Here)))
    }
}

impl Drop for DirectEvents {
    fn drop(&mut self) {
        self.shared.unheard.cancel();
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

impl fmt::Debug for DirectEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectEvents").field("main", &self.main).finish_non_exhaustive()
    }
}
