//! A channel as `AsyncRead + AsyncWrite`.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::channel::DirectChannel;
use super::error::{ChannelEnd, DirectSendError};
use super::message::ChannelMessage;

/// The length of the messages that a stream is cut into, in bytes: every partner takes it, and a
/// longer one gains nothing.
const CHUNK: usize = 16 << 10;

type Step<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A [`DirectChannel`] as a stream of bytes, for `tokio::io::copy` and the like.
///
/// Messages of the partner follow each other without a seam. Writing waits when the window is full, or
/// the partner does not read; shutting down waits until everything has arrived, then closes the channel,
/// both ways. What was written last may wait until the stream is read, written to, flushed or shut down.
///
/// Reading ends when the partner has closed the channel. If anything else ended it, the connection for
/// one, or this end's own shutdown, reading fails with [`io::ErrorKind::ConnectionReset`], whose source
/// is a [`ChannelEnd`]: what was read is not all. A partner that drops its channel half way closes it
/// as well: what has to be whole says by itself how long it is.
pub struct ChannelStream {
    channel: DirectChannel,
    unread: Bytes,
    reading: Option<Step<Option<ChannelMessage>>>,
    writing: Option<Step<Result<(), DirectSendError>>>,
    closing: Option<Step<()>>,
}

impl ChannelStream {
    pub(crate) fn new(channel: DirectChannel) -> Self {
        Self { channel, unread: Bytes::new(), reading: None, writing: None, closing: None }
    }

    /// The channel itself.
    pub fn channel(&self) -> &DirectChannel {
        &self.channel
    }

    /// Waits for the chunk that was accepted last.
    fn poll_writing(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(writing) = &mut self.writing else { return Poll::Ready(Ok(())) };
        let sent = ready!(writing.as_mut().poll(context));
        self.writing = None;
        Poll::Ready(sent.map_err(|error| io::Error::new(io::ErrorKind::BrokenPipe, error)))
    }
}

impl AsyncRead for ChannelStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // What was written last goes on its way as well; that it failed is for whoever writes.
        if let Some(writing) = &mut this.writing
            && let Poll::Ready(sent) = writing.as_mut().poll(context)
        {
            this.writing = sent.err().map(|error| Box::pin(std::future::ready(Err(error))) as _);
        }
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
        ready!(this.poll_writing(context))?;
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let length = bytes.len().min(CHUNK).min(this.channel.max_message());
        let chunk = Bytes::copy_from_slice(&bytes[..length]);
        let channel = this.channel.clone();
        this.writing = Some(Box::pin(async move { channel.send(chunk).await }));
        // Accepted in any case; what does not go out now is waited for by the next call.
        match this.poll_writing(context) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(length)),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_writing(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_writing(context))?;
        let closing = this.closing.get_or_insert_with(|| {
            let channel = this.channel.clone();
            Box::pin(async move { channel.close().await })
        });
        ready!(closing.as_mut().poll(context));
        this.closing = None;
        Poll::Ready(Ok(()))
    }
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
