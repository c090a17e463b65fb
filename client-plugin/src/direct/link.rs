//! What the channels of a connection share: the window, what the partner said of itself, who is to be
//! closed.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::Instant;
use tokio_util::sync::WaitForCancellationFuture;
use webrtc::data_channel::{DataChannel, RTCDataChannelState};

use super::error::DirectSendError;
use super::inbox::{Inbox, is_counted};
use super::message::ChannelMessage;
use super::runtime::Turns;
use super::stack::MAX_MESSAGE;
use super::window::{FLOOR, Window};

/// How long a sender waits at most before it looks again whether something was confirmed. The
/// driver's turns wake it before.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A channel is opened so long and two round trips after the last one has ended.
const REUSE: Duration = Duration::from_millis(50);

/// What the channels of a connection share.
pub(crate) struct Link {
    pub(crate) turns: Arc<Turns>,
    window: Mutex<Window>,
    window_bytes: AtomicUsize,
    /// The longest message that the partner takes.
    max_message: AtomicUsize,
    /// What the partner keeps of each of its raw channels unread; 0 if it does not count.
    partner_window: AtomicUsize,
    /// The main channel, by which a lost connection is told from a closed channel.
    main: OnceLock<Weak<dyn DataChannel>>,
    /// How many messages came over raw channels.
    received: AtomicU64,
    /// Since when no raw channel has ended.
    ended_at: Mutex<Option<Instant>>,
    /// What waits on all raw channels to be read, in bytes.
    pub(crate) unread: AtomicUsize,
    /// Dropped by everyone, and to be closed by the connection's owner, as long as that is there.
    abandoned: Mutex<Option<Vec<Abandoned>>>,
    /// Told when something was put there.
    pub(crate) abandonment: Notify,
    /// How many channels are open or being opened, this end's and the partner's: [`Slot`].
    pub(crate) open: AtomicUsize,
    /// How many raw ones there are, open or on their way to be closed.
    pub(crate) inboxes: AtomicUsize,
}

impl Link {
    pub(crate) fn new(turns: Arc<Turns>) -> Self {
        Self {
            turns,
            window: Mutex::default(),
            window_bytes: AtomicUsize::new(FLOOR),
            max_message: AtomicUsize::new(MAX_MESSAGE),
            partner_window: AtomicUsize::new(0),
            main: OnceLock::new(),
            received: AtomicU64::new(0),
            ended_at: Mutex::default(),
            unread: AtomicUsize::new(0),
            abandoned: Mutex::new(Some(Vec::new())),
            abandonment: Notify::new(),
            open: AtomicUsize::new(0),
            inboxes: AtomicUsize::new(0),
        }
    }

    /// Takes over what the partner said of itself.
    pub(crate) fn partner_takes(&self, max_message: usize, udp_buffer: usize, window: usize) {
        self.max_message.store(max_message.min(MAX_MESSAGE), Ordering::Relaxed);
        self.partner_window.store(window, Ordering::Relaxed);
        self.adjust(|window| window.partner_has(udp_buffer));
    }

    /// What the partner keeps of a raw channel unread, if it counts.
    pub(crate) fn partner_window(&self) -> Option<usize> {
        Some(self.partner_window.load(Ordering::Relaxed)).filter(|&window| is_counted(window))
    }

    /// A message came over a raw channel.
    pub(crate) fn count_received(&self) {
        self.received.fetch_add(1, Ordering::Relaxed);
    }

    /// How many messages came over raw channels.
    pub(crate) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    pub(crate) fn set_main(&self, channel: &Arc<dyn DataChannel>) {
        self.main.set(Arc::downgrade(channel)).ok();
    }

    /// Whether the partner has not closed the connection, nor its main channel.
    pub(crate) async fn is_living(&self) -> bool {
        let Some(main) = self.main.get().and_then(Weak::upgrade) else { return false };
        matches!(main.ready_state().await, Ok(RTCDataChannelState::Open))
    }

    /// This, and two round trips more.
    pub(crate) fn quiet(&self, least: Duration) -> Duration {
        least + 2 * self.round_trip().unwrap_or_default()
    }

    /// A raw channel has ended.
    pub(crate) fn has_ended(&self) {
        let mut ended_at = self.ended_at.lock().unwrap_or_else(PoisonError::into_inner);
        *ended_at = Some(Instant::now());
    }

    /// From when on a channel may be opened. It takes the number of one that has ended, and the two ends
    /// answer each other's closing once more: webrtc 0.21 takes that for the closing of the next one.
    pub(crate) fn opens_at(&self) -> Instant {
        let ended_at = *self.ended_at.lock().unwrap_or_else(PoisonError::into_inner);
        ended_at.map_or_else(Instant::now, |at| at + self.quiet(REUSE))
    }

    /// Waits until the driver is no more.
    pub(crate) fn gone(&self) -> WaitForCancellationFuture<'_> {
        self.turns.gone.cancelled()
    }

    pub(crate) fn measured(&self, round_trip: Duration) {
        self.adjust(|window| window.measured(round_trip));
    }

    pub(crate) fn round_trip(&self) -> Option<Duration> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner).round_trip()
    }

    fn adjust(&self, change: impl FnOnce(&mut Window)) {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut window);
        self.window_bytes.store(window.bytes(), Ordering::Relaxed);
    }

    /// Whether the partner takes such a message.
    pub(crate) fn check(&self, message: &ChannelMessage) -> Result<(), DirectSendError> {
        let (len, limit) = (message.len(), self.max_message());
        if len == 0 {
            return Err(DirectSendError::Empty);
        }
        if len > limit {
            return Err(DirectSendError::TooLong { len, limit });
        }
        Ok(())
    }

    /// How much may be in flight on a channel, in bytes.
    pub(crate) fn window_bytes(&self) -> usize {
        self.window_bytes.load(Ordering::Relaxed)
    }

    /// The longest message that the partner takes, in bytes.
    pub(crate) fn max_message(&self) -> usize {
        self.max_message.load(Ordering::Relaxed)
    }

    pub(crate) fn take_abandoned(&self) -> Vec<Abandoned> {
        let mut abandoned = self.abandoned.lock().unwrap_or_else(PoisonError::into_inner);
        abandoned.as_mut().map(std::mem::take).unwrap_or_default()
    }

    pub(crate) fn abandon(&self, channel: Abandoned) {
        let mut abandoned = self.abandoned.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(abandoned) = abandoned.as_mut() {
            abandoned.push(channel);
            self.abandonment.notify_one();
        }
    }

    /// Nobody closes channels any more. One that waited here for ever would hold this link, which
    /// holds it.
    pub(crate) fn forget_abandoned(&self) {
        let mut abandoned = self.abandoned.lock().unwrap_or_else(PoisonError::into_inner);
        let forgotten = abandoned.take();
        drop(abandoned);
        drop(forgotten);
    }
}

/// One of the channels that a connection may have.
pub(crate) struct Slot(Arc<Link>);

impl Slot {
    pub(crate) fn take(link: &Arc<Link>) -> Self {
        link.open.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(link))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A raw channel that nobody holds any more.
pub(crate) struct Abandoned {
    pub(crate) channel: Arc<dyn DataChannel>,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) turns: Arc<Turns>,
}

impl Abandoned {
    /// Closes it when what was sent has arrived. As long as that takes: its end might overtake what is
    /// under way where nothing orders them.
    pub(crate) async fn close(self) {
        delivered(&*self.channel, &self.turns).await.ok();
        self.inbox.close().await;
    }
}

/// Waits until everything that was sent over a channel has arrived.
pub(crate) async fn delivered(
    channel: &dyn DataChannel,
    turns: &Turns,
) -> Result<(), DirectSendError> {
    // What was sent a moment ago is in flight when the driver has taken it: in its next turn, or in the
    // one after, if the next ends one that is under way.
    for _ in 0..2 {
        wait_for(turns.next(), turns).await?;
    }
    loop {
        let turn = turns.next();
        if in_flight(channel, turns).await? == 0 {
            return Ok(());
        }
        wait_for(turn, turns).await?;
    }
}

/// How many bytes were sent and are not confirmed.
pub(crate) async fn in_flight(
    channel: &dyn DataChannel,
    turns: &Turns,
) -> Result<usize, DirectSendError> {
    if turns.gone.is_cancelled() {
        return Err(DirectSendError::Closed);
    }
    channel.outstanding_bytes().await.map_err(|_| DirectSendError::Closed)
}

/// Waits until something may have been confirmed.
pub(crate) async fn wait_for(turn: Notified<'_>, turns: &Turns) -> Result<(), DirectSendError> {
    tokio::select! {
        () = turn => Ok(()),
        () = tokio::time::sleep(LOOK_AGAIN) => Ok(()),
        () = turns.gone.cancelled() => Err(DirectSendError::Closed),
    }
}
