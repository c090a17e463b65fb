//! A UDP socket that keeps datagrams for the pass of the driver in which they are not lost.
//!
//! The driver of webrtc 0.21 takes up to 64 datagrams that wait, then hands out events, and messages last. So a
//! channel that is closed in the burst in which it was opened is never reported, with all that it brought; and
//! of a close and the message before it, the close is reported first. Datagrams are encrypted, but those that
//! reset a stream, abort or shut down the association, or close DTLS have lengths that few others have. They are left to a
//! pass of their own.
//!
//! It also drops what comes of DTLS before a pair of addresses is chosen. A partner that is the DTLS client, and the
//! first to know the pair, sends its first message then, and the next one after a second. So this is kept as well.

use std::collections::VecDeque;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use futures_util::task::AtomicWaker;
use webrtc::runtime::{AsyncUdpSocket, RecvMeta, Transmit};

use super::driver_ticks::DriverTicks;

/// Bytes that DTLS 1.2 adds with the ciphers of webrtc 0.21: header, nonce and tag.
const DTLS: usize = 13 + 8 + 16;
/// Length of the shortest packet that acknowledges data, in bytes. Those that abort or shut down an association are
/// shorter.
const SHORTEST_SACK: usize = 28;
/// Lengths of a packet that resets up to 12 streams, also behind an acknowledgement.
const RESET: RangeInclusive<usize> = 36..=60;
/// Datagrams of DTLS that are kept until there is a path, at most, and their bytes: a first message, and its repetitions.
const EARLY: usize = 4;
const EARLY_BYTES: usize = 4 << 10;

/// A UDP socket that keeps datagrams for the pass of the driver in which they are not lost.
#[derive(Debug)]
pub(super) struct PacedSocket {
    inner: Arc<dyn AsyncUdpSocket>,
    ticks: Arc<DriverTicks>,
    /// Woken when there is a path: the driver polls a socket again only when it is woken.
    path: Arc<AtomicWaker>,
    state: Mutex<PacedState>,
}

#[derive(Debug, Default)]
struct PacedState {
    /// Number of ticks when the driver took the last datagram.
    taken_at: Option<u64>,
    /// A datagram for the next pass.
    kept: Option<(Vec<u8>, RecvMeta)>,
    /// Datagrams of DTLS that wait for a path.
    early: VecDeque<(Vec<u8>, RecvMeta)>,
}

impl PacedSocket {
    pub(super) fn new(inner: Arc<dyn AsyncUdpSocket>, ticks: Arc<DriverTicks>) -> Self {
        let path = ticks.wakes_socket();
        Self { inner, ticks, path, state: Mutex::default() }
    }
}

impl AsyncUdpSocket for PacedSocket {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    fn poll_send(&self, cx: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        self.inner.poll_send(cx, transmit)
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
        if !self.ticks.has_path() {
            self.path.register(cx.waker());
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let pass = self.ticks.count();
        let is_first = state.taken_at != Some(pass);
        if self.ticks.has_path()
            && let Some(early) = state.early.pop_front()
        {
            state.taken_at = Some(pass);
            return Poll::Ready(Ok(hand_over(&early, buffer, first)));
        }
        if state.kept.is_some() && !is_first {
            cx.waker().wake_by_ref(); // The pass is not over.
            return Poll::Pending;
        }
        if let Some(kept) = state.kept.take() {
            state.taken_at = Some(pass);
            return Poll::Ready(Ok(hand_over(&kept, buffer, first)));
        }
        let received = loop {
            let (buffers, metas) = (std::slice::from_mut(buffer), std::slice::from_mut(first));
            let received = ready!(self.inner.poll_recv(cx, buffers, metas));
            if received.is_err() {
                return Poll::Ready(received);
            }
            let datagram = &buffer[..first.len.min(buffer.len())];
            if self.ticks.has_path() || !is_dtls(datagram) {
                break received;
            }
            if state.early.len() < EARLY && datagram.len() <= EARLY_BYTES {
                state.early.push_back((datagram.to_vec(), *first));
            }
        };
        // The kernel may have joined several datagrams of one length, and a shorter one.
        let length = first.len.min(buffer.len());
        let last_at = length.saturating_sub(1) / first.stride.max(1) * first.stride.max(1);
        if may_close(&buffer[last_at..length]) && (last_at > 0 || !is_first) {
            let mut kept = *first;
            kept.len = length - last_at;
            kept.stride = kept.len;
            state.kept = Some((buffer[last_at..length].to_vec(), kept));
            if last_at == 0 {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            first.len = last_at;
        }
        state.taken_at = Some(pass);
        Poll::Ready(received)
    }

    fn max_gro_segments(&self) -> usize {
        self.inner.max_gro_segments()
    }
}

/// Puts a datagram that was kept into the driver's buffer. Returns the number of datagrams.
fn hand_over(
    (datagram, kept): &(Vec<u8>, RecvMeta),
    buffer: &mut [u8],
    meta: &mut RecvMeta,
) -> usize {
    let length = datagram.len().min(buffer.len());
    buffer[..length].copy_from_slice(&datagram[..length]);
    *meta = *kept;
    meta.len = length;
    1
}

fn is_dtls(datagram: &[u8]) -> bool {
    matches!(datagram.first(), Some(20..=63))
}

/// Returns whether a datagram may close a channel or the connection. Few others have its length: messages of 5 to
/// 32 bytes, acknowledgements with gaps.
fn may_close(datagram: &[u8]) -> bool {
    let Some(length) = datagram.len().checked_sub(DTLS) else { return false };
    is_dtls(datagram) && (length < SHORTEST_SACK || RESET.contains(&length))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::{Wake, Waker};
    use std::time::Duration;

    use super::*;

    /// A socket at which these datagrams wait.
    #[derive(Debug)]
    struct Waiting(Mutex<VecDeque<Vec<u8>>>);

    impl AsyncUdpSocket for Waiting {
        fn local_addr(&self) -> io::Result<SocketAddr> {
            Err(io::ErrorKind::Unsupported.into())
        }

        fn poll_send(&self, _: &mut Context<'_>, _: &Transmit<'_>) -> Poll<io::Result<usize>> {
            Poll::Pending
        }

        fn poll_recv(
            &self,
            _: &mut Context<'_>,
            bufs: &mut [IoSliceMut<'_>],
            meta: &mut [RecvMeta],
        ) -> Poll<io::Result<usize>> {
            let Some(datagram) = self.0.lock().unwrap().pop_front() else { return Poll::Pending };
            bufs[0][..datagram.len()].copy_from_slice(&datagram);
            meta[0].len = datagram.len();
            meta[0].stride = datagram.len();
            Poll::Ready(Ok(1))
        }
    }

    /// The driver, which polls a socket again when it is woken.
    #[derive(Default)]
    struct Driver(AtomicBool);

    impl Wake for Driver {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    /// Returns all that the driver receives now, each in a pass of its own.
    fn received(socket: &PacedSocket, driver: &Arc<Driver>) -> Vec<Vec<u8>> {
        let waker = Waker::from(Arc::clone(driver));
        let mut cx = Context::from_waker(&waker);
        let mut received = Vec::new();
        loop {
            socket.ticks.tick(Duration::ZERO);
            let (mut buffer, mut meta) = ([0; 2048], [RecvMeta::default()]);
            match socket.poll_recv(&mut cx, &mut [IoSliceMut::new(&mut buffer)], &mut meta) {
                Poll::Ready(Ok(count)) => {
                    assert_eq!(count, 1);
                    received.push(buffer[..meta[0].len].to_vec());
                }
                Poll::Ready(Err(error)) => panic!("{error}"),
                Poll::Pending => return received,
            }
        }
    }

    #[test]
    fn what_comes_of_dtls_before_there_is_a_path_is_received_when_there_is_one() {
        let hello = |number| [vec![22, number], vec![0; 180]].concat();
        let check = vec![0, 1, 0, 0];
        let mut waiting: VecDeque<_> = (0..10).map(hello).collect();
        waiting.insert(1, check.clone());
        let inner = Arc::new(Waiting(Mutex::new(waiting)));
        let ticks = Arc::new(DriverTicks::new());
        let socket = PacedSocket::new(Arc::clone(&inner) as _, Arc::clone(&ticks));

        let driver = Arc::new(Driver::default());

        assert_eq!(received(&socket, &driver), [check]);
        assert!(!driver.0.load(Ordering::Relaxed));
        ticks.poll_fast();
        assert!(driver.0.load(Ordering::Relaxed), "nothing else would wake it");
        inner.0.lock().unwrap().push_back(hello(10));

        // As many as a client of DTLS may have sent, and what comes later.
        let expected: Vec<_> = (0..EARLY as u8).chain([10]).map(hello).collect();
        assert_eq!(received(&socket, &driver), expected);
    }
}
