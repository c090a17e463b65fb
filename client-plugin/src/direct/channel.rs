//! One data channel: messages both ways, with backpressure.

use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use bytes::BytesMut;
use webrtc::data_channel::{
    DataChannel, DataChannelEvent, RTCDataChannelMessage, RTCDataChannelState,
};

use super::error::{ChannelEnd, DirectSendError};
use super::inbox::Inbox;
use super::link::{Abandoned, Link, Slot, delivered, in_flight, wait_for};
use super::message::{ChannelMessage, into_message};
use super::pump::pump;
use super::stream::ChannelStream;

/// A data channel to the partner: messages as they are, without frames.
///
/// Cheap to clone. It is closed by [`Self::close`], by the partner, or after its last clone was dropped;
/// what was sent arrives before. With its connection it ends as it is: one that this end closes waits for
/// channels that were dropped, not for those that are held.
///
/// What is not read makes a partner of ours wait when it is 1 MiB, and holds up no other channel. A
/// partner that does not know of that, a browser, has the channel closed when it is 8 MiB: then its
/// end is [`ChannelEnd::Unread`]. On a channel that may lose messages, what is too much is lost.
#[derive(Clone)]
pub struct DirectChannel(Arc<Inner>);

/// A channel that others hold or not.
pub(crate) struct WeakChannel(Weak<Inner>);

impl WeakChannel {
    pub(crate) fn upgrade(&self) -> Option<DirectChannel> {
        self.0.upgrade().map(DirectChannel)
    }
}

struct Inner {
    channel: Arc<dyn DataChannel>,
    label: String,
    link: Arc<Link>,
    _slot: Slot,
    /// What came over a raw channel. The main channel has none: it is read without a detour.
    inbox: Option<Arc<Inbox>>,
    /// How much may be sent before asking what is still in flight. Locked by the one who sends, so
    /// that messages leave in the order of the calls.
    credit: tokio::sync::Mutex<usize>,
    closed: AtomicBool,
}

impl DirectChannel {
    /// The session's own.
    pub(crate) fn main(channel: Arc<dyn DataChannel>, label: String, link: Arc<Link>) -> Self {
        link.set_main(&channel);
        let slot = Slot::take(&link);
        Self::new(channel, label, link, slot, None)
    }

    /// Any other, and its pump.
    pub(crate) fn raw(
        channel: Arc<dyn DataChannel>,
        label: String,
        link: Arc<Link>,
        slot: Slot,
        is_lossy: bool,
    ) -> (Self, impl Future<Output = ()> + Send + use<>) {
        let inbox = Arc::new(Inbox::new(Arc::clone(&link), is_lossy));
        let pump = pump(Arc::clone(&channel), Arc::clone(&inbox));
        (Self::new(channel, label, link, slot, Some(inbox)), pump)
    }

    fn new(
        channel: Arc<dyn DataChannel>,
        label: String,
        link: Arc<Link>,
        slot: Slot,
        inbox: Option<Arc<Inbox>>,
    ) -> Self {
        let (credit, closed) = (tokio::sync::Mutex::new(0), AtomicBool::new(false));
        Self(Arc::new(Inner { channel, label, link, _slot: slot, inbox, credit, closed }))
    }

    pub(crate) fn downgrade(&self) -> WeakChannel {
        WeakChannel(Arc::downgrade(&self.0))
    }

    /// The name that its opener gave it. Several may have the same.
    pub fn label(&self) -> &str {
        &self.0.label
    }

    /// The longest message that the partner takes, in bytes. 16 KiB suit every partner.
    pub fn max_message(&self) -> usize {
        self.0.link.max_message()
    }

    /// Sends one message, once the window has room for it and the partner has read enough of what came
    /// before. That it was sent does not mean that it arrived: [`Self::delivered`] waits for that.
    ///
    /// # Errors
    ///
    /// [`DirectSendError::Empty`] and [`DirectSendError::TooLong`] at once; nothing was sent then.
    /// [`DirectSendError::Closed`] if the channel is closed, also while this waits: [`Self::end`] says
    /// why. Whether the partner has read what was sent before is not known then.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: if this does not resolve, the message may have been sent.
    pub async fn send(&self, message: impl Into<ChannelMessage>) -> Result<(), DirectSendError> {
        let message = message.into();
        self.0.link.check(&message)?;
        let mut credit = self.0.credit.lock().await;
        if *credit < message.len() {
            *credit = self.room_for(message.len()).await?;
        }
        *credit = credit.saturating_sub(message.len());
        let spent = match &self.0.inbox {
            Some(inbox) => Some(inbox.spend(message.len()).await?),
            None => None,
        };
        let sent = match message {
            ChannelMessage::Text(text) => self.0.channel.send_text(&text).await,
            ChannelMessage::Binary(bytes) => self.0.channel.send(BytesMut::from(bytes)).await,
        };
        sent.map_err(|_| DirectSendError::Closed)?;
        if let Some(spent) = spent {
            spent.for_good();
        }
        Ok(())
    }

    /// Waits until `len` bytes fit into the window, or nothing is in flight; returns what fits.
    async fn room_for(&self, len: usize) -> Result<usize, DirectSendError> {
        let turns = &self.0.link.turns;
        let mut needed = len;
        loop {
            let turn = turns.next(); // before the question, or an answer may be missed
            let in_flight = in_flight(&*self.0.channel, turns).await?;
            let window = self.0.link.window_bytes();
            let room = window.saturating_sub(in_flight);
            if room >= needed || in_flight == 0 {
                return Ok(room.max(len));
            }
            // Once it has to wait, a sender sleeps until several messages fit: each awakening
            // costs as much as a message.
            needed = len.max(window / 4);
            wait_for(turn, turns).await?;
        }
    }

    /// Waits until everything that was sent has arrived at the partner's machine.
    ///
    /// # Errors
    ///
    /// [`DirectSendError::Closed`] if the channel is closed before that is known.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn delivered(&self) -> Result<(), DirectSendError> {
        delivered(&*self.0.channel, &self.0.link.turns).await
    }

    /// The next message, or `None` when there is no more to come: [`Self::end`] says why.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn recv(&self) -> Option<ChannelMessage> {
        if let Some(inbox) = &self.0.inbox {
            return inbox.take().await;
        }
        loop {
            match self.poll().await? {
                DataChannelEvent::OnMessage(message) if !self.is_leave(&message) => {
                    return Some(into_message(message));
                }
                DataChannelEvent::OnMessage(_) | DataChannelEvent::OnClose => {
                    self.0.closed.store(true, Ordering::Relaxed);
                    return None;
                }
                _ => {}
            }
        }
    }

    /// Why nothing more comes, once that is known. What has come before may still wait to be read.
    pub fn end(&self) -> Option<ChannelEnd> {
        self.0.inbox.as_ref()?.end()
    }

    /// Waits for the partner's confirmation of a channel that this end opens.
    pub(crate) async fn opened(&self) -> Result<(), DirectSendError> {
        if let Some(inbox) = &self.0.inbox {
            return inbox.opened().await;
        }
        loop {
            match self.poll().await {
                Some(DataChannelEvent::OnOpen) => return Ok(()),
                Some(DataChannelEvent::OnClose) | None => return Err(DirectSendError::Closed),
                Some(_) => {}
            }
        }
    }

    async fn poll(&self) -> Option<DataChannelEvent> {
        if self.0.closed.load(Ordering::Relaxed) {
            return None;
        }
        tokio::select! {
            biased;
            event = self.0.channel.poll() => event,
            () = self.0.link.turns.gone.cancelled() => None,
        }
    }

    /// Waits until what was sent has arrived, then closes the channel on both sides. What the partner
    /// still has under way is taken, and can be read.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropping the last clone closes it all the same.
    pub async fn close(&self) {
        self.delivered().await.ok();
        match &self.0.inbox {
            Some(inbox) => inbox.close().await,
            None => self.shut().await,
        }
    }

    /// Whether the partner says by this that it is its last message.
    fn is_leave(&self, message: &RTCDataChannelMessage) -> bool {
        message.is_string && message.data.is_empty() && self.0.link.partner_window().is_some()
    }

    /// Tells the partner that there is no more to come.
    pub(crate) async fn take_leave(&self) {
        self.0.channel.send_text("").await.ok();
    }

    /// Closes the channel at once.
    pub(crate) async fn shut(&self) {
        self.0.channel.close().await.ok();
    }

    /// Waits until the partner has closed its end as well, or the connection is no more.
    pub(crate) async fn gone(&self) {
        let turns = &self.0.link.turns;
        loop {
            let turn = turns.next();
            match self.0.channel.ready_state().await {
                Ok(RTCDataChannelState::Closed) | Err(_) => return,
                Ok(_) => {}
            }
            if wait_for(turn, turns).await.is_err() {
                return;
            }
        }
    }

    /// Bytes to read and write instead of messages. There is no half-close: shutting it down ends both ways.
    pub fn into_stream(self) -> ChannelStream {
        ChannelStream::new(self)
    }
}

impl fmt::Debug for DirectChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectChannel").field("label", &self.0.label).finish_non_exhaustive()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // The main channel lasts as long as its connection.
        let Some(inbox) = self.inbox.take() else { return };
        inbox.abandon();
        if !self.link.turns.gone.is_cancelled() {
            let channel = Arc::clone(&self.channel);
            let turns = Arc::clone(&self.link.turns);
            self.link.abandon(Abandoned { channel, inbox, turns });
        }
    }
}
