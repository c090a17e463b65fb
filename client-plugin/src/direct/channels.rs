//! State that the channels of a connection share: the window, what the partner states, and the calls and
//! closings that the connection's task carries out for them.

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use futures_util::FutureExt;
use socketio_p2p_protocol::Sdp;
use socketio_p2p_protocol::limits::CHANNEL_MESSAGE_BYTES;
use socketio_p2p_protocol::peer::channel::{Carriage, is_counted};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::WaitForCancellationFuture;
use webrtc::data_channel::{DataChannel, RTCDataChannelState};

use super::driver_ticks::DriverTicks;
use super::error::DirectSendError;
use super::message::{ChannelMessage, ChannelOptions};
use super::tasks::Handover;
use super::traffic::Traffic;
use super::window::{FLOOR, Window};

/// Time that must pass, besides two round trips, after a channel has ended before another one is opened.
const REUSE: Duration = Duration::from_millis(50);

/// The shared state of the channels of a connection.
pub(crate) struct Channels {
    pub(crate) ticks: Arc<DriverTicks>,
    window: Mutex<Window>,
    window_bytes: AtomicUsize,
    /// Length of the longest message that the partner takes.
    max_message: AtomicUsize,
    /// Window of the partner's raw channels; 0 if the partner states none.
    partner_window: AtomicUsize,
    /// True if the partner takes messages in pieces, on channels that may lose them.
    takes_pieces: AtomicBool,
    /// The main channel, which distinguishes a lost connection from a closed channel.
    main: OnceLock<Weak<dyn DataChannel>>,
    /// Messages over raw channels.
    pub(crate) traffic: Traffic,
    /// Time at which the last raw channel ended.
    ended_at: Mutex<Option<Instant>>,
    /// Weight of what waits to be read on all raw channels.
    pub(crate) unread: AtomicUsize,
    /// Number of channels that are open or being opened, this side's and the partner's: see [`Slot`].
    pub(crate) open: AtomicUsize,
    /// Number of raw channels that are open or on their way to be closed.
    pub(crate) raw: AtomicUsize,
    /// Number of channels of this side that were not confirmed in time, and whose openers no longer wait.
    pub(crate) set_aside: AtomicUsize,
    /// Closings of raw channels that were dropped.
    pub(crate) closings: Handover,
    /// Pumps of raw channels, and calls of webrtc's that have to wait. They run until the driver has ended.
    pub(crate) calls: Handover,
}

impl Channels {
    pub(crate) fn new(ticks: Arc<DriverTicks>) -> Self {
        Self {
            ticks,
            window: Mutex::default(),
            window_bytes: AtomicUsize::new(FLOOR),
            max_message: AtomicUsize::new(CHANNEL_MESSAGE_BYTES),
            partner_window: AtomicUsize::new(0),
            takes_pieces: AtomicBool::new(false),
            main: OnceLock::new(),
            traffic: Traffic::default(),
            ended_at: Mutex::default(),
            unread: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            raw: AtomicUsize::new(0),
            set_aside: AtomicUsize::new(0),
            closings: Handover::new(),
            calls: Handover::new(),
        }
    }

    /// Polls a call of webrtc's once, and hands it to the connection's task if it has to wait. Returns `None`
    /// if that task has ended.
    ///
    /// The lock in webrtc 0.21 wakes only its first waiter. An application may begin a call and then neither
    /// poll nor drop it: such a waiter would take the wake-ups of the driver forever.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        call: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        match self.begin(call) {
            Begun::Done(done) => Some(done),
            Begun::HandedOver(done) => done.await.ok(),
        }
    }

    /// Does what [`Self::call`] does, without waiting.
    pub(crate) fn begin<T: Send + 'static>(
        &self,
        call: impl Future<Output = T> + Send + 'static,
    ) -> Begun<T> {
        let mut call = Box::pin(call);
        if let Some(done) = call.as_mut().now_or_never() {
            return Begun::Done(done);
        }
        let (sender, receiver) = oneshot::channel();
        self.calls.give(async move {
            sender.send(call.await).ok();
        });
        Begun::HandedOver(receiver)
    }

    /// Records what the partner's description states.
    pub(crate) fn described_by(&self, partner: &Sdp) {
        let max_message = partner.max_message().min(CHANNEL_MESSAGE_BYTES);
        self.max_message.store(max_message, Ordering::Relaxed);
        self.partner_window.store(partner.channel_window(), Ordering::Relaxed);
        self.takes_pieces.store(partner.takes_pieces(), Ordering::Relaxed);
        self.adjust(|window| window.partner_has(partner.udp_buffer()));
    }

    /// Returns the window of the partner's raw channels, or 0.
    pub(crate) fn partner_window(&self) -> usize {
        self.partner_window.load(Ordering::Relaxed)
    }

    /// Returns the carriage of a channel that this side opens.
    pub(crate) fn carriage(&self, options: &ChannelOptions) -> Carriage {
        let sends_again = options.max_retransmits != Some(0);
        let takes_pieces = self.takes_pieces.load(Ordering::Relaxed);
        Carriage::chosen(options.is_lossy(), sends_again, options.ordered, takes_pieces)
    }

    /// Returns whether both sides count what they send over raw channels. Only a partner that counts knows the
    /// last message of a channel.
    pub(crate) fn partner_counts(&self) -> bool {
        is_counted(self.partner_window())
    }

    pub(crate) fn set_main(&self, channel: &Arc<dyn DataChannel>) {
        self.main.set(Arc::downgrade(channel)).ok();
    }

    /// Returns whether the partner has closed neither the connection nor its main channel.
    pub(crate) async fn is_living(&self) -> bool {
        let Some(main) = self.main.get().and_then(Weak::upgrade) else { return false };
        matches!(main.ready_state().await, Ok(RTCDataChannelState::Open))
    }

    /// Records that a raw channel has ended.
    pub(crate) fn has_ended(&self) {
        let mut ended_at = self.ended_at.lock().unwrap_or_else(PoisonError::into_inner);
        *ended_at = Some(Instant::now());
    }

    /// Returns the time from which a channel may be opened. It gets the number of one that has ended, and the
    /// two sides answer each other's closing once more: webrtc 0.21 takes that for the closing of the next one.
    pub(crate) fn opens_at(&self) -> Instant {
        let ended_at = *self.ended_at.lock().unwrap_or_else(PoisonError::into_inner);
        let pause = REUSE + 2 * self.round_trip().unwrap_or_default();
        ended_at.map_or_else(Instant::now, |at| at + pause)
    }

    /// Waits until the driver has ended.
    pub(crate) fn gone(&self) -> WaitForCancellationFuture<'_> {
        self.ticks.gone.cancelled()
    }

    /// Records a round trip.
    pub(crate) fn measured(&self, round_trip: Duration) {
        self.adjust(|window| window.measured(round_trip));
    }

    /// Returns the least of the last round trips.
    pub(crate) fn round_trip(&self) -> Option<Duration> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner).round_trip()
    }

    fn adjust(&self, change: impl FnOnce(&mut Window)) {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut window);
        self.window_bytes.store(window.bytes(), Ordering::Relaxed);
    }

    /// Refuses a message that the partner does not take.
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

    /// Returns the number of bytes that may be in flight on a channel.
    pub(crate) fn window_bytes(&self) -> usize {
        self.window_bytes.load(Ordering::Relaxed)
    }

    /// Returns the length of the longest message that the partner takes, in bytes.
    pub(crate) fn max_message(&self) -> usize {
        self.max_message.load(Ordering::Relaxed)
    }
}

/// A call of webrtc's that was polled once.
pub(crate) enum Begun<T> {
    /// It is done.
    Done(T),
    /// The connection's task carries it out, and reports here.
    HandedOver(oneshot::Receiver<T>),
}

impl<T> Begun<Result<T, DirectSendError>> {
    /// Waits until it is done.
    pub(crate) async fn finished(self) -> Result<T, DirectSendError> {
        match self {
            Self::Done(done) => done,
            Self::HandedOver(done) => done.await.unwrap_or(Err(DirectSendError::Closed)),
        }
    }
}

/// One of the channels that a connection may have.
pub(crate) struct Slot(Arc<Channels>);

impl Slot {
    pub(crate) fn take(channels: &Arc<Channels>) -> Self {
        channels.open.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(channels))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::lock::Mutex;
    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_call_that_is_left_alone_does_not_keep_webrtcs_lock_from_the_driver() {
        let channels = Arc::new(Channels::new(Arc::new(DriverTicks::new())));
        let carrying = Arc::clone(&channels);
        let tasks = tokio_util::task::TaskTracker::new();
        tasks.spawn(async move { carrying.calls.carry_out(&carrying.ticks.gone).await });
        let lock = Arc::new(Mutex::new(())); // That of webrtc is this one.
        let held = lock.lock().await;

        let waiter = Arc::clone(&lock);
        let mut left_alone = pin!(channels.call(async move { drop(waiter.lock().await) }));
        assert!(left_alone.as_mut().now_or_never().is_none());
        let waiter = Arc::clone(&lock);
        let driver = tasks.spawn(async move { drop(waiter.lock().await) });
        tokio::task::yield_now().await; // Both wait now.
        drop(held);

        assert!(timeout(Duration::from_secs(60), driver).await.is_ok());
        assert!(left_alone.as_mut().now_or_never().is_some(), "the call was carried out");
        channels.ticks.gone.cancel();
    }
}
