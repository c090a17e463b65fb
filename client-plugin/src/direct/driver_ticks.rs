//! The ticks of webrtc's driver: each pass of its loop, as seen from the timers that it asks for.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio_util::sync::CancellationToken;

/// The driver's timer while it is polled fast.
const FAST: Duration = Duration::from_millis(1);
/// Time after the first connectivity for which it is that short, at most.
const FAST_FOR: Duration = Duration::from_secs(2);

/// The ticks of the driver of one connection.
#[derive(Debug)]
pub(crate) struct DriverTicks {
    started: Instant,
    /// End of fast polling, in milliseconds since `started`; 0 if it is polled normally.
    fast_until: AtomicU64,
    is_open: AtomicBool,
    ticked: Notify,
    count: AtomicU64,
    /// Held while the driver is polled.
    polled: Mutex<()>,
    /// Cancelled when the driver has ended.
    pub(crate) gone: CancellationToken,
    /// Cancelled when the driver has reported more than the actor took.
    pub(crate) overrun: CancellationToken,
}

impl DriverTicks {
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            fast_until: AtomicU64::new(0),
            is_open: AtomicBool::new(false),
            ticked: Notify::new(),
            count: AtomicU64::new(0),
            polled: Mutex::new(()),
            gone: CancellationToken::new(),
            overrun: CancellationToken::new(),
        }
    }

    /// Returns the next tick, counted from this call.
    pub(crate) fn next(&self) -> Notified<'_> {
        self.ticked.notified()
    }

    /// Returns the number of ticks so far.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    /// Records a tick, and returns the timer that the driver gets instead of `duration`.
    pub(crate) fn tick(&self, duration: Duration) -> Duration {
        self.count.fetch_add(1, Ordering::Release);
        self.ticked.notify_waiters();
        if self.is_fast() { duration.min(FAST) } else { duration }
    }

    /// Polls a future only while the driver is not polled. The driver sees all effects of a poll, or none.
    pub(crate) async fn excluding_driver<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        poll_fn(|context| {
            let _polled = self.polled.lock().unwrap_or_else(PoisonError::into_inner);
            future.as_mut().poll(context)
        })
        .await
    }

    /// Shortens the driver's timer until [`Self::poll_normally`], or for a limited time.
    pub(crate) fn poll_fast(&self) {
        if self.is_open.load(Ordering::Relaxed) {
            return; // The path came back under an open channel.
        }
        let until = self.started.elapsed() + FAST_FOR;
        self.fast_until.store(until.as_millis() as u64, Ordering::Relaxed);
    }

    /// Leaves the driver its own timer, for good: the traffic of an open channel keeps it going.
    pub(crate) fn poll_normally(&self) {
        self.is_open.store(true, Ordering::Relaxed);
        self.fast_until.store(0, Ordering::Relaxed);
    }

    fn is_fast(&self) -> bool {
        let until = self.fast_until.load(Ordering::Relaxed);
        until != 0 && self.started.elapsed().as_millis() as u64 <= until
    }
}
