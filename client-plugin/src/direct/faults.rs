//! Faults between the WebRTC stack and its UDP sockets, for tests: loss, delay and silence.
//!
//! An implementation of [`UdpFaults`] decides the fate of a datagram; this module carries it out. Datagrams
//! with unequal delays overtake each other. A socket with faults sends each datagram on its own (without
//! GSO), so its speed says nothing about a socket without faults.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;
use std::future::Future;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socketio_p2p_protocol::limits::SETTING_MAX;
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use webrtc::runtime::{AsyncUdpSocket, RecvMeta, Transmit};

/// Datagrams of a socket that may wait, each way. Further ones are lost, as in a router.
const LATE: usize = 4096;

/// The direction of a datagram, seen from the end whose socket it passes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum UdpWay {
    /// To the partner.
    Leaving,
    /// From the partner.
    Arriving,
}

/// The fate of a datagram.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fate {
    /// It goes on at once.
    Pass,
    /// It is lost without a report.
    Drop,
    /// It goes on later.
    Delay(Duration),
}

/// Decides the fate of each datagram of a connection, except those of multicast DNS.
pub trait UdpFaults: fmt::Debug + Send + Sync {
    /// Returns the fate of the next datagram, of `len` bytes. The driver of the connection calls it, so it must
    /// not block.
    fn fate(&self, way: UdpWay, len: usize) -> Fate;
}

/// A socket with faults.
pub(crate) struct FaultySocket {
    inner: Arc<dyn AsyncUdpSocket>,
    faults: Arc<dyn UdpFaults>,
    leaving: mpsc::Sender<Late<SocketAddr>>,
    arriving: Mutex<Arriving>,
}

/// A datagram that waits. Datagrams are ordered by their time, then by their number.
struct Late<T> {
    due: Instant,
    number: u64,
    datagram: Vec<u8>,
    /// The destination of a datagram that leaves, or the metadata of one that arrives.
    meta: T,
}

#[derive(Default)]
struct Arriving {
    late: BinaryHeap<Reverse<Late<RecvMeta>>>,
    number: u64,
    timer: Option<Pin<Box<Sleep>>>,
}

impl FaultySocket {
    /// Wraps `inner`. One of `tasks` sends the datagrams that leave late, until the socket is dropped or `gone`
    /// is cancelled.
    pub(crate) fn new(
        inner: Arc<dyn AsyncUdpSocket>,
        faults: Arc<dyn UdpFaults>,
        tasks: &TaskTracker,
        gone: CancellationToken,
    ) -> Self {
        let (leaving, late) = mpsc::channel(LATE);
        tasks.spawn(send_late(Arc::clone(&inner), late, gone));
        Self { inner, faults, leaving, arriving: Mutex::default() }
    }

    /// Keeps in `buffer` those of the datagrams in it that pass at once. Returns their length, or `None` if none
    /// passes.
    fn sift(&self, buffer: &mut [u8], meta: &RecvMeta, arriving: &mut Arriving) -> Option<usize> {
        let (mut kept, mut length) = (None, 0);
        let mut start = 0;
        loop {
            let end = (start + meta.stride.max(1)).min(meta.len);
            match self.faults.fate(UdpWay::Arriving, end - start) {
                Fate::Pass => {
                    buffer.copy_within(start..end, length);
                    length += end - start;
                    kept = Some(length);
                }
                Fate::Drop => {}
                Fate::Delay(by) => arriving.hold(by, &buffer[start..end], *meta),
            }
            start = end;
            if start == meta.len {
                return kept;
            }
        }
    }
}

impl Arriving {
    fn hold(&mut self, by: Duration, datagram: &[u8], mut meta: RecvMeta) {
        if self.late.len() == LATE {
            return;
        }
        self.number += 1;
        meta.len = datagram.len();
        meta.stride = datagram.len().max(1);
        let (due, number) = (Instant::now() + by.min(SETTING_MAX), self.number);
        self.late.push(Reverse(Late { due, number, datagram: datagram.to_vec(), meta }));
    }

    /// Returns the next datagram whose time has come.
    fn due(&mut self) -> Option<Late<RecvMeta>> {
        let Reverse(next) = self.late.peek()?;
        if next.due > Instant::now() {
            return None;
        }
        self.late.pop().map(|Reverse(late)| late)
    }

    /// Waits until the time of the next datagram has come.
    fn poll_due(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(Reverse(Late { due, .. })) = self.late.peek() else { return Poll::Pending };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(*due)));
        if timer.deadline() != *due {
            timer.as_mut().reset(*due);
        }
        timer.as_mut().poll(cx)
    }
}

impl AsyncUdpSocket for FaultySocket {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    fn poll_send(&self, cx: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        let datagram = transmit.contents;
        match self.faults.fate(UdpWay::Leaving, datagram.len()) {
            Fate::Pass => return self.inner.poll_send(cx, transmit),
            Fate::Drop => {}
            Fate::Delay(by) => {
                let late = Late {
                    due: Instant::now() + by.min(SETTING_MAX),
                    number: 0, // The task that sends it assigns it.
                    datagram: datagram.to_vec(),
                    meta: transmit.destination,
                };
                if self.leaving.try_send(late).is_err() {
                    tracing::debug!("dropped a delayed datagram because too many wait");
                }
            }
        }
        Poll::Ready(Ok(datagram.len()))
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let (Some(buffer), Some(first)) = (bufs.first_mut(), meta.first_mut()) else {
            return Poll::Ready(Ok(0));
        };
        let mut arriving = self.arriving.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(late) = arriving.due() {
                let length = late.datagram.len().min(buffer.len());
                buffer[..length].copy_from_slice(&late.datagram[..length]);
                *first = late.meta;
                return Poll::Ready(Ok(1));
            }
            let (buffers, metas) = (std::slice::from_mut(buffer), std::slice::from_mut(first));
            match self.inner.poll_recv(cx, buffers, metas) {
                Poll::Ready(Ok(_)) => {
                    if let Some(length) = self.sift(buffer, first, &mut arriving) {
                        first.len = length;
                        return Poll::Ready(Ok(1));
                    }
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => ready!(arriving.poll_due(cx)),
            }
        }
    }

    fn max_gro_segments(&self) -> usize {
        self.inner.max_gro_segments()
    }
}

async fn send_late(
    socket: Arc<dyn AsyncUdpSocket>,
    mut queue: mpsc::Receiver<Late<SocketAddr>>,
    gone: CancellationToken,
) {
    let mut waiting = BinaryHeap::new();
    let mut number = 0;
    loop {
        let next = waiting.peek().map(|Reverse(late): &Reverse<Late<SocketAddr>>| late.due);
        tokio::select! {
            biased;
            () = gone.cancelled() => return,
            late = queue.recv(), if waiting.len() < LATE => {
                let Some(late) = late else { return };
                number += 1;
                waiting.push(Reverse(Late { number, ..late }));
            }
            () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {
                if let Some(Reverse(late)) = waiting.pop() {
                    // A datagram that cannot be sent is lost.
                    socket.send_to(&late.datagram, late.meta).await.ok();
                }
            }
        }
    }
}

impl<T> Late<T> {
    fn key(&self) -> (Instant, u64) {
        (self.due, self.number)
    }
}

impl<T> PartialEq for Late<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl<T> Eq for Late<T> {}

impl<T> PartialOrd for Late<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Late<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl fmt::Debug for FaultySocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultySocket")
            .field("inner", &self.inner)
            .field("faults", &self.faults)
            .finish_non_exhaustive()
    }
}
