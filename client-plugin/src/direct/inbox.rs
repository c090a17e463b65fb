//! What has come over a raw channel and nobody has read yet, and what may be sent over it.
//!
//! webrtc's driver hands out nothing of any channel while one channel's queue of 256 events is full:
//! one that nobody reads would hold up all others, the session's and its heartbeats. So each raw
//! channel has a [`pump`](super::pump::pump), which takes what comes at once, and an [`Inbox`], where it
//! waits for its reader.
//!
//! ```text
//! driver ─▶ 256 events ─▶ pump ─▶ Inbox ─▶ DirectChannel::recv
//!                          │ ▲       │
//!        an empty message ◀┘ └───────┘ a quarter of the window was read
//! ```
//!
//! A partner of ours sends no more than fits. Both descriptions name the window of their channels
//! (`a=x-channel-window`); whoever sends counts each message down from it, and waits when nothing is
//! left; whoever has read a quarter of it gives that back, by an empty message on the channel itself.
//! These are in the order of the channel or not, and add up all the same; they need no name for the
//! channel, of which the two ends have none in common, and they end with it.
//!
//! Nor does either end close a channel while the other sends on it, if both count: what SCTP has of it
//! then is read by nobody, and takes its part of the receive buffer, up to all of it, as long as the
//! connection lives. It sends an empty text as its last message; the other end has then received all
//! there is, closes the channel, and what it had under way is still taken here.
//!
//! A channel that may lose messages is not counted: what does not fit is one more that is lost. The
//! end that accepts it cannot see that from webrtc 0.21, so its protocol says so ([`LOSSY`]).

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::error::{ChannelEnd, DirectSendError};
use super::link::Link;
use super::message::ChannelMessage;
use super::stack::MAX_MESSAGE;

/// How many channels a connection may have. The partner's next one is closed at once.
pub(crate) const MAX_CHANNELS: usize = 64;
/// How many channels it may have in all, those included that are on their way to be closed. Beyond that
/// the connection ends.
pub(crate) const MAX_INBOXES: usize = 4 * MAX_CHANNELS;
/// What a partner of ours may have sent over a channel and not been read, in bytes. As much as is in
/// flight at most, so that it slows down nobody whose reader keeps up.
pub(crate) const WINDOW: usize = 1 << 20;
/// Windows that are smaller would cost more messages than they save memory.
const LEAST_WINDOW: usize = 16 << 10;
/// The part of a window that is given back at a time.
const PART: usize = 4;
/// What a message counts beside its length, in bytes: about what the queues around it take, so that a
/// flood of short ones is bounded as well.
const OVERHEAD: usize = 128;
/// What a channel may hold unread of a partner that does not count, a browser, in bytes. Then it is
/// closed.
const MAX_UNREAD: usize = 8 << 20;
/// What all channels of a connection may hold, in bytes: as much as partners that count can send.
/// Beyond that, a channel is closed that holds more than its share.
const MAX_UNREAD_IN_ALL: usize = MAX_CHANNELS * SHARE;
/// The last message may exceed the window.
const SHARE: usize = WINDOW + MAX_MESSAGE + OVERHEAD;
/// Of a partner that does not count, a channel is closed when nothing has come for so long and two round
/// trips.
const QUIET: Duration = Duration::from_millis(20);
/// How long a partner that counts may take to close a channel that this end has left. Then it is closed
/// as if it did not count.
const FAREWELL: Duration = Duration::from_secs(5);
/// How long closing a channel waits for that, at most. The pump still does it afterwards.
const PATIENCE: Duration = Duration::from_secs(1);

/// At the end of a channel's protocol: it may lose messages.
pub(crate) const LOSSY: &str = ";x-lossy";

/// Whether windows of this length are counted: what a partner says for its own, or nothing.
pub(crate) const fn is_counted(window: usize) -> bool {
    window >= LEAST_WINDOW
}

/// One raw channel, from where it comes to where it is read.
pub(crate) struct Inbox {
    pub(super) link: Arc<Link>,
    /// What the partner's window holds, if both ends count.
    partner_window: Option<usize>,
    is_lossy: bool,
    state: Mutex<State>,
    /// For whoever reads.
    arrived: Notify,
    /// For whoever sends, opens or closes.
    changed: Notify,
    /// For the pump.
    pub(super) stirred: Notify,
}

#[derive(Default)]
struct State {
    messages: VecDeque<ChannelMessage>,
    /// What they count.
    unread: usize,
    /// What was read and not given back yet.
    owed: usize,
    /// What may be sent; below zero by the message that exceeded it.
    credit: i64,
    is_open: bool,
    /// Nobody reads any more.
    is_abandoned: bool,
    /// This end closes it, for this reason; and since when it has asked for that, or done it.
    leaving: Option<ChannelEnd>,
    left_at: Option<Instant>,
    /// The partner has sent its last message.
    is_over: bool,
    is_closed: bool,
    end: Option<ChannelEnd>,
}

/// What a pump has to do besides.
pub(super) struct Duties {
    pub(super) grants: usize,
    pub(super) leaves: bool,
    pub(super) closes_at: Option<Instant>,
}

impl Inbox {
    pub(crate) fn new(link: Arc<Link>, is_lossy: bool) -> Self {
        let partner_window = link.partner_window().filter(|_| !is_lossy);
        let credit = partner_window.map_or(0, |window| i64::try_from(window).unwrap_or(i64::MAX));
        link.inboxes.fetch_add(1, Ordering::Relaxed);
        let state = Mutex::new(State { credit, ..State::default() });
        Self {
            link,
            partner_window,
            is_lossy,
            state,
            arrived: Notify::new(),
            changed: Notify::new(),
            stirred: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next message, or nothing at the end. Cancel safe.
    pub(crate) async fn take(&self) -> Option<ChannelMessage> {
        until(&self.arrived, || {
            let mut state = self.state();
            let Some(message) = state.messages.pop_front() else {
                return state.end.is_some().then_some(None);
            };
            let weight = weight(&message);
            self.forget(&mut state, weight);
            state.owed += weight;
            if state.owed >= WINDOW / PART && self.partner_window.is_some() {
                self.stirred.notify_one();
            }
            Some(Some(message))
        })
        .await
    }

    /// Waits until the partner's window has room for such a message. It is given back unless
    /// [`Spent::for_good`].
    pub(crate) async fn spend(&self, length: usize) -> Result<Spent<'_>, DirectSendError> {
        let weight = i64::try_from(length + OVERHEAD).unwrap_or(i64::MAX);
        until(&self.changed, || {
            let mut state = self.state();
            if state.end.is_some() || state.leaving.is_some() {
                return Some(Err(DirectSendError::Closed));
            }
            if self.partner_window.is_some() {
                if state.credit <= 0 {
                    return None;
                }
                state.credit -= weight;
            }
            Some(Ok(Spent { inbox: self, weight }))
        })
        .await
    }

    /// Waits until the partner has confirmed the channel.
    pub(crate) async fn opened(&self) -> Result<(), DirectSendError> {
        until(&self.changed, || {
            let state = self.state();
            match state.end {
                Some(_) => Some(Err(DirectSendError::Closed)),
                None => state.is_open.then_some(Ok(())),
            }
        })
        .await
    }

    /// Why there is no more to come, once that is known.
    pub(crate) fn end(&self) -> Option<ChannelEnd> {
        self.state().end
    }

    /// Nobody reads any more: what is there and what comes is dropped.
    pub(crate) fn abandon(&self) {
        let mut state = self.state();
        state.is_abandoned = true;
        self.clear(&mut state);
    }

    /// Closes the channel, as soon as nothing comes any more; waits for that for a while.
    pub(crate) async fn close(&self) {
        self.leave(ChannelEnd::Here);
        let left = until(&self.changed, || {
            let state = self.state();
            (state.left_at.is_some() || state.end.is_some()).then_some(())
        });
        tokio::time::timeout(PATIENCE, left).await.ok();
    }

    pub(crate) fn leave(&self, why: ChannelEnd) {
        self.state().leaving.get_or_insert(why);
        self.changed.notify_waiters();
        self.stirred.notify_one();
    }

    /// What is to be done, if the last message came then.
    pub(super) fn duties(&self, came_at: Option<Instant>) -> Duties {
        let mut state = self.state();
        let counts = self.partner_window.is_some();
        let mut duties = Duties { grants: 0, leaves: false, closes_at: None };
        if state.is_closed {
            return duties;
        }
        if state.is_over {
            duties.closes_at = Some(Instant::now());
        } else if state.leaving.is_none() {
            if counts {
                duties.grants = state.owed / (WINDOW / PART);
                state.owed %= WINDOW / PART;
            }
        } else {
            let quiet_at = came_at.map_or_else(Instant::now, |at| at + self.link.quiet(QUIET));
            duties.leaves = counts && state.left_at.is_none();
            duties.closes_at = match state.left_at {
                Some(at) => Some(quiet_at.max(at + FAREWELL)),
                None => (!counts).then_some(quiet_at),
            };
        }
        duties
    }

    /// A message came.
    pub(super) fn put(&self, message: ChannelMessage) {
        self.link.count_received();
        let mut state = self.state();
        if message.is_empty()
            && let Some(window) = self.partner_window
        {
            if matches!(message, ChannelMessage::Text(_)) {
                state.is_over = true;
                state.end.get_or_insert(ChannelEnd::Partner);
                self.arrived.notify_waiters();
            } else {
                let part = i64::try_from(window / PART).unwrap_or(i64::MAX);
                state.credit = state.credit.saturating_add(part);
            }
            drop(state);
            self.changed.notify_waiters();
            return;
        }
        if state.is_abandoned || state.end.is_some() {
            return;
        }
        let weight = weight(&message);
        if self.is_lossy && state.unread + weight > SHARE {
            tracing::trace!("a message that nobody reads is lost, as the channel allows");
            return;
        }
        let in_all = self.link.unread.load(Ordering::Relaxed) + weight;
        if state.unread + weight > MAX_UNREAD
            || (in_all > MAX_UNREAD_IN_ALL && state.unread + weight > SHARE)
        {
            tracing::warn!(unread = state.unread, in_all, "a channel that nobody reads is closed");
            self.clear(&mut state);
            state.end = Some(ChannelEnd::Unread);
            drop(state);
            self.leave(ChannelEnd::Unread);
            self.arrived.notify_waiters();
            return;
        }
        state.messages.push_back(message);
        state.unread += weight;
        self.link.unread.fetch_add(weight, Ordering::Relaxed);
        drop(state);
        self.arrived.notify_one();
    }

    pub(super) fn confirmed(&self) {
        self.state().is_open = true;
        self.changed.notify_waiters();
    }

    /// This end has said its last, or closed the channel.
    pub(super) fn left(&self, closed: bool) {
        let mut state = self.state();
        state.left_at.get_or_insert_with(Instant::now);
        state.is_closed |= closed;
        drop(state);
        self.changed.notify_waiters();
    }

    pub(super) fn ended(&self, seen: ChannelEnd) {
        let mut state = self.state();
        let end = state.leaving.filter(|_| state.left_at.is_some()).unwrap_or(seen);
        state.end.get_or_insert(end);
        drop(state);
        self.changed.notify_waiters();
        self.arrived.notify_waiters();
    }

    fn clear(&self, state: &mut State) {
        state.messages = VecDeque::new();
        let unread = state.unread;
        self.forget(state, unread);
    }

    fn forget(&self, state: &mut State, weight: usize) {
        state.unread -= weight;
        self.link.unread.fetch_sub(weight, Ordering::Relaxed);
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.abandon();
        self.link.inboxes.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Room in the partner's window for a message that is about to be sent.
#[must_use]
pub(crate) struct Spent<'a> {
    inbox: &'a Inbox,
    weight: i64,
}

impl Spent<'_> {
    /// It was sent.
    pub(crate) fn for_good(mut self) {
        self.weight = 0;
    }
}

impl Drop for Spent<'_> {
    fn drop(&mut self) {
        if self.weight > 0 {
            let mut state = self.inbox.state();
            state.credit = state.credit.saturating_add(self.weight);
            drop(state);
            self.inbox.changed.notify_waiters();
        }
    }
}

/// What a message counts, at either end.
fn weight(message: &ChannelMessage) -> usize {
    message.len() + OVERHEAD
}

/// Waits until something is found; looked for again whenever `notify` says so. Cancel safe.
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
