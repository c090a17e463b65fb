//! A UDP socket that leaves what may close a channel to a pass of its own.
//!
//! The driver of webrtc 0.21 takes up to 64 datagrams that wait, then hands out events, and messages last. So a
//! channel that is closed in the burst in which it was opened is never reported, with all that it brought; and
//! of a close and the message before it, the close is reported first. Datagrams are encrypted, but those that
//! reset a stream, abort or shut down the association, or close DTLS have lengths that few others have.

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use webrtc::runtime::{AsyncUdpSocket, RecvMeta, Transmit};

use super::driver_ticks::DriverTicks;

/// Bytes that DTLS 1.2 adds with the ciphers of webrtc 0.21: header, nonce and tag.
const DTLS: usize = 13 + 8 + 16;
/// Length of the shortest packet that acknowledges data, in bytes. Those that abort or shut down an association are
/// shorter.
const SHORTEST_SACK: usize = 28;
/// Lengths of a packet that resets up to 12 streams, also behind an acknowledgement.
const RESET: RangeInclusive<usize> = 36..=60;

/// A UDP socket that leaves what may close a channel to a pass of its own.
#[derive(Debug)]
pub(super) struct PacedSocket {
    inner: Arc<dyn AsyncUdpSocket>,
    ticks: Arc<DriverTicks>,
    state: Mutex<PacedState>,
}

#[derive(Debug, Default)]
struct PacedState {
    /// Number of ticks when the driver took the last datagram.
    taken_at: Option<u64>,
    /// A datagram for the next pass.
    kept: Option<(Vec<u8>, RecvMeta)>,
}

impl PacedSocket {
    pub(super) fn new(inner: Arc<dyn AsyncUdpSocket>, ticks: Arc<DriverTicks>) -> Self {
        Self { inner, ticks, state: Mutex::default() }
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
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let pass = self.ticks.count();
        let is_first = state.taken_at != Some(pass);
        if let Some((datagram, kept)) = &state.kept {
            if !is_first {
                cx.waker().wake_by_ref(); // The pass is not over.
                return Poll::Pending;
            }
            let length = datagram.len().min(buffer.len());
            buffer[..length].copy_from_slice(&datagram[..length]);
            *first = *kept;
            first.len = length;
            state.kept = None;
            state.taken_at = Some(pass);
            return Poll::Ready(Ok(1));
        }
        let (buffers, metas) = (std::slice::from_mut(buffer), std::slice::from_mut(first));
        let received = ready!(self.inner.poll_recv(cx, buffers, metas));
        if received.is_err() {
            return Poll::Ready(received);
        }
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

/// Returns whether a datagram may close a channel or the connection. Few others have its length: messages of 5 to
/// 32 bytes, acknowledgements with gaps.
fn may_close(datagram: &[u8]) -> bool {
    let Some(length) = datagram.len().checked_sub(DTLS) else { return false };
    let is_dtls = matches!(datagram.first(), Some(20..=63));
    is_dtls && (length < SHORTEST_SACK || RESET.contains(&length))
}
