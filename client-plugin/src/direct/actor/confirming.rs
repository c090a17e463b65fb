//! Channels of this side that the partner has not confirmed yet.
//!
//! rtc-sctp 0.21.1 closes a channel by a reset of its stream, which the other side answers with one of its own. It sends
//! that answer once. If the answer is lost, the side that closed the channel keeps the stream for good; webrtc gives its
//! number to the next channel, and nothing is sent for that one: it never opens. So a channel that is not confirmed in
//! time is set aside, where it occupies the number, while another one is opened.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use socketio_p2p_protocol::peer::channel::Carriage;
use tokio::time::{Instant, sleep, sleep_until};
use webrtc::data_channel::{DataChannel, DataChannelEvent};

use super::super::channel::DirectChannel;
use super::super::channels::{Channels, Slot};
use super::super::error::ChannelError;
use super::super::message::{ChannelOptions, ChannelTerms};
use super::super::peer_connection::PeerConnection;

/// Time after which a second channel is opened beside the first one. SCTP sends a lost message again after 1 s, and after
/// 2 s more: the opening, and the partner its confirmation.
const PATIENCE: Duration = Duration::from_millis(3_500);
/// The same for further ones: where one stream was kept, others may have been.
const SHORT_PATIENCE: Duration = Duration::from_millis(1_500);
/// Channels that are set aside, at most.
const SET_ASIDE: usize = 64;
/// Number of times that a channel is opened if it is closed before it is open: see [`Channels::opens_at`].
const ATTEMPTS: usize = 3;

/// A channel that this side opens.
#[derive(Clone)]
pub(super) struct Wanted {
    pub(super) channels: Arc<Channels>,
    pub(super) terms: ChannelTerms,
    pub(super) carriage: Carriage,
}

impl Wanted {
    /// Opens the channel and waits for the partner's confirmation.
    pub(super) async fn open(
        self,
        connection: PeerConnection,
        options: ChannelOptions,
        slot: Slot,
    ) -> Result<DirectChannel, ChannelError> {
        let Self { channels, terms, .. } = &self;
        let mut waiting = FuturesUnordered::new();
        let mut patience = PATIENCE;
        let mut closed = 0;
        loop {
            while channels.opens_at() > Instant::now() {
                sleep_until(channels.opens_at()).await;
            }
            channels.traffic.count_sent();
            let opened = connection.open(&terms.label, options.clone()).await;
            let channel = opened.map_err(|error| {
                tracing::debug!(%error, "opening a channel failed");
                ChannelError::Closed
            })?;
            waiting.push(Unconfirmed { wanted: &self, channel, is_decided: false }.decided());
            let round_trip = channels.round_trip().unwrap_or_default();
            let may_wait_aside = channels.set_aside.load(Ordering::Relaxed) < SET_ASIDE;
            tokio::select! {
                Some(decided) = waiting.next() => match decided {
                    Some(channel) => return Ok(self.take(channel, slot)),
                    None => {
                        tracing::debug!(label = terms.label, "a channel was closed before it opened");
                        closed += 1;
                        if closed == ATTEMPTS {
                            return Err(ChannelError::Closed);
                        }
                    }
                },
                () = sleep(patience + 2 * round_trip), if may_wait_aside => {
                    tracing::debug!(label = terms.label, "a channel is not confirmed in time");
                    patience = SHORT_PATIENCE;
                }
            }
        }
    }

    /// Returns the handle of a channel that is open, and has its pump run.
    fn take(&self, channel: Arc<dyn DataChannel>, slot: Slot) -> DirectChannel {
        let (terms, channels) = (self.terms.clone(), Arc::clone(&self.channels));
        let (channel, pump) = DirectChannel::raw(channel, terms, channels, slot, self.carriage);
        self.channels.calls.give(pump);
        channel
    }

    /// Leaves a channel alone until webrtc gives it up, after 30 s, or the partner confirms it: then it is closed.
    fn set_aside(&self, channel: Arc<dyn DataChannel>) {
        let wanted = self.clone();
        let is_too_many = self.channels.set_aside.fetch_add(1, Ordering::Relaxed) >= SET_ASIDE;
        self.channels.calls.give(async move {
            if is_too_many {
                channel.close().await.ok();
            }
            if is_confirmed(&*channel, &wanted.channels).await {
                drop(wanted.take(channel, Slot::take(&wanted.channels)));
            }
            wanted.channels.set_aside.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

/// A channel of which it is not known whether the partner has it.
struct Unconfirmed<'w> {
    wanted: &'w Wanted,
    channel: Arc<dyn DataChannel>,
    is_decided: bool,
}

impl Unconfirmed<'_> {
    /// Waits until it is open, and returns it, or `None` if it is closed before.
    async fn decided(mut self) -> Option<Arc<dyn DataChannel>> {
        let is_open = is_confirmed(&*self.channel, &self.wanted.channels).await;
        self.is_decided = true;
        if !is_open {
            self.wanted.channels.has_ended();
        }
        is_open.then(|| Arc::clone(&self.channel))
    }
}

impl Drop for Unconfirmed<'_> {
    fn drop(&mut self) {
        if !self.is_decided {
            self.wanted.set_aside(Arc::clone(&self.channel));
        }
    }
}

/// Waits until the partner has confirmed a channel. Returns `false` if it was closed before.
async fn is_confirmed(channel: &dyn DataChannel, channels: &Channels) -> bool {
    loop {
        let event = tokio::select! {
            biased;
            event = channel.poll() => event,
            () = channels.gone() => None,
        };
        match event {
            Some(DataChannelEvent::OnOpen) => return true,
            Some(DataChannelEvent::OnClose) | None => return false,
            Some(_) => {}
        }
    }
}
