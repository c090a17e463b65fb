//! Tokio as webrtc's driver sees it: larger sockets, owned tasks, and a view of its turns.

use std::future::{Future, poll_fn};
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use socket2::SockRef;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use webrtc::runtime::{
    AsyncInterval, AsyncTcpListener, AsyncTcpStream, AsyncUdpSocket, JoinHandle, Runtime,
    TokioRuntime,
};

use super::config::DirectConfig;

/// How long the name of a STUN or TURN server may take to resolve. Then that server is left out.
const RESOLVING: Duration = Duration::from_secs(1);
/// The driver's timer while a connection comes up.
const HURRY: Duration = Duration::from_millis(1);
/// For how long after the first connectivity it is that short, at most.
const HURRY_FOR: Duration = Duration::from_secs(2);

/// The driver's turns, as seen from its timers.
#[derive(Debug)]
pub(crate) struct Turns {
    started: Instant,
    /// Until when the driver is hurried, in milliseconds since `started`.
    hurried_until: AtomicU64,
    is_calm: AtomicBool,
    notify: Notify,
    /// Held while the driver is polled.
    polled: Mutex<()>,
    /// Cancelled when the driver is no more.
    pub(crate) gone: CancellationToken,
    /// Cancelled when the driver has told more than its owner took.
    pub(crate) overrun: CancellationToken,
}

impl Turns {
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            hurried_until: AtomicU64::new(0),
            is_calm: AtomicBool::new(false),
            notify: Notify::new(),
            polled: Mutex::new(()),
            gone: CancellationToken::new(),
            overrun: CancellationToken::new(),
        }
    }

    /// The end of the driver's next turn.
    pub(crate) fn next(&self) -> Notified<'_> {
        self.notify.notified()
    }

    /// Polls this only while the driver is not polled, which sees all of what a poll does or nothing.
    pub(crate) async fn apart<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        poll_fn(|context| {
            let _polled = self.polled.lock().unwrap_or_else(PoisonError::into_inner);
            future.as_mut().poll(context)
        })
        .await
    }

    /// From now on the driver looks again at once, until [`Self::calm`] or the limit.
    pub(crate) fn hurry(&self) {
        if self.is_calm.load(Ordering::Relaxed) {
            return; // The path came back under an open channel.
        }
        let until = self.started.elapsed() + HURRY_FOR;
        self.hurried_until.store(until.as_millis() as u64, Ordering::Relaxed);
    }

    /// The channel is open: from now on its own traffic keeps the driver going.
    pub(crate) fn calm(&self) {
        self.is_calm.store(true, Ordering::Relaxed);
        self.hurried_until.store(0, Ordering::Relaxed);
    }

    fn is_hurried(&self) -> bool {
        let until = self.hurried_until.load(Ordering::Relaxed);
        until != 0 && self.started.elapsed().as_millis() as u64 <= until
    }
}

/// Tokio, with larger sockets, owned tasks and a view of the driver's turns.
#[derive(Debug)]
pub(crate) struct TunedRuntime {
    inner: TokioRuntime,
    tasks: TaskTracker,
    turns: Arc<Turns>,
    /// The first of the tasks.
    driver: OnceLock<AbortHandle>,
    udp_buffer: usize,
    udp_granted: AtomicUsize,
    #[cfg(feature = "udp-faults")]
    faults: Option<Arc<dyn super::faults::UdpFaults>>,
}

impl TunedRuntime {
    /// Its tasks are among these.
    pub(crate) fn new(config: &DirectConfig, tasks: TaskTracker, turns: Arc<Turns>) -> Self {
        Self {
            inner: TokioRuntime,
            tasks,
            turns,
            driver: OnceLock::new(),
            udp_buffer: config.udp_buffer_bytes,
            udp_granted: AtomicUsize::new(0),
            #[cfg(feature = "udp-faults")]
            faults: config.faults.clone(),
        }
    }

    /// Ends the driver as it is.
    pub(crate) fn abort(&self) {
        if let Some(driver) = self.driver.get() {
            driver.abort();
        }
    }

    pub(crate) fn turns(&self) -> &Arc<Turns> {
        &self.turns
    }

    /// What the kernel granted to the smallest of the UDP sockets, in bytes; 0 before there is one.
    pub(crate) fn udp_granted(&self) -> usize {
        self.udp_granted.load(Ordering::Relaxed)
    }

    fn enlarge(&self, socket: &UdpSocket) -> io::Result<()> {
        let socket = SockRef::from(socket);
        let enlarged = socket
            .set_recv_buffer_size(self.udp_buffer)
            .and_then(|()| socket.set_send_buffer_size(self.udp_buffer));
        if let Err(error) = enlarged {
            tracing::debug!(%error, "the UDP buffers stay as they are");
        }
        let granted = socket.recv_buffer_size()?;
        let known = self.udp_granted.load(Ordering::Relaxed);
        let least = if known == 0 { granted } else { known.min(granted) };
        self.udp_granted.store(least, Ordering::Relaxed);
        Ok(())
    }
}

impl Runtime for TunedRuntime {
    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) -> Box<dyn JoinHandle> {
        if self.driver.get().is_some() {
            return Box::new(Task(self.tasks.spawn(future)));
        }
        // The first of the tasks is the driver: its end is told, however it comes.
        let gone = self.turns.gone.clone().drop_guard();
        let turns = Arc::clone(&self.turns);
        let driver = self.tasks.spawn(async move {
            let _gone = gone;
            turns.apart(future).await;
        });
        self.driver.set(driver.abort_handle()).ok();
        Box::new(Task(driver))
    }

    fn wrap_udp_socket(&self, socket: UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        // The one for multicast DNS needs no more than it has, and suffers nothing.
        if socket.local_addr()?.port() == rtc::mdns::MDNS_PORT {
            return self.inner.wrap_udp_socket(socket);
        }
        self.enlarge(&socket)?;
        let socket = self.inner.wrap_udp_socket(socket)?;
        #[cfg(feature = "udp-faults")]
        if let Some(faults) = &self.faults {
            let gone = self.turns.gone.clone();
            let faulty =
                super::faults::FaultySocket::new(socket, Arc::clone(faults), &self.tasks, gone);
            return Ok(Arc::new(faulty));
        }
        Ok(socket)
    }

    fn wrap_tcp_listener(&self, listener: TcpListener) -> io::Result<Arc<dyn AsyncTcpListener>> {
        self.inner.wrap_tcp_listener(listener)
    }

    fn connect_tcp<'a>(
        &'a self,
        remote: SocketAddr,
    ) -> Pin<Box<dyn Future<Output = io::Result<Arc<dyn AsyncTcpStream>>> + Send + 'a>> {
        self.inner.connect_tcp(remote)
    }

    fn resolve_host<'a>(
        &'a self,
        host: &'a str,
    ) -> Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>> {
        Box::pin(async move {
            let resolved = tokio::time::timeout(RESOLVING, self.inner.resolve_host(host)).await;
            resolved.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        })
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + 'static>> {
        self.turns.notify.notify_waiters();
        self.inner.sleep(if self.turns.is_hurried() { duration.min(HURRY) } else { duration })
    }

    fn interval(&self, period: Duration) -> Box<dyn AsyncInterval> {
        self.inner.interval(period)
    }

    fn block_on(&self, future: Pin<Box<dyn Future<Output = ()> + '_>>) {
        self.inner.block_on(future);
    }

    fn yield_now(&self) -> Pin<Box<dyn Future<Output = ()> + Send + 'static>> {
        self.inner.yield_now()
    }

    fn name(&self) -> &'static str {
        "tokio, tuned"
    }
}

struct Task(tokio::task::JoinHandle<()>);

impl JoinHandle for Task {
    fn detach(&self) {}

    fn abort(&self) {
        self.0.abort();
    }

    fn is_finished(&self) -> bool {
        self.0.is_finished()
    }
}
