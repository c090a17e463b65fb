//! One end of a raw channel: the messages that were not read, around the credit of the protocol crate.
//!
//! webrtc's driver hands out nothing of any channel while one channel's queue of 256 events is full. A channel
//! that is not read would hold up all others, the session's and its heartbeats. So each raw channel has a
//! [`pump`](super::pump::pump), which takes what comes at once, and an [`Inbox`], where it waits for its
//! reader.
//!
//! ```text
//! driver ─▶ 256 events ─▶ pump ─▶ Inbox ─▶ DirectChannel::recv
//!                          │ ▲       │
//!        an empty message ◀┘ └───────┘ a quarter of the window was read
//! ```

use std::cmp::Ordering::{Equal, Greater, Less};
use std::collections::VecDeque;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use socketio_p2p_protocol::peer::channel::{
    Arrival, Carriage, Channel, ChannelEnd, Input, Output, Pieces, SpendError,
};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::channels::Channels;
use super::error::DirectSendError;
use super::message::{ChannelMessage, joined};

/// Time that closing a channel waits for the last message to be sent, at most. The pump still sends it
/// afterwards.
const PATIENCE: Duration = Duration::from_secs(1);

/// One end of a raw channel.
pub(crate) struct Inbox {
    pub(super) channels: Arc<Channels>,
    state: Mutex<InboxState>,
    /// Wakes the reader.
    arrived: Notify,
    /// Wakes the callers that send or close.
    changed: Notify,
    /// Wakes the pump.
    pub(super) stirred: Notify,
}

struct InboxState {
    channel: Channel,
    messages: VecDeque<ChannelMessage>,
    /// Pieces that have come, if messages travel in pieces.
    pieces: Option<Pieces>,
}

impl Inbox {
    pub(crate) fn new(channels: Arc<Channels>, carriage: Carriage) -> Self {
        channels.raw.fetch_add(1, Ordering::Relaxed);
        let channel = Channel::new(channels.partner_window(), carriage.is_lossy());
        let pieces = match carriage {
            Carriage::Pieces { in_order } => Some(Pieces::new(in_order)),
            Carriage::Reliable | Carriage::Lossy => None,
        };
        let messages = VecDeque::new();
        Self {
            channels,
            state: Mutex::new(InboxState { channel, messages, pieces }),
            arrived: Notify::new(),
            changed: Notify::new(),
            stirred: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, InboxState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an input, and drops messages that are not read any more.
    fn handle(&self, input: Input) {
        let mut state = self.state();
        let before = state.channel.unread();
        state.channel.handle(input, Instant::now());
        self.settle(&mut state, before);
    }

    /// Brings the messages and the total of the connection in line with the channel.
    fn settle(&self, state: &mut InboxState, before: usize) {
        let after = state.channel.unread();
        if after == 0 && !state.messages.is_empty() {
            state.messages = VecDeque::new();
        }
        match after.cmp(&before) {
            Less => self.channels.unread.fetch_sub(before - after, Ordering::Relaxed),
            Equal => return,
            Greater => self.channels.unread.fetch_add(after - before, Ordering::Relaxed),
        };
    }

    /// Returns the next message, or `None` at the end. Cancel safe.
    pub(crate) async fn take(&self) -> Option<ChannelMessage> {
        until(&self.arrived, || {
            let mut state = self.state();
            let Some(message) = state.messages.pop_front() else {
                return state.channel.end().is_some().then_some(None);
            };
            let before = state.channel.unread();
            let has_duty = state.channel.read(message.len());
            self.settle(&mut state, before);
            if has_duty {
                self.stirred.notify_one();
            }
            Some(Some(message))
        })
        .await
    }

    /// Counts a message of this length, once the partner's window has room for it. [`Self::refund`] undoes it.
    /// Cancel safe.
    pub(crate) async fn spend(&self, len: usize) -> Result<(), DirectSendError> {
        until(&self.changed, || self.try_spend(len)).await
    }

    /// Counts a message of this length. Returns `None` if it has to wait.
    pub(crate) fn try_spend(&self, len: usize) -> Option<Result<(), DirectSendError>> {
        match self.state().channel.spend(len) {
            Ok(()) => Some(Ok(())),
            Err(SpendError::Full) => None,
            Err(SpendError::Closed) => Some(Err(DirectSendError::Closed)),
        }
    }

    /// Takes back what was counted for a message that was not sent.
    pub(crate) fn refund(&self, len: usize) {
        self.state().channel.refund(len);
        self.changed.notify_waiters();
    }

    /// Returns the reason why nothing more comes, once that is known.
    pub(crate) fn end(&self) -> Option<ChannelEnd> {
        self.state().channel.end()
    }

    /// Drops what waits to be read and what will come: the application holds the channel no more.
    pub(crate) fn abandon(&self) {
        self.handle(Input::Abandoned);
    }

    /// Closes the channel as soon as nothing comes any more, and waits for that for a while.
    pub(crate) async fn close(&self) {
        self.leave(ChannelEnd::Here);
        let left = until(&self.changed, || self.state().channel.has_left().then_some(()));
        timeout(PATIENCE, left).await.ok();
    }

    fn leave(&self, reason: ChannelEnd) {
        self.handle(Input::Leave(reason));
        self.changed.notify_waiters();
        self.stirred.notify_one();
    }

    /// Takes a message that came.
    pub(super) fn put(&self, message: ChannelMessage) {
        self.channels.traffic.count_received();
        let mut state = self.state();
        let message = match &mut state.pieces {
            Some(pieces) => match pieces.received(message.into_bytes()) {
                Some((kind, bytes)) => joined(kind, bytes),
                None => return,
            },
            None => message,
        };
        let kind = message.kind();
        let before = state.channel.unread();
        let in_all = self.channels.unread.load(Ordering::Relaxed);
        let arrival = state.channel.received(kind, message.len(), in_all, Instant::now());
        self.settle(&mut state, before);
        match arrival {
            Arrival::Kept => {
                state.messages.push_back(message);
                drop(state);
                self.arrived.notify_one();
            }
            Arrival::Lost => tracing::trace!("a message of a channel is lost"),
            Arrival::Credit => {
                drop(state);
                self.changed.notify_waiters();
            }
            Arrival::PartnerLeft => {
                drop(state);
                self.arrived.notify_waiters();
                self.changed.notify_waiters();
            }
            Arrival::Overflowed => {
                drop(state);
                tracing::warn!(unread = before, in_all, "a channel that is not read is closed");
                self.arrived.notify_waiters();
                self.changed.notify_waiters();
            }
        }
    }

    /// Returns the next duty of the pump, or the time of [`Self::time_out`].
    pub(super) fn duty(&self) -> Result<Output, Option<Instant>> {
        let mut state = self.state();
        if let Some(output) = state.channel.poll_output() {
            return Ok(output);
        }
        let is_ending = state.channel.is_ending();
        Err(is_ending
            .then(|| state.channel.poll_timeout(Instant::now(), self.round_trip()))
            .flatten())
    }

    pub(super) fn time_out(&self) {
        self.handle(Input::Timeout(self.round_trip()));
    }

    /// Reports what the pump has done or seen of the channel's end.
    pub(super) fn report(&self, input: Input) {
        self.handle(input);
        self.changed.notify_waiters();
        self.arrived.notify_waiters();
    }

    fn round_trip(&self) -> Duration {
        self.channels.round_trip().unwrap_or_default()
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.abandon();
        self.channels.raw.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Waits until something is found, and looks again at each notification. Cancel safe.
async fn until<T>(notify: &Notify, mut look: impl FnMut() -> Option<T>) -> T {
    loop {
        if let Some(found) = look() {
            return found;
        }
        let mut notified = pin!(notify.notified());
        notified.as_mut().enable();
        if let Some(found) = look() {
            return found;
        }
        notified.await;
    }
}
