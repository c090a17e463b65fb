//! Messages that are reported after the end of their channel.
//!
//! In each pass, the driver of webrtc 0.21 hands out events first and messages second. If a message and the
//! close behind it arrive in one burst, the close is reported first, and the message later in the same pass.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::{Instant, sleep_until};
use webrtc::data_channel::{DataChannel, DataChannelEvent, RTCDataChannelMessage};

use super::driver_ticks::DriverTicks;

/// Time after which the pass in which a channel ended is over, at the latest. Usually the driver's tick reports
/// it, but that may have come before the end was seen.
const PASS: Duration = Duration::from_millis(50);

/// The rest of the pass in which a channel ended.
pub(crate) struct Remainder {
    ticks: Arc<DriverTicks>,
    /// Number of ticks when the end was seen.
    ticks_seen: u64,
    ends_at: Instant,
}

impl Remainder {
    /// Notes that the end of a channel was just seen.
    pub(crate) fn new(ticks: &Arc<DriverTicks>) -> Self {
        Self { ticks: Arc::clone(ticks), ticks_seen: ticks.count(), ends_at: Instant::now() + PASS }
    }

    /// Returns the next message of the channel, or `None` when no further one can be reported. Cancel safe.
    pub(crate) async fn next(&self, channel: &dyn DataChannel) -> Option<RTCDataChannelMessage> {
        loop {
            let tick = self.ticks.next(); // Before the questions, or an answer may be missed.
            let is_over = self.is_over();
            match channel.poll().now_or_never() {
                Some(Some(DataChannelEvent::OnMessage(message))) => return Some(message),
                Some(Some(_)) => continue,
                Some(None) => return None,
                None if is_over => return None,
                None => {}
            }
            tokio::select! {
                () = tick => {}
                () = sleep_until(self.ends_at) => {}
                () = self.ticks.gone.cancelled() => {}
            }
        }
    }

    fn is_over(&self) -> bool {
        self.ticks.count() != self.ticks_seen
            || self.ends_at <= Instant::now()
            || self.ticks.gone.is_cancelled()
    }
}
