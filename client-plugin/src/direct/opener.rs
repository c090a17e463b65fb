//! How this end opens a raw channel, and the pumps of all of them.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::channel::DirectChannel;
use super::error::ChannelError;
use super::inbox::LOSSY;
use super::link::{Link, Slot};
use super::message::ChannelOptions;
use super::stack::Stack;

/// How often a channel is opened that is closed before it is open: see [`Link::opens_at`].
const ATTEMPTS: usize = 3;

/// What carries the messages of a raw channel.
pub(crate) type Pump = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What opens raw channels.
pub(crate) struct Opener {
    pub(crate) stack: Stack,
    pub(crate) link: Arc<Link>,
    pub(crate) pumps: mpsc::Sender<Pump>,
}

impl Opener {
    /// Opens one, and waits for the partner's confirmation.
    pub(crate) async fn open(
        self,
        label: String,
        mut options: ChannelOptions,
        slot: Slot,
    ) -> Result<DirectChannel, ChannelError> {
        let is_lossy = options.is_lossy();
        if is_lossy && self.link.partner_window().is_some() {
            options.protocol.push_str(LOSSY);
        }
        let mut slot = Some(slot);
        for _ in 0..ATTEMPTS {
            while self.link.opens_at() > Instant::now() {
                sleep_until(self.link.opens_at()).await;
            }
            let opened = self.stack.open(&label, options.clone()).await;
            let channel = opened.map_err(|error| {
                tracing::debug!(%error, "a channel cannot be opened");
                ChannelError::Closed
            })?;
            let link = Arc::clone(&self.link);
            let slot = slot.take().unwrap_or_else(|| Slot::take(&link));
            let (channel, pump) = DirectChannel::raw(channel, label.clone(), link, slot, is_lossy);
            // None is refused: there are as many places as channels.
            self.pumps.try_send(Box::pin(pump)).map_err(|_| ChannelError::Closed)?;
            if channel.opened().await.is_ok() {
                return Ok(channel);
            }
            tracing::debug!(label, "a channel was closed before it was open");
        }
        Err(ChannelError::Closed)
    }
}

/// Runs what is started, until nothing is and nothing more will be.
pub(crate) async fn run_all(mut started: mpsc::Receiver<Pump>) {
    let mut running = FuturesUnordered::new();
    loop {
        tokio::select! {
            Some(pump) = started.recv() => running.push(pump),
            Some(()) = running.next() => {}
            else => return,
        }
    }
}
