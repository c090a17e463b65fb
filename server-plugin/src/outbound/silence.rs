//! The silence of a peer to which something was sent: it takes, or it is dead.
//!
//! Engine.IO's own limit must be long: what waits in a slow network stands before a ping, and a busy page answers
//! late. Its connection alone knows what was sent since the peer was heard last.

use std::time::Duration;

use socketio_p2p_protocol::relay::longest_silence;
use tokio::time::Instant;

use crate::sync::atomic::{AtomicU64, Ordering};

/// What a peer was sent since it was heard last.
#[derive(Debug)]
pub(super) struct Silence {
    began: Instant,
    /// Milliseconds from the beginning to the first of it, and 1; 0 if nothing was sent.
    since: AtomicU64,
    bytes: AtomicU64,
}

impl Silence {
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), since: AtomicU64::new(0), bytes: AtomicU64::new(0) }
    }

    /// Notes that the peer was heard, or that nothing is expected of it.
    pub(super) fn heard(&self) {
        if self.since.load(Ordering::Relaxed) != 0 {
            self.since.store(0, Ordering::Relaxed);
            self.bytes.store(0, Ordering::Relaxed);
        }
    }

    /// Notes that bytes were sent.
    pub(super) fn sent(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        if self.since.load(Ordering::Relaxed) == 0 {
            self.since.store(self.now() + 1, Ordering::Relaxed);
        }
    }

    /// Returns whether the peer should have been heard by now.
    pub(super) fn is_too_long(&self) -> bool {
        let Some(since) = self.since.load(Ordering::Relaxed).checked_sub(1) else { return false };
        let silent = Duration::from_millis(self.now().saturating_sub(since));
        silent > longest_silence(self.bytes.load(Ordering::Relaxed))
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use socketio_p2p_protocol::limits::{SILENCE, SLOWEST_RATE};
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_was_sent_nothing_may_be_silent_for_ever() {
        let silence = Silence::new();
        advance(SILENCE * 100).await;
        assert!(!silence.is_too_long());
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_is_dead_that_does_not_answer_in_time() {
        let silence = Silence::new();
        advance(SILENCE * 10).await;
        silence.sent(1);
        advance(SILENCE).await;
        silence.sent(1);
        assert!(!silence.is_too_long());

        advance(Duration::from_millis(10)).await;
        assert!(silence.is_too_long(), "counted from the first");
        silence.heard();
        assert!(!silence.is_too_long());
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_network_has_the_time_that_it_needs() {
        let silence = Silence::new();
        silence.sent(30 * SLOWEST_RATE as usize);
        advance(SILENCE + Duration::from_secs(29)).await;
        assert!(!silence.is_too_long());

        advance(Duration::from_secs(2)).await;
        assert!(silence.is_too_long());
    }
}
