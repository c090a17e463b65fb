//! Streams that count the bytes that the network takes from the server.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use socketio_p2p_protocol::limits::SILENCE;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

use super::{
    deadlines::Deadline,
    http_head::{Requests, Seen},
    key::Key,
    log,
    lull::Lull,
    oversize::Oversize,
    polling::Polling,
    polling_session::Session,
    question::PING,
    responses::{Responses, Said},
    strangers::{Stranger, Strangers},
    stream_handle::StreamHandle,
    streams::Registered,
};
/// The messages with which a client makes a websocket of a session that polls: a probe, and the upgrade itself.
const UPGRADE_MESSAGES: u8 = 2;

/// A byte stream that counts what is written, so that the plugin knows how much waits for a client.
///
/// It parses the HTTP requests and responses on it, and leaves alone what is no HTTP/1. It ends a connection
/// whose client does not send what is due: the first request within 10 s, the next one within 75 s after the
/// response, more of a body within 75 s. With TLS, put it inside: around the stream on which HTTP is spoken.
#[derive(Debug)]
pub struct MeteredStream<S> {
    stream: S,
    /// The address of the peer, for the log.
    peer: Option<SocketAddr>,
    requests: Requests,
    responses: Responses,
    deadline: Deadline,
    quick: bool,
    lull: Lull,
    polling: Polling,
    oversize: Oversize,
    /// The time at which something was received and not handed over.
    hidden_at: Option<Instant>,
    pub(super) handle: Arc<StreamHandle>,
    entry: Option<Registered>,
    /// Its place among the connections without a session.
    stranger: Option<Stranger>,
    /// `true` if all that was written has been flushed: no frame is half written.
    is_flushed: bool,
}

impl<S> MeteredStream<S> {
    /// Wraps a new stream, of which nothing was read yet.
    pub fn new(stream: S) -> Self {
        Self {
            stream,
            peer: None,
            requests: Requests::default(),
            responses: Responses::default(),
            deadline: Deadline::new(),
            quick: false,
            lull: Lull::default(),
            polling: Polling::default(),
            oversize: Oversize::default(),
            hidden_at: None,
            handle: Arc::new(StreamHandle::new()),
            entry: None,
            stranger: None,
            is_flushed: false,
        }
    }

    /// Sets the address of the peer, which the log lines about this connection then name.
    #[must_use]
    pub const fn with_peer_addr(mut self, address: SocketAddr) -> Self {
        self.peer = Some(address);
        self
    }

    /// Counts it among the connections of a listener until it carries a session.
    pub(super) fn among(mut self, strangers: &Arc<Strangers>) -> Self {
        self.stranger = Some(strangers.enter(&self.handle));
        self
    }

    /// Returns the stream below.
    pub const fn get_ref(&self) -> &S {
        &self.stream
    }

    /// Returns whether the client asks for TCP acknowledgements at once.
    pub(crate) const fn is_quick(&self) -> bool {
        self.quick
    }

    fn read_along(&mut self, bytes: &[u8]) {
        let Self { requests, responses, deadline, quick, polling, handle, entry, stranger, .. } =
            self;
        requests.read(bytes, |seen| {
            deadline.came();
            // The old entry goes first: the same request may be tried again.
            *entry = None;
            if let Seen::Request { quick: asks, key, is_head } = seen {
                responses.asked(is_head);
                *quick |= asks;
                handle.set_waits(true);
                if key.is_some() {
                    *stranger = None;
                }
                polling.began(key.as_ref());
                if let Some(Key::Session(id)) = &key
                    && let Some(session) = Session::find(id)
                    && let Some(longest) = session.longest()
                {
                    handle.leave_out_messages(longest.clone());
                }
                let key = key.filter(|key| !matches!(key, Key::Post(_)));
                *entry = key.and_then(|key| Registered::new(key, handle));
            }
        });
        if requests.is_lost() {
            deadline.came();
        }
    }

    /// Returns whether the reader of the websocket waits for a message that it does not see, and some of that
    /// came not long ago: the peer is alive.
    fn hides(&self) -> bool {
        self.hidden_at.is_some_and(|at| at.elapsed() < SILENCE)
            && self.requests.frames().is_some_and(|frames| self.oversize.hides(frames))
    }

    /// Puts the beginning of a header before what is read next. Returns `false` if there is no room: it is
    /// handed over in parts, and its message cannot be left out.
    fn put_kept(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        let Some(frames) = self.requests.frames_mut() else { return true };
        let kept = frames.kept();
        if kept.is_empty() {
            return true;
        }
        let has_room = buf.remaining() > kept.len();
        if has_room {
            buf.put_slice(kept);
        } else {
            self.oversize.give_up(frames);
        }
        has_room
    }

    /// Follows the frames of a websocket, and leaves out what is too long. Returns `false` if there is no
    /// websocket, or not yet a client on it.
    fn screen(&mut self, buf: &mut ReadBuf<'_>, before: usize) -> io::Result<bool> {
        let Self { requests, handle, oversize, peer, .. } = self;
        let (Some(longest), Some(frames)) = (handle.longest.get(), requests.frames_mut()) else {
            return Ok(false);
        };
        let left = oversize.screen(frames, &mut buf.filled_mut()[before..], longest);
        buf.set_filled(before + left);
        if let Some(attachments) = oversize.take_too_many() {
            log::too_many(attachments, *peer);
        }
        if oversize.is_broken() {
            log::too_long(*peer);
            return Err(io::ErrorKind::InvalidData.into());
        }
        if left == 0 {
            self.hidden_at = Some(Instant::now());
        }
        Ok(true)
    }

    /// Returns whether the session on the websocket still polls. Engine.IO ends a session that says anything else
    /// before its upgrade: no pong may come, neither ours nor an answer to a ping.
    fn is_upgrading(&self) -> bool {
        self.entry.as_ref().is_some_and(Registered::is_of_session)
            && self.requests.frames().is_none_or(|frames| frames.messages() < UPGRADE_MESSAGES)
    }

    /// Counts bytes of these pieces that were written. If that failed, the peer is gone: the reader learns it too,
    /// which may be waiting for something else.
    fn wrote(
        &mut self,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
        written: io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        let bytes = written.inspect_err(|_| self.handle.cut())?;
        let mut left = bytes;
        for piece in pieces {
            let piece = &piece[..left.min(piece.len())];
            let Self { responses, entry, peer, .. } = self;
            responses.wrote(piece, |said| match (said, &mut *entry) {
                (Said::Session(session), Some(entry)) => entry.opened(session),
                (Said::Session(_), None) => {}
                (Said::TooLarge(status), _) => log::too_large(status, *peer),
            });
            left -= piece.len();
        }
        if self.responses.are_complete() {
            // hyper 1.12 reads again when it is woken, and not before.
            let _ = self.deadline.poll_missed(true, cx);
        }
        self.handle.meter.took(bytes);
        self.handle.silence.sent(bytes);
        self.handle.set_waits(false);
        self.polling.wrote(pieces.first().map_or(&[], |first| &**first), bytes);
        Poll::Ready(Ok(bytes))
    }

    /// Returns the bytes that may be read now: fewer than there may be if a websocket is to wait in the
    /// next gap between two messages. A pong that is due is handed over instead: 0 bytes.
    fn poll_open(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<usize>> {
        if self.oversize.has_queue() {
            return Poll::Ready(Ok(usize::MAX)); // What was received is handed over first.
        }
        let is_upgrading = self.is_upgrading();
        let Self { requests, deadline, lull, polling, handle, .. } = self;
        if handle.poll_open(cx).is_pending()
            && !is_upgrading
            && let Some(frames) = requests.frames()
        {
            // It is not listened to.
            handle.heard();
            match frames.to_gap() {
                0 if lull.poll_pong(cx, buf).is_ready() => return Poll::Ready(Ok(0)),
                0 => {}
                bytes => return Poll::Ready(Ok(bytes)),
            }
        } else if polling.poll_open(requests.are_in_body(), cx).is_ready() {
            return Poll::Ready(Ok(usize::MAX));
        }
        deadline.heard();
        handle.wait(cx);
        handle.check()?;
        Poll::Pending
    }
}

impl<S: AsyncRead + Unpin> MeteredStream<S> {
    /// Reads at most so many bytes from the stream below.
    fn poll_some(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
        bytes: usize,
    ) -> Poll<io::Result<()>> {
        if bytes >= buf.remaining() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let mut part = ReadBuf::new(buf.initialize_unfilled_to(bytes));
        let read = Pin::new(&mut self.stream).poll_read(cx, &mut part);
        let bytes = part.filled().len();
        buf.advance(bytes);
        read
    }
}

impl<S: AsyncWrite + Unpin> MeteredStream<S> {
    /// Asks the peer of a websocket for a sign of life, if that is wanted and no frame is half written.
    fn ask(&mut self, cx: &mut Context<'_>) {
        if !self.handle.question.is_wanted() || !self.is_flushed {
            return;
        }
        // A client of Engine.IO 3 may have sent nothing yet.
        let has_session = self.entry.as_ref().is_some_and(Registered::has_opened);
        if !(has_session || self.requests.frames().is_some()) || self.is_upgrading() {
            return;
        }
        match Pin::new(&mut self.stream).poll_write(cx, PING) {
            Poll::Ready(Ok(written)) if written == PING.len() => {
                self.handle.question.asked();
                let _ = Pin::new(&mut self.stream).poll_flush(cx);
            }
            // Half of it could not be taken back.
            Poll::Ready(_) => self.handle.cut(),
            Poll::Pending => {}
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for MeteredStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        self.ask(cx);
        loop {
            let bytes = ready!(self.poll_open(cx, buf))?;
            if bytes == 0 || self.polling.give(buf) || self.oversize.give(buf) {
                return Poll::Ready(Ok(()));
            }
            if self.hides() && self.lull.poll_pong(cx, buf).is_ready() {
                return Poll::Ready(Ok(()));
            }
            if !self.put_kept(buf) {
                continue;
            }
            let filled = buf.filled().len();
            let in_body = self.requests.are_in_body();
            let read = self.poll_some(cx, buf, bytes);
            if buf.filled().len() == filled {
                buf.set_filled(before);
            }
            let Self { handle, requests, responses, deadline, .. } = &mut *self;
            if read.is_pending() {
                handle.wait(cx);
                let owes =
                    requests.are_in_body() || requests.are_in_head() && responses.are_complete();
                if deadline.poll_missed(owes, cx).is_ready() {
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
            }
            handle.check()?;
            ready!(read)?;
            handle.heard();
            if in_body {
                deadline.heard();
            }
            self.polling.heard();
            if buf.filled().len() == before {
                return Poll::Ready(Ok(()));
            }
            if self.screen(buf, before)? {
                if buf.filled().len() > before {
                    return Poll::Ready(Ok(()));
                }
                continue;
            }
            self.read_along(&buf.filled()[before..]);
            if !self.polling.keep(in_body, buf, before) {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for MeteredStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.handle.check()?;
        self.is_flushed = false;
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, buf));
        self.wrote(cx, &[io::IoSlice::new(buf)], written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = ready!(Pin::new(&mut self.stream).poll_flush(cx));
        self.is_flushed = flushed.is_ok();
        Poll::Ready(flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.handle.check()?;
        self.is_flushed = false;
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, bufs));
        self.wrote(cx, bufs, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests;
