//! A TCP listener that acknowledges at once, and meters what it writes.

#[cfg(feature = "axum")]
use std::any::Any;
use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use socket2::{SockRef, TcpKeepalive};
#[cfg(any(target_os = "linux", doc))]
use socketio_p2p_protocol::limits::UNSENT_BYTES;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
};

use super::{meter::MeteredStream, strangers::Strangers};

/// The time after which the kernel gives up the rest of a connection that was closed here. Without it a
/// peer that stopped reading keeps the socket, and what waits in it, for a quarter of an hour. It is not set before:
/// Linux counts the time in which the next segment does not fit into a small window, also while the peer takes one
/// after the other.
#[cfg(target_os = "linux")]
const USER_TIMEOUT: Duration = Duration::from_secs(20);

#[cfg(target_os = "linux")]
const UNSENT: u32 = UNSENT_BYTES as u32;

/// The silence after which the kernel asks a peer for life, the interval at which it asks again, and how often, where
/// that can be set. A machine that is gone is noticed also if nothing is
/// sent to it; a page or a process that is only busy is kept, for its kernel answers.
const KEEPALIVE: TcpKeepalive =
    TcpKeepalive::new().with_time(Duration::from_secs(10)).with_interval(Duration::from_secs(5));

#[cfg(target_os = "linux")]
const KEEPALIVE_RETRIES: u32 = 2;

/// A TCP listener for [`axum::serve()`], for clients that leave Nagle's algorithm on.
///
/// rust_socketio leaves it on and has no setting for it: its second small message waits until the
/// first is acknowledged, which a receiver delays by 40 ms in the hope of an answer to send along.
/// If a client asks with the header `p2p-quick-ack`, as this project's client does, this listener
/// acknowledges at once (`TCP_QUICKACK`, on Linux only). Other clients are left alone: an
/// acknowledgement for each message would cost up to a fifth of a busy server. The listener also
/// sends small messages at once (`TCP_NODELAY`), gives up connections whose peer, asked by the
/// kernel, is silent for 20 s (`SO_KEEPALIVE`), and what is left of closed ones after that time
/// (`TCP_USER_TIMEOUT`), keeps the kernel from holding more than [`UNSENT_BYTES`] that it has not sent (`TCP_NOTSENT_LOWAT`, on Linux), and logs failures to
/// accept a connection at most every 10 s. When no descriptor is left, the oldest connection without a session
/// makes room for the next. Its connections are [metered](MeteredStream).
#[derive(Debug)]
pub struct QuickAckListener {
    listener: TcpListener,
    strangers: Arc<Strangers>,
    /// The failed attempts to accept a connection.
    #[cfg(feature = "axum")]
    failures: crate::observe::Limited,
}

/// A connection of a [`QuickAckListener`].
#[derive(Debug)]
pub struct QuickAckStream(MeteredStream<TcpStream>);

impl QuickAckListener {
    /// Listens on an address; port 0 takes any free port.
    ///
    /// # Errors
    ///
    /// Errors of the system.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn bind(address: impl tokio::net::ToSocketAddrs) -> io::Result<Self> {
        Ok(TcpListener::bind(address).await?.into())
    }

    /// Returns the address on which it listens.
    ///
    /// # Errors
    ///
    /// Errors of the system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Waits for the next connection.
    ///
    /// # Errors
    ///
    /// Errors of the system; most concern one connection only. If no descriptor is left, the oldest connection
    /// without a session is being ended.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: no connection is lost.
    pub async fn accept(&self) -> io::Result<(QuickAckStream, SocketAddr)> {
        let accepted = self.listener.accept().await.inspect_err(|error| {
            if is_out_of_descriptors(error) {
                self.strangers.cut_oldest();
            }
        });
        let (stream, address) = accepted?;
        stream.set_nodelay(true)?;
        let socket = SockRef::from(&stream);
        #[cfg(target_os = "linux")]
        {
            socket.set_tcp_keepalive(&KEEPALIVE.with_retries(KEEPALIVE_RETRIES))?;
            socket.set_tcp_notsent_lowat(UNSENT)?;
        }
        #[cfg(not(target_os = "linux"))]
        socket.set_tcp_keepalive(&KEEPALIVE)?;
        let metered = MeteredStream::new(stream).with_peer_addr(address).among(&self.strangers);
        Ok((QuickAckStream(metered), address))
    }
}

impl From<TcpListener> for QuickAckListener {
    fn from(listener: TcpListener) -> Self {
        Self {
            listener,
            strangers: Arc::default(),
            #[cfg(feature = "axum")]
            failures: crate::observe::Limited::new(),
        }
    }
}

impl QuickAckStream {
    /// Asks the kernel to acknowledge at once. The kernel forgets it, so this is repeated after each
    /// read.
    fn acknowledge(&self) {
        #[cfg(target_os = "linux")]
        SockRef::from(self.0.get_ref()).set_tcp_quickack(true).ok(); // It would only be slower.
    }
}

impl Drop for QuickAckStream {
    fn drop(&mut self) {
        #[cfg(target_os = "linux")]
        SockRef::from(self.0.get_ref()).set_tcp_user_timeout(Some(USER_TIMEOUT)).ok(); // It would only take longer.
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
        /// The pause after an error: a busy loop finds no descriptor where the system has none left.
        const RETRY: Duration = Duration::from_millis(100);
        /// The pause after the oldest connection without a session was ended to make room.
        const CLOSES: Duration = Duration::from_millis(5);
        loop {
            match Self::accept(self).await {
                Ok(accepted) => return accepted,
                // That connection is gone already; the next one need not wait.
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    self.failures.log(
                        |failed| tracing::warn!(%error, failed, "accepting a connection failed"),
                    );
                    let makes_room = is_out_of_descriptors(&error) && !self.strangers.is_empty();
                    tokio::time::sleep(if makes_room { CLOSES } else { RETRY }).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Self::local_addr(self)
    }
}

/// Returns whether the process or the system has no descriptor left: `EMFILE` and `ENFILE`, as Unix numbers them.
fn is_out_of_descriptors(error: &io::Error) -> bool {
    cfg!(unix) && matches!(error.raw_os_error(), Some(23 | 24))
}

#[cfg(feature = "axum")]
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, NotConnected};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | NotConnected)
}

/// A listener around any other, whose connections are metered: the plugin then knows how much waits
/// for a client. [`QuickAckListener`](crate::QuickAckListener) has this built in.
#[cfg(feature = "axum")]
#[derive(Debug)]
pub struct MeteredListener<L>(L);

#[cfg(feature = "axum")]
impl<L> MeteredListener<L> {
    /// Wraps a listener.
    pub const fn new(listener: L) -> Self {
        Self(listener)
    }
}

#[cfg(feature = "axum")]
impl<L: axum::serve::Listener> axum::serve::Listener for MeteredListener<L> {
    type Io = MeteredStream<L::Io>;
    type Addr = L::Addr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (stream, address) = self.0.accept().await;
        let metered = MeteredStream::new(stream);
        match (&address as &dyn Any).downcast_ref() {
            Some(peer) => (metered.with_peer_addr(*peer), address),
            None => (metered, address),
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.0.local_addr()
    }
}
