//! Sending over a channel: room, order, and what may be lost.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use futures_util::FutureExt;
use socketio_p2p_protocol::limits::CHANNEL_PATIENCE;
use tokio::sync::OwnedMutexGuard;
use tokio::time::{Instant, timeout_at};
use webrtc::data_channel::DataChannel;

use super::channel::DirectChannel;
use super::channels::Begun;
use super::error::DirectSendError;
use super::message::ChannelMessage;
use super::sender::Sender;

/// Room for one message, and its place in the order.
pub(crate) struct Reserved {
    channel: DirectChannel,
    sender: OwnedMutexGuard<Sender>,
    len: usize,
    is_unused: bool,
}

impl DirectChannel {
    /// Sends one message, once the window has room for it and the partner has read enough of the earlier
    /// ones. It may arrive later: [`Self::delivered`] waits for that.
    ///
    /// A call that is neither polled nor dropped holds up later calls on this channel, and nothing else.
    ///
    /// # Errors
    ///
    /// [`DirectSendError::Empty`] and [`DirectSendError::TooLong`] at once; nothing was sent then.
    /// [`DirectSendError::Late`] if the channel may lose messages and this one cannot leave within 100 ms.
    /// [`DirectSendError::Closed`] if the channel is closed, also while this waits; [`Self::end`] returns the
    /// reason. It is unknown then whether the partner has read the earlier messages.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: if this does not resolve, the message may have been sent.
    pub async fn send(&self, message: impl Into<ChannelMessage>) -> Result<(), DirectSendError> {
        let message = message.into();
        self.0.channels.check(&message)?;
        if self.0.carriage.is_lossy() {
            return self.send_in_time(message).await;
        }
        let reserved = self.reserve(message.len()).await?;
        match &self.0.inbox {
            // The main channel's messages are sent by the connection's task, or polled by it.
            None => reserved.take().put(message).await,
            Some(_) => reserved.begin(message).finished().await,
        }
    }

    /// Sends one message, if it need not wait.
    ///
    /// # Errors
    ///
    /// [`DirectSendError::Full`] if it would have to wait: for the window, for the partner to read, for an earlier
    /// call, or for the connection, which may be busy for a moment. The errors of [`Self::send`], at once.
    pub fn try_send(&self, message: impl Into<ChannelMessage>) -> Result<(), DirectSendError> {
        let message = message.into();
        self.0.channels.check(&message)?;
        let reserved = if self.0.carriage.is_lossy() {
            self.try_reserve_in_time(message.len())?
        } else {
            self.try_reserve(message.len()).unwrap_or(Err(DirectSendError::Full))?
        };
        match reserved.begin(message) {
            Begun::Done(sent) => sent,
            Begun::HandedOver(_) => Ok(()),
        }
    }

    /// Reserves room for a message of this length, and its place in the order.
    pub(crate) async fn reserve(&self, len: usize) -> Result<Reserved, DirectSendError> {
        let mut sender = Arc::clone(&self.0.sender).lock_owned().await;
        if sender.credit < len {
            sender.credit = self.delivery().room_for(len).await?;
        }
        if let Some(inbox) = &self.0.inbox {
            inbox.spend(len).await?;
        }
        Ok(Reserved { channel: self.clone(), sender, len, is_unused: true })
    }

    /// Does what [`Self::reserve`] does, or returns `None` if it has to wait.
    pub(crate) fn try_reserve(&self, len: usize) -> Option<Result<Reserved, DirectSendError>> {
        let mut sender = Arc::clone(&self.0.sender).try_lock_owned().ok()?;
        if sender.credit < len {
            match self.delivery().room_for(len).now_or_never()? {
                Ok(room) => sender.credit = room,
                Err(error) => return Some(Err(error)),
            }
        }
        if let Some(inbox) = &self.0.inbox
            && let Err(error) = inbox.try_spend(len)?
        {
            return Some(Err(error));
        }
        Some(Ok(Reserved { channel: self.clone(), sender, len, is_unused: true }))
    }

    /// Sends a message part by part, as the transport takes them, and not too late.
    async fn send_in_time(&self, message: ChannelMessage) -> Result<(), DirectSendError> {
        let deadline = Instant::now() + CHANNEL_PATIENCE;
        let sending = async {
            let mut sender = Arc::clone(&self.0.sender).lock_owned().await;
            for part in sender.parts(self.0.carriage, message) {
                self.has_room(&mut sender, part.len()).await?;
                self.is_open()?;
                sender.spend(part.len());
                let channel = Arc::clone(&self.0.channel);
                self.0.channels.traffic.count_sent();
                let sent = self.0.channels.begin(async move { put(&*channel, part).await });
                sent.finished().await?;
            }
            Ok(())
        };
        timeout_at(deadline, sending).await.unwrap_or(Err(DirectSendError::Late))
    }

    fn try_reserve_in_time(&self, len: usize) -> Result<Reserved, DirectSendError> {
        let sender = Arc::clone(&self.0.sender).try_lock_owned();
        let mut sender = sender.map_err(|_| DirectSendError::Full)?;
        let room = self.has_room(&mut sender, len).now_or_never();
        room.unwrap_or(Err(DirectSendError::Full))?;
        self.is_open()?;
        Ok(Reserved { channel: self.clone(), sender, len, is_unused: true })
    }

    /// Waits until what is handed over leaves without waiting long.
    async fn has_room(&self, sender: &mut Sender, len: usize) -> Result<(), DirectSendError> {
        while sender.credit < len {
            let tick = self.0.channels.ticks.next(); // Before the question, or an answer may be missed.
            let held = self.delivery().in_flight().await?;
            let round_trip = self.0.channels.round_trip().unwrap_or(Duration::ZERO);
            let room = sender.window.room(held, round_trip, std::time::Instant::now());
            if room > 0 && held < self.0.channels.window_bytes() {
                sender.credit = room.max(len);
                break;
            }
            self.delivery().wait_for(tick).await?;
        }
        Ok(())
    }

    /// Refuses to send over a channel that has ended. A channel that may lose messages counts none.
    fn is_open(&self) -> Result<(), DirectSendError> {
        match self.0.inbox.as_ref().and_then(|inbox| inbox.try_spend(0)) {
            Some(Err(error)) => Err(error),
            _ => Ok(()),
        }
    }
}

impl Reserved {
    /// Returns the length for which there is room.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Sends a message of the reserved length. If webrtc has to wait for its lock, the connection's task sends the
    /// message, also if the caller does not wait for it. Later messages wait for that.
    pub(crate) fn begin(self, message: ChannelMessage) -> Begun<Result<(), DirectSendError>> {
        let channels = Arc::clone(&self.channel.0.channels);
        channels.traffic.count_sent();
        channels.begin(self.take().put(message))
    }

    /// Spends the room.
    fn take(mut self) -> Self {
        self.is_unused = false;
        let len = self.len;
        self.sender.spend(len);
        self
    }

    async fn put(mut self, message: ChannelMessage) -> Result<(), DirectSendError> {
        let carriage = self.channel.0.carriage;
        for part in self.sender.parts(carriage, message) {
            put(&*self.channel.0.channel, part).await?;
        }
        Ok(())
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if self.is_unused
            && let Some(inbox) = &self.channel.0.inbox
        {
            inbox.refund(self.len);
        }
    }
}

async fn put(channel: &dyn DataChannel, message: ChannelMessage) -> Result<(), DirectSendError> {
    let sent = match message {
        ChannelMessage::Text(text) => channel.send_text(&text).await,
        ChannelMessage::Binary(bytes) => channel.send(BytesMut::from(bytes)).await,
    };
    sent.map_err(|_| DirectSendError::Closed)
}
