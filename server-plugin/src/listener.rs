//! A TCP listener that acknowledges at once, and meters what it writes.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
};

use crate::meter::MeteredStream;

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
/// whose peer takes nothing for 20 s (`TCP_USER_TIMEOUT`). Its connections are [metered](MeteredStream).
#[derive(Debug)]
pub struct QuickAckListener(TcpListener);

/// A connection of a [`QuickAckListener`].
#[derive(Debug)]
pub struct QuickAckStream(MeteredStream<TcpStream>);

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
        Ok((QuickAckStream(MeteredStream::new(stream)), address))
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
        SockRef::from(self.0.get_ref()).set_tcp_quickack(true).ok(); // It would only be slower.
    }
}

impl AsyncRead for QuickAckStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let result = ready!(Pin::new(&mut self.0).poll_read(cx, buf));
        if self.0.is_quick() {
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
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
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
