//! One data channel: messages both ways, with backpressure.

use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::Instant;
use tokio_util::sync::WaitForCancellationFuture;
use webrtc::data_channel::{DataChannel, DataChannelEvent, RTCDataChannelState};

use super::error::{ChannelEnd, DirectSendError};
use super::inbox::{Inbox, is_counted, pump};
use super::stack::{MAX_MESSAGE, Turns};
use super::stream::ChannelStream;
use super::window::{FLOOR, Window};

/// How long a sender waits at most before it looks again whether something was confirmed. The
/// driver's turns wake it before.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A channel is opened so long and two round trips after the last one has ended.
const REUSE: Duration = Duration::from_millis(50);

/// What travels over a channel, unframed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ChannelMessage {
    /// A text, which a JavaScript partner receives as a string.
    Text(String),
    /// Bytes. A text that is not UTF-8 arrives so as well.
    Binary(Bytes),
}

impl ChannelMessage {
    /// Its length in bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    /// Whether there is nothing in it. Such a message can be received, not sent.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is in it, without the difference between text and bytes.
    pub fn into_bytes(self) -> Bytes {
        match self {
            Self::Text(text) => text.into(),
            Self::Binary(bytes) => bytes,
        }
    }
}

impl From<&str> for ChannelMessage {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for ChannelMessage {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Bytes> for ChannelMessage {
    fn from(bytes: Bytes) -> Self {
        Self::Binary(bytes)
    }
}

impl From<Vec<u8>> for ChannelMessage {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Binary(bytes.into())
    }
}

/// What a raw channel promises. The default: all of it, in order.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ChannelOptions {
    /// Whether messages arrive in the order in which they were sent. Default: yes.
    pub ordered: bool,
    /// How often a lost message is sent again. Default: until it arrives. Not together with
    /// `max_packet_life_time`.
    pub max_retransmits: Option<u16>,
    /// For how many milliseconds a lost message is sent again. Default: until it arrives.
    pub max_packet_life_time: Option<u16>,
    /// A name for what the application speaks over it. Default: empty.
    pub protocol: String,
}

impl Default for ChannelOptions {
    fn default() -> Self {
        Self {
            ordered: true,
            max_retransmits: None,
            max_packet_life_time: None,
            protocol: String::new(),
        }
    }
}

impl ChannelOptions {
    /// Messages may arrive in any order, and a lost one is sent again at most `max_retransmits` times.
    pub fn unreliable(max_retransmits: u16) -> Self {
        Self { ordered: false, max_retransmits: Some(max_retransmits), ..Self::default() }
    }

    /// Whether a message may be lost.
    pub(crate) fn is_lossy(&self) -> bool {
        self.max_retransmits.is_some() || self.max_packet_life_time.is_some()
    }

    pub(crate) fn are_possible(&self, label: &str) -> bool {
        let lengths = [label.len(), self.protocol.len()];
        (self.max_retransmits.is_none() || self.max_packet_life_time.is_none())
            && lengths.iter().all(|&length| length <= MAX_NAME)
    }
}

/// The longest label and the longest protocol of a channel, in bytes.
const MAX_NAME: usize = 1024;

/// What the channels of a connection share.
pub(crate) struct Link {
    turns: Arc<Turns>,
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
    /// Dropped by everyone, and to be closed by the connection's owner.
    abandoned: Mutex<Vec<Abandoned>>,
    /// Told when something was put there.
    pub(crate) abandonment: Notify,
    /// How many channels are open, this end's and the partner's.
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
            abandoned: Mutex::default(),
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

    pub(crate) fn is_main(&self, channel: &Arc<dyn DataChannel>) {
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
        let (len, limit) = (message.len(), self.max_message.load(Ordering::Relaxed));
        if len == 0 {
            return Err(DirectSendError::Empty);
        }
        if len > limit {
            return Err(DirectSendError::TooLong { len, limit });
        }
        Ok(())
    }

    pub(crate) fn take_abandoned(&self) -> Vec<Abandoned> {
        std::mem::take(&mut self.abandoned.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn abandon(&self, channel: Abandoned) {
        self.abandoned.lock().unwrap_or_else(PoisonError::into_inner).push(channel);
        self.abandonment.notify_one();
    }
}

/// A channel that nobody holds any more.
pub(crate) struct Abandoned {
    channel: Arc<dyn DataChannel>,
    inbox: Option<Arc<Inbox>>,
    turns: Arc<Turns>,
}

impl Abandoned {
    /// Closes it when what was sent has arrived, or after `linger`.
    pub(crate) async fn close(self, linger: Duration) {
        tokio::time::timeout(linger, delivered(&*self.channel, &self.turns)).await.ok();
        match self.inbox {
            Some(inbox) => inbox.close().await,
            None => {
                self.channel.close().await.ok();
            }
        }
    }
}

/// A data channel to the partner: messages as they are, without frames.
///
/// Cheap to clone. It is closed by [`Self::close`], by the partner, with its connection, or after its
/// last clone was dropped; what was sent arrives before.
///
/// What is not read makes a partner of ours wait when it is 1 MiB, and holds up no other channel. A
/// partner that does not know of that, a browser, has the channel closed when it is 8 MiB: then its
/// end is [`ChannelEnd::Unread`]. On a channel that may lose messages, what is too much is lost.
#[derive(Clone)]
pub struct DirectChannel(Arc<Inner>);

struct Inner {
    channel: Arc<dyn DataChannel>,
    label: String,
    link: Arc<Link>,
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
        link.is_main(&channel);
        Self::new(channel, label, link, None)
    }

    /// Any other, and its pump.
    pub(crate) fn raw(
        channel: Arc<dyn DataChannel>,
        label: String,
        link: Arc<Link>,
        is_lossy: bool,
    ) -> (Self, impl Future<Output = ()> + Send + use<>) {
        let inbox = Arc::new(Inbox::new(Arc::clone(&link), is_lossy));
        let pump = pump(Arc::clone(&channel), Arc::clone(&inbox));
        (Self::new(channel, label, link, Some(inbox)), pump)
    }

    fn new(
        channel: Arc<dyn DataChannel>,
        label: String,
        link: Arc<Link>,
        inbox: Option<Arc<Inbox>>,
    ) -> Self {
        link.open.fetch_add(1, Ordering::Relaxed);
        let (credit, closed) = (tokio::sync::Mutex::new(0), AtomicBool::new(false));
        Self(Arc::new(Inner { channel, label, link, inbox, credit, closed }))
    }

    /// The name that its opener gave it. Several may have the same.
    pub fn label(&self) -> &str {
        &self.0.label
    }

    /// The longest message that the partner takes, in bytes. 16 KiB suit every partner.
    pub fn max_message(&self) -> usize {
        self.0.link.max_message.load(Ordering::Relaxed)
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
            let window = self.0.link.window_bytes.load(Ordering::Relaxed);
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
                DataChannelEvent::OnMessage(message) => return Some(into_message(message)),
                DataChannelEvent::OnClose => {
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

    /// Closes the channel at once.
    pub(crate) async fn shut(&self) {
        self.0.channel.close().await.ok();
    }

    /// Bytes to read and write instead of messages.
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
        self.link.open.fetch_sub(1, Ordering::Relaxed);
        let inbox = self.inbox.take();
        if let Some(inbox) = &inbox {
            inbox.abandon();
        }
        if !self.link.turns.gone.is_cancelled() {
            let channel = Arc::clone(&self.channel);
            let turns = Arc::clone(&self.link.turns);
            self.link.abandon(Abandoned { channel, inbox, turns });
        }
    }
}

async fn delivered(channel: &dyn DataChannel, turns: &Turns) -> Result<(), DirectSendError> {
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
async fn in_flight(channel: &dyn DataChannel, turns: &Turns) -> Result<usize, DirectSendError> {
    if turns.gone.is_cancelled() {
        return Err(DirectSendError::Closed);
    }
    channel.outstanding_bytes().await.map_err(|_| DirectSendError::Closed)
}

/// Waits until something may have been confirmed.
async fn wait_for(turn: Notified<'_>, turns: &Turns) -> Result<(), DirectSendError> {
    tokio::select! {
        () = turn => Ok(()),
        () = tokio::time::sleep(LOOK_AGAIN) => Ok(()),
        () = turns.gone.cancelled() => Err(DirectSendError::Closed),
    }
}

pub(crate) fn into_message(message: webrtc::data_channel::RTCDataChannelMessage) -> ChannelMessage {
    let bytes = message.data.freeze();
    if !message.is_string {
        return ChannelMessage::Binary(bytes);
    }
    match String::from_utf8(bytes.into()) {
        Ok(text) => ChannelMessage::Text(text),
        Err(error) => ChannelMessage::Binary(error.into_bytes().into()),
    }
}
