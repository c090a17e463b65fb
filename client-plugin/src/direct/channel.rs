//! One data channel: messages both ways, with back pressure.

use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use socketio_p2p_protocol::peer::channel::Carriage;
use webrtc::data_channel::{
    DataChannel, DataChannelEvent, RTCDataChannelMessage, RTCDataChannelState,
};

use super::channels::{Channels, Slot};
use super::delivery::Delivery;
use super::error::{ChannelEnd, DirectSendError};
use super::inbox::Inbox;
use super::message::{ChannelMessage, ChannelTerms, into_message};
use super::pump::pump;
use super::remainder::Remainder;
use super::sender::Sender;

/// A data channel to the partner: messages as they are, without frames.
///
/// Cloning is cheap. The channel is closed by [`Self::close`], by the partner, or after its last clone was
/// dropped; messages that were sent before still arrive. When the connection is closed, it waits for
/// channels that were dropped, not for those that are held.
///
/// When 1 MiB is unread, a partner that runs this library waits, and no other channel is held up. Another
/// partner, such as a browser, does not wait: its channel is closed when 8 MiB are unread, and the end is
/// [`ChannelEnd::Unread`]. On a channel that may lose messages, further ones are lost.
///
/// What may be lost does not wait: on such a channel, [`Self::send`] gives a message up that cannot leave within
/// 100 ms. Without retransmits, and to a partner that runs this library, a message is lost if a part of it is, and,
/// on an ordered channel, if a later one has overtaken it; none waits for another.
///
/// # Examples
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/direct/example.rs"));
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (alice, mut bob) = connected().await?;
/// use socketio_p2p_client::direct::{ChannelMessage, ChannelOptions, DirectEvent};
///
/// let here = alice.connection.open("chat", ChannelOptions::default()).await?;
/// let Some(DirectEvent::Channel(there)) = bob.events.recv().await else { panic!("no channel") };
///
/// here.send("hello").await?;
/// assert_eq!(there.recv().await, Some(ChannelMessage::from("hello")));
///
/// here.close().await;
/// assert_eq!(there.recv().await, None);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct DirectChannel(pub(super) Arc<Inner>);

/// A channel that may have been dropped.
pub(crate) struct WeakChannel(Weak<Inner>);

impl WeakChannel {
    pub(crate) fn upgrade(&self) -> Option<DirectChannel> {
        self.0.upgrade().map(DirectChannel)
    }
}

pub(super) struct Inner {
    pub(super) channel: Arc<dyn DataChannel>,
    terms: ChannelTerms,
    pub(super) channels: Arc<Channels>,
    _slot: Slot,
    /// Messages of a raw channel. The main channel has no inbox: it is read without a detour.
    pub(super) inbox: Option<Arc<Inbox>>,
    pub(super) carriage: Carriage,
    /// The sender holds the lock, so that messages leave in the order of the calls.
    pub(super) sender: Arc<tokio::sync::Mutex<Sender>>,
    /// Set when the partner has announced its end on the main channel.
    has_left: AtomicBool,
    /// What may still come on the main channel, once it is closed.
    remainder: OnceLock<Remainder>,
}

impl DirectChannel {
    /// Creates the handle of the main channel, the session's own.
    pub(crate) fn main(
        channel: Arc<dyn DataChannel>,
        terms: ChannelTerms,
        channels: Arc<Channels>,
    ) -> Self {
        channels.set_main(&channel);
        let slot = Slot::take(&channels);
        Self::new(channel, terms, channels, slot, Carriage::Reliable, None)
    }

    /// Creates the handle of a raw channel, and its pump.
    pub(crate) fn raw(
        channel: Arc<dyn DataChannel>,
        terms: ChannelTerms,
        channels: Arc<Channels>,
        slot: Slot,
        carriage: Carriage,
    ) -> (Self, impl Future<Output = ()> + Send + use<>) {
        let inbox = Arc::new(Inbox::new(Arc::clone(&channels), carriage));
        let pump = pump(Arc::clone(&channel), Arc::clone(&inbox));
        (Self::new(channel, terms, channels, slot, carriage, Some(inbox)), pump)
    }

    fn new(
        channel: Arc<dyn DataChannel>,
        terms: ChannelTerms,
        channels: Arc<Channels>,
        slot: Slot,
        carriage: Carriage,
        inbox: Option<Arc<Inbox>>,
    ) -> Self {
        Self(Arc::new(Inner {
            channel,
            terms,
            channels,
            _slot: slot,
            inbox,
            carriage,
            sender: Arc::default(),
            has_left: AtomicBool::new(false),
            remainder: OnceLock::new(),
        }))
    }

    pub(crate) fn downgrade(&self) -> WeakChannel {
        WeakChannel(Arc::downgrade(&self.0))
    }

    /// Returns the name that the opener gave the channel. Several channels may have the same name.
    pub fn label(&self) -> &str {
        &self.0.terms.label
    }

    /// Returns the application's own protocol, which the opener named
    /// ([`ChannelOptions::protocol`](super::ChannelOptions::protocol)), or an empty text.
    pub fn protocol(&self) -> &str {
        &self.0.terms.protocol
    }

    /// Returns whether messages arrive in the order in which they were sent
    /// ([`ChannelOptions::ordered`](super::ChannelOptions::ordered)).
    pub fn is_ordered(&self) -> bool {
        self.0.terms.is_ordered
    }

    /// Returns the length of the longest message that the partner takes, in bytes. Every partner takes 16 KiB.
    pub fn max_message(&self) -> usize {
        self.0.channels.max_message()
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
        self.delivery().delivered().await
    }

    pub(super) fn delivery(&self) -> Delivery<'_> {
        let Inner { channel, channels, inbox, .. } = &*self.0;
        Delivery { channel, channels, is_handed_over: inbox.is_some() }
    }

    /// Returns the next message, or `None` after the last one: [`Self::end`] returns the reason.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn recv(&self) -> Option<ChannelMessage> {
        if let Some(inbox) = &self.0.inbox {
            return inbox.take().await;
        }
        let message = loop {
            if let Some(remainder) = self.0.remainder.get() {
                break remainder.next(&*self.0.channel).await?;
            }
            match self.poll().await? {
                DataChannelEvent::OnMessage(message) => break message,
                DataChannelEvent::OnClose => {
                    self.0.remainder.get_or_init(|| Remainder::new(&self.0.channels.ticks));
                }
                _ => {}
            }
        };
        if self.is_leave(&message) {
            self.0.has_left.store(true, Ordering::Relaxed);
            return None;
        }
        Some(into_message(message))
    }

    /// Returns the reason why nothing more comes, once that is known. Earlier messages may still wait to be
    /// read.
    pub fn end(&self) -> Option<ChannelEnd> {
        self.0.inbox.as_ref()?.end()
    }

    /// Waits until the partner has confirmed the main channel, which this side opens.
    pub(crate) async fn opened(&self) -> Result<(), DirectSendError> {
        loop {
            match self.poll().await {
                Some(DataChannelEvent::OnOpen) => return Ok(()),
                Some(DataChannelEvent::OnClose) | None => return Err(DirectSendError::Closed),
                Some(_) => {}
            }
        }
    }

    async fn poll(&self) -> Option<DataChannelEvent> {
        if self.0.has_left.load(Ordering::Relaxed) {
            return None;
        }
        tokio::select! {
            biased;
            event = self.0.channel.poll() => event,
            () = self.0.channels.gone() => None,
        }
    }

    /// Waits until everything that was sent has arrived, then closes the channel on both sides. Messages of
    /// the partner that are under way still arrive, and can be read.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropping the last clone closes the channel all the same.
    pub async fn close(&self) {
        self.delivered().await.ok();
        match &self.0.inbox {
            Some(inbox) => inbox.close().await,
            None => self.shut().await,
        }
    }

    /// Returns whether a message announces that the partner sends nothing more.
    fn is_leave(&self, message: &RTCDataChannelMessage) -> bool {
        message.is_string && message.data.is_empty() && self.0.channels.partner_counts()
    }

    /// Announces to the partner that this side sends nothing more. For the connection's task only.
    pub(crate) async fn take_leave(&self) {
        self.0.channel.send_text("").await.ok();
    }

    /// Closes the channel at once. For the connection's task only.
    pub(crate) async fn shut(&self) {
        self.0.channel.close().await.ok();
    }

    /// Waits until the partner has closed its side as well, or the connection has ended. For the connection's
    /// task only.
    pub(crate) async fn gone(&self) {
        loop {
            let tick = self.0.channels.ticks.next();
            match self.0.channel.ready_state().await {
                Ok(RTCDataChannelState::Closed) | Err(_) => return,
                Ok(_) => {}
            }
            if self.delivery().wait_for(tick).await.is_err() {
                return;
            }
        }
    }
}

impl fmt::Debug for DirectChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectChannel").field("label", &self.0.terms.label).finish_non_exhaustive()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // The main channel lasts as long as its connection.
        let Some(inbox) = self.inbox.take() else { return };
        inbox.abandon();
        if self.channels.ticks.gone.is_cancelled() {
            return;
        }
        // The last clone closes the channel when what was sent has arrived: its end might overtake messages
        // of a channel that is not ordered.
        let (channel, channels) = (Arc::clone(&self.channel), Arc::clone(&self.channels));
        self.channels.closings.give(async move {
            let (channel, channels) = (&channel, &*channels);
            let delivery = Delivery { channel, channels, is_handed_over: false };
            delivery.delivered().await.ok();
            inbox.close().await;
        });
    }
}
