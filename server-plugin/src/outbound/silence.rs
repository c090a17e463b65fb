//! The silence of a peer: it takes, or it is dead.
//!
//! Engine.IO's own limit must be long: what waits in a slow network stands before a ping, and a busy page answers
//! late. Its connection alone knows what was sent since the peer was heard last.
//!
//! | the peer | something is expected of it | until |
//! |---|---|---|
//! | a websocket of Engine.IO 4 | from the first byte that was sent to it | it is heard |
//! | a session that polls | from the response to a poll, or the end of one without a response | it polls again; any other request begins the time anew |
//! | a client of Engine.IO 3 that was heard pinging at the interval that it was given | always: after an interval and the time that others have | it is heard |
//!
//! A client of Engine.IO 3 that pings at an interval of its own, as libraries for small devices do, is left to
//! Engine.IO's limit.

use std::time::Duration;

use socketio_p2p_protocol::relay::longest_silence;
use tokio::time::Instant;

use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The most by which a ping is later than its interval: a round trip.
const PING_DELAY: Duration = Duration::from_secs(2);

/// What is expected of a peer.
#[derive(Debug)]
pub(super) struct Silence {
    began: Instant,
    /// Milliseconds from the beginning to the moment from which it is expected, and 1; 0 if nothing is.
    since: AtomicU64,
    /// Bytes that were sent since it was heard.
    bytes: AtomicU64,
    /// The milliseconds after which it pings by itself; 0 if it only answers.
    interval: AtomicU64,
    /// `true` once it pinged at that interval.
    has_pinged: AtomicBool,
}

impl Silence {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            since: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            interval: AtomicU64::new(0),
            has_pinged: AtomicBool::new(false),
        }
    }

    /// Notes that the peer has to ping at this interval.
    pub(super) fn pings_every(&self, interval: Duration) {
        if self.interval.swap(millis(interval).max(1), Ordering::Relaxed) == 0 {
            self.since.store(self.now() + 1, Ordering::Relaxed);
        }
    }

    /// Notes that the peer was heard, or that nothing is expected of it.
    pub(super) fn heard(&self) {
        let since = self.since.load(Ordering::Relaxed);
        if since == 0 {
            return;
        }
        let interval = self.interval.load(Ordering::Relaxed);
        let next = if interval == 0 { 0 } else { self.now() + 1 };
        // Timers may be early by a millisecond or two.
        let on_time = interval - interval / 50..=interval.saturating_add(millis(PING_DELAY));
        if interval > 0 && on_time.contains(&next.saturating_sub(since)) {
            self.has_pinged.store(true, Ordering::Relaxed);
        }
        self.since.store(next, Ordering::Relaxed);
        self.bytes.store(0, Ordering::Relaxed);
    }

    /// Notes that the peer was heard, but did not do what is expected of it.
    pub(super) fn heard_otherwise(&self) {
        if self.interval.load(Ordering::Relaxed) > 0 {
            self.heard();
        } else if self.since.load(Ordering::Relaxed) > 0 {
            self.since.store(self.now() + 1, Ordering::Relaxed);
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
        let interval = self.interval.load(Ordering::Relaxed);
        if interval > 0 && !self.has_pinged.load(Ordering::Relaxed) {
            return false;
        }
        let longest = longest_silence(self.bytes.load(Ordering::Relaxed));
        self.now().saturating_sub(since) > interval.saturating_add(millis(longest))
    }

    fn now(&self) -> u64 {
        millis(self.began.elapsed())
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
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

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_is_heard_otherwise_has_its_time_anew() {
        let silence = Silence::new();
        silence.heard_otherwise();
        advance(SILENCE * 2).await;
        assert!(!silence.is_too_long(), "nothing is expected");

        silence.sent(1);
        for _ in 0..5 {
            advance(SILENCE).await;
            assert!(!silence.is_too_long());
            silence.heard_otherwise();
        }
        advance(SILENCE + Duration::from_millis(10)).await;
        assert!(silence.is_too_long());
    }

    const INTERVAL: Duration = Duration::from_secs(6);

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_pings_is_dead_after_an_interval_and_the_silence_of_others() {
        let silence = Silence::new();
        silence.pings_every(INTERVAL);
        for _ in 0..3 {
            advance(INTERVAL + Duration::from_millis(100)).await;
            silence.heard();
            silence.sent(3);
        }

        advance(INTERVAL + SILENCE - Duration::from_millis(100)).await;
        assert!(!silence.is_too_long(), "a page may be busy for 9 s when its ping is due");
        advance(Duration::from_millis(200)).await;
        assert!(silence.is_too_long(), "also if it was sent something");

        silence.heard();
        assert!(!silence.is_too_long());
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_pings_at_an_interval_of_its_own_is_left_to_engine_io() {
        let silence = Silence::new();
        silence.pings_every(INTERVAL);
        for gap in [1, 20, 20, 4, 20] {
            advance(Duration::from_secs(gap)).await;
            assert!(!silence.is_too_long());
            silence.heard();
        }
    }
}
