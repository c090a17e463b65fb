//! Waiting for what was sent over a channel and is not confirmed.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::futures::Notified;
use webrtc::data_channel::DataChannel;

use super::channels::Channels;
use super::error::DirectSendError;

/// Time after which a waiting sender looks again whether something was confirmed, at the latest. The driver's
/// ticks wake it before.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The delivery of what is sent over one channel.
pub(crate) struct Delivery<'a> {
    pub(crate) channel: &'a Arc<dyn DataChannel>,
    pub(crate) channels: &'a Channels,
    /// False if the connection's task itself asks, which polls every call to its end.
    pub(crate) is_handed_over: bool,
}

impl Delivery<'_> {
    /// Returns the number of bytes that were sent and are not confirmed.
    pub(crate) async fn in_flight(&self) -> Result<usize, DirectSendError> {
        if self.channels.ticks.gone.is_cancelled() {
            return Err(DirectSendError::Closed);
        }
        let mut asking = self.channel.outstanding_bytes();
        let in_flight = if !self.is_handed_over {
            Some(asking.await)
        } else if let Some(in_flight) = asking.as_mut().now_or_never() {
            Some(in_flight)
        } else {
            drop(asking);
            let channel = Arc::clone(self.channel);
            self.channels.call(async move { channel.outstanding_bytes().await }).await
        };
        in_flight.and_then(Result::ok).ok_or(DirectSendError::Closed)
    }

    /// Waits until `len` bytes fit into the window, or nothing is in flight. Returns the room.
    pub(crate) async fn room_for(&self, len: usize) -> Result<usize, DirectSendError> {
        let mut needed = len;
        loop {
            let tick = self.channels.ticks.next(); // Before the question, or an answer may be missed.
            let in_flight = self.in_flight().await?;
            let window = self.channels.window_bytes();
            let room = window.saturating_sub(in_flight);
            if room >= needed || in_flight == 0 {
                return Ok(room.max(len));
            }
            // A sender that has to wait sleeps until several messages fit: each wake-up costs as much as a
            // message.
            needed = len.max(window / 4);
            self.wait_for(tick).await?;
        }
    }

    /// Waits until everything that was sent has arrived.
    pub(crate) async fn delivered(&self) -> Result<(), DirectSendError> {
        let ticks = &self.channels.ticks;
        // A message that was just sent is in flight when the driver has taken it: in its next pass, or in the
        // one after, if the next tick ends a pass that is under way.
        for _ in 0..2 {
            self.wait_for(ticks.next()).await?;
        }
        loop {
            let tick = ticks.next();
            if self.in_flight().await? == 0 {
                return Ok(());
            }
            self.wait_for(tick).await?;
        }
    }

    /// Waits until something may have been confirmed.
    pub(crate) async fn wait_for(&self, tick: Notified<'_>) -> Result<(), DirectSendError> {
        tokio::select! {
            () = tick => Ok(()),
            () = tokio::time::sleep(LOOK_AGAIN) => Ok(()),
            () = self.channels.gone() => Err(DirectSendError::Closed),
        }
    }
}
