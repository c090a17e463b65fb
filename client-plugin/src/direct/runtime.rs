//! Tokio as webrtc's driver sees it: larger sockets, owned tasks, and a view of its ticks.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use socket2::SockRef;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use webrtc::runtime::{
    AsyncInterval, AsyncTcpListener, AsyncTcpStream, AsyncUdpSocket, JoinHandle, Runtime,
    TokioRuntime,
};

use super::config::DirectConfig;
use super::driver_ticks::DriverTicks;
#[cfg(feature = "udp-faults")]
use super::faults::{FaultySocket, UdpFaults};
use super::paced::PacedSocket;
use super::server_names::ServerNames;

/// Tokio, with larger sockets, owned tasks and a view of the driver's ticks.
#[derive(Debug)]
pub(crate) struct TunedRuntime {
    inner: TokioRuntime,
    tasks: TaskTracker,
    ticks: Arc<DriverTicks>,
    /// The first of the tasks that webrtc spawns.
    driver: OnceLock<AbortHandle>,
    udp_buffer: usize,
    udp_granted: AtomicUsize,
    names: ServerNames,
    /// Time at which the connection began.
    began: Instant,
    #[cfg(feature = "udp-faults")]
    faults: Option<Arc<dyn UdpFaults>>,
}

impl TunedRuntime {
    /// Creates a runtime whose tasks are tracked by `tasks`.
    pub(crate) fn new(config: &DirectConfig, tasks: TaskTracker, ticks: Arc<DriverTicks>) -> Self {
        Self {
            inner: TokioRuntime,
            tasks,
            ticks,
            driver: OnceLock::new(),
            udp_buffer: config.udp_buffer_bytes,
            udp_granted: AtomicUsize::new(0),
            names: config.names.clone(),
            began: Instant::now(),
            #[cfg(feature = "udp-faults")]
            faults: config.faults.clone(),
        }
    }

    /// Aborts the driver.
    pub(crate) fn abort(&self) {
        if let Some(driver) = self.driver.get() {
            driver.abort();
        }
    }

    pub(crate) fn ticks(&self) -> &Arc<DriverTicks> {
        &self.ticks
    }

    /// Returns the buffer that the kernel granted to the smallest UDP socket, in bytes; 0 without a socket.
    pub(crate) fn udp_granted(&self) -> usize {
        self.udp_granted.load(Ordering::Relaxed)
    }

    fn enlarge(&self, socket: &UdpSocket) -> io::Result<()> {
        let socket = SockRef::from(socket);
        let enlarged = socket
            .set_recv_buffer_size(self.udp_buffer)
            .and_then(|()| socket.set_send_buffer_size(self.udp_buffer));
        if let Err(error) = enlarged {
            tracing::debug!(%error, "setting the UDP buffer sizes failed");
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
            return Box::new(SpawnedTask(self.tasks.spawn(future)));
        }
        // The first of the tasks is the driver. The guard reports its end, also that by a panic.
        let gone = self.ticks.gone.clone().drop_guard();
        let ticks = Arc::clone(&self.ticks);
        let driver = self.tasks.spawn(async move {
            let _gone = gone;
            ticks.excluding_driver(future).await;
        });
        self.driver.set(driver.abort_handle()).ok();
        Box::new(SpawnedTask(driver))
    }

    fn wrap_udp_socket(&self, socket: UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        // The socket for multicast DNS needs no larger buffer, and no faults apply to it.
        if socket.local_addr()?.port() == rtc::mdns::MDNS_PORT {
            return self.inner.wrap_udp_socket(socket);
        }
        self.enlarge(&socket)?;
        let socket = self.inner.wrap_udp_socket(socket)?;
        let socket: Arc<dyn AsyncUdpSocket> =
            Arc::new(PacedSocket::new(socket, Arc::clone(&self.ticks)));
        #[cfg(feature = "udp-faults")]
        if let Some(faults) = &self.faults {
            let gone = self.ticks.gone.clone();
            let faulty = FaultySocket::new(socket, Arc::clone(faults), &self.tasks, gone);
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
        Box::pin(self.names.resolve(host, self.began))
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + 'static>> {
        self.inner.sleep(self.ticks.tick(duration))
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

struct SpawnedTask(tokio::task::JoinHandle<()>);

impl JoinHandle for SpawnedTask {
    fn detach(&self) {}

    fn abort(&self) {
        self.0.abort();
    }

    fn is_finished(&self) -> bool {
        self.0.is_finished()
    }
}
