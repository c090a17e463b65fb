//! A TCP listener that acknowledges at once.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use socket2::SockRef;
use socketio_p2p_protocol::wire::QUICK_ACK;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
};

/// How long unacknowledged data may be under way before the kernel gives a connection up. Without
/// it a peer that stops reading keeps its socket, and what waits in it, for a quarter of an hour.
const USER_TIMEOUT: Duration = Duration::from_secs(20);

/// A TCP listener for [`axum::serve()`], for clients that leave Nagle's algorithm on.
///
/// rust_socketio does, and cannot be told otherwise: its second small message waits until the
/// first is acknowledged, which a receiver delays by 40 ms in the hope of an answer to send along.
/// For a client that asks for it with the header `p2p-quick-ack`, as this project's does, this one
/// acknowledges at once (`TCP_QUICKACK`, on Linux; elsewhere it does nothing of the kind). Others
/// it leaves alone: an acknowledgement of its own for each message would cost up to a fifth of a
/// busy server. It also sends small messages at once itself (`TCP_NODELAY`), and gives up connections
/// whose peer takes nothing for 20 s (`TCP_USER_TIMEOUT`).
#[derive(Debug)]
pub struct QuickAckListener(TcpListener);

/// A connection of a [`QuickAckListener`].
#[derive(Debug)]
pub struct QuickAckStream {
    stream: TcpStream,
    /// Whether the client asked for it; unknown before its request.
    quick: Option<bool>,
}

impl QuickAckListener {
    /// Listens on this address; port 0 is any free one.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn bind(address: impl tokio::net::ToSocketAddrs) -> io::Result<Self> {
        Ok(Self(TcpListener::bind(address).await?))
    }

    /// The address it listens on.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// The next connection.
    ///
    /// # Errors
    ///
    /// What the system says; most errors concern one connection only.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: no connection is lost.
    pub async fn accept(&self) -> io::Result<(QuickAckStream, SocketAddr)> {
        let (stream, address) = self.0.accept().await?;
        stream.set_nodelay(true)?;
        #[cfg(target_os = "linux")]
        SockRef::from(&stream).set_tcp_user_timeout(Some(USER_TIMEOUT))?;
        Ok((QuickAckStream { stream, quick: None }, address))
    }
}

impl From<TcpListener> for QuickAckListener {
    fn from(listener: TcpListener) -> Self {
        Self(listener)
    }
}

impl QuickAckStream {
    /// The kernel falls back to delaying by itself, so this is said after each read.
    fn acknowledge(&self) {
        #[cfg(target_os = "linux")]
        SockRef::from(&self.stream).set_tcp_quickack(true).ok(); // It would only be slower.
    }

    /// Whether a piece of the request says that it asks for it, or that it ends without.
    ///
    /// A server reads it in few pieces: its first bytes, to tell HTTP/1 from 2, and the rest. If
    /// the name of the header is cut in two, the connection is only slower.
    fn asks(piece: &[u8]) -> Option<bool> {
        let has = |text: &[u8]| piece.windows(text.len()).any(|at| at.eq_ignore_ascii_case(text));
        if has(QUICK_ACK.as_bytes()) { Some(true) } else { has(b"\r\n\r\n").then_some(false) }
    }
}

impl AsyncRead for QuickAckStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = ready!(Pin::new(&mut self.stream).poll_read(cx, buf));
        if self.quick.is_none() {
            self.quick = Self::asks(&buf.filled()[before..]);
        }
        if self.quick == Some(true) {
            self.acknowledge();
        }
        Poll::Ready(result)
    }
}

impl AsyncWrite for QuickAckStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(feature = "axum")]
impl axum::serve::Listener for QuickAckListener {
    type Io = QuickAckStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        /// When the system has no descriptor left, a busy loop would not find one.
        const RETRY: Duration = Duration::from_millis(100);
        loop {
            match Self::accept(self).await {
                Ok(accepted) => return accepted,
                // That one connection is gone already; the next need not wait.
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "connection not accepted");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Self::local_addr(self)
    }
}

#[cfg(feature = "axum")]
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, NotConnected};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | NotConnected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_client_that_asks_is_acknowledged_at_once() {
        assert_eq!(QuickAckStream::asks(b"GET /socket.io/?EIO=4"), None);
        assert_eq!(QuickAckStream::asks(b" HTTP/1.1\r\nP2P-Quick-Ack: 1\r\n\r\n"), Some(true));
        assert_eq!(QuickAckStream::asks(b" HTTP/1.1\r\nhost: here\r\n\r\n"), Some(false));
    }
}
