//! A channel as `AsyncRead + AsyncWrite`.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;

use super::channel::DirectChannel;
use super::channels::Begun;
use super::error::{ChannelEnd, DirectSendError};
use super::message::ChannelMessage;
use super::sending::Reserved;

/// Length of the messages that a stream is cut into, in bytes. Every partner takes it, and a longer one gains
/// nothing.
const CHUNK: usize = 16 << 10;

type InProgress<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A [`DirectChannel`] as a stream of bytes, for `tokio::io::copy` and the like.
///
/// The content of the partner's messages is one sequence of bytes. Writing waits while the window is full or
/// the partner does not read. What was accepted is sent without a further call. Shutting down waits until
/// everything has arrived, then closes the channel in both directions: there is no half-close.
///
/// Reading ends when the partner has closed the channel. If anything else ended the channel, such as the end of
/// the connection or this side's own shutdown, reading fails with [`io::ErrorKind::ConnectionReset`], whose
/// source is a [`ChannelEnd`]: what was read is not all. A partner that drops its channel half way closes it
/// as well, so data that must be complete has to state its own length.
///
/// # Examples
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/direct/example.rs"));
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (alice, mut bob) = connected().await?;
/// use socketio_p2p_client::direct::{ChannelOptions, DirectEvent};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// let mut writer = alice.connection.open("file", ChannelOptions::default()).await?.into_stream();
/// let Some(DirectEvent::Channel(channel)) = bob.events.recv().await else { panic!("no channel") };
/// let mut reader = channel.into_stream();
///
/// let write = async {
///     writer.write_all(&[7; 100_000]).await?;
///     writer.shutdown().await
/// };
/// let mut file = Vec::new();
/// tokio::try_join!(write, reader.read_to_end(&mut file))?;
///
/// assert_eq!(file, [7; 100_000]);
/// # Ok(())
/// # }
/// ```
pub struct ChannelStream {
    channel: DirectChannel,
    unread: Bytes,
    reading: Option<InProgress<Option<ChannelMessage>>>,
    reserving: Option<InProgress<Result<Reserved, DirectSendError>>>,
    /// The chunk that the connection's task sends.
    sending: Option<oneshot::Receiver<Result<(), DirectSendError>>>,
    closing: Option<InProgress<()>>,
}

impl DirectChannel {
    /// Turns the channel into a stream of bytes.
    pub fn into_stream(self) -> ChannelStream {
        ChannelStream {
            channel: self,
            unread: Bytes::new(),
            reading: None,
            reserving: None,
            sending: None,
            closing: None,
        }
    }
}

impl ChannelStream {
    /// Returns the channel itself.
    pub fn channel(&self) -> &DirectChannel {
        &self.channel
    }

    /// Waits for room for a chunk of at most `len` bytes.
    fn poll_reserve(
        &mut self,
        len: usize,
        context: &mut Context<'_>,
    ) -> Poll<Result<Reserved, DirectSendError>> {
        if self.reserving.is_none()
            && let Some(reserved) = self.channel.try_reserve(len)
        {
            return Poll::Ready(reserved);
        }
        loop {
            let reserving = self.reserving.get_or_insert_with(|| {
                let channel = self.channel.clone();
                Box::pin(async move { channel.reserve(len).await })
            });
            let reserved = ready!(reserving.as_mut().poll(context));
            self.reserving = None;
            match reserved {
                // Reserved by an earlier call, which had more to write: the credit must be exact.
                Ok(reserved) if reserved.len() > len => {}
                reserved => return Poll::Ready(reserved),
            }
        }
    }

    /// Waits for the chunk that the connection's task sends.
    fn poll_sending(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(sending) = &mut self.sending else { return Poll::Ready(Ok(())) };
        let sent = ready!(Pin::new(sending).poll(context));
        self.sending = None;
        Poll::Ready(sent.unwrap_or(Err(DirectSendError::Closed)).map_err(broken))
    }
}

impl AsyncRead for ChannelStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // An empty message is not the end.
        while this.unread.is_empty() {
            let reading = this.reading.get_or_insert_with(|| {
                let channel = this.channel.clone();
                Box::pin(async move { channel.recv().await })
            });
            let message = ready!(reading.as_mut().poll(context));
            this.reading = None;
            match message {
                Some(message) => this.unread = message.into_bytes(),
                None => return Poll::Ready(ended(this.channel.end())),
            }
        }
        let length = this.unread.len().min(buffer.remaining());
        buffer.put_slice(&this.unread[..length]);
        this.unread.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ChannelStream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_sending(context))?;
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let length = bytes.len().min(CHUNK).min(this.channel.max_message());
        let reserved = ready!(this.poll_reserve(length, context)).map_err(broken)?;
        // The room may be less, if an earlier call had less to write.
        let length = length.min(reserved.len());
        match reserved.begin(Bytes::copy_from_slice(&bytes[..length]).into()) {
            Begun::Done(sent) => sent.map_err(broken)?,
            Begun::HandedOver(sending) => this.sending = Some(sending),
        }
        Poll::Ready(Ok(length))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_sending(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_sending(context))?;
        // A write that waits was not accepted. That it has failed is reported all the same.
        if let Some(mut reserving) = this.reserving.take()
            && let Poll::Ready(Err(error)) = reserving.as_mut().poll(context)
        {
            return Poll::Ready(Err(broken(error)));
        }
        let closing = this.closing.get_or_insert_with(|| {
            let channel = this.channel.clone();
            Box::pin(async move { channel.close().await })
        });
        ready!(closing.as_mut().poll(context));
        this.closing = None;
        Poll::Ready(Ok(()))
    }
}

fn broken(error: DirectSendError) -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, error)
}

fn ended(end: Option<ChannelEnd>) -> io::Result<()> {
    match end {
        Some(ChannelEnd::Partner) => Ok(()),
        end => {
            let end = end.unwrap_or(ChannelEnd::Connection);
            Err(io::Error::new(io::ErrorKind::ConnectionReset, end))
        }
    }
}

impl fmt::Debug for ChannelStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ChannelStream").field(&self.channel).finish()
    }
}
