//! Registrations that are made again after a refusal that may pass.

use std::time::{Duration, Instant};

use crate::limits::{REGISTER_RETRY_MAX, REGISTER_RETRY_MIN, setting};

/// The waits between registrations of the same target.
///
/// They double from [`REGISTER_RETRY_MIN`] to [`REGISTER_RETRY_MAX`], so that a client stays within the
/// [`REGISTRATIONS`](crate::limits::REGISTRATIONS) that a server allows.
///
/// # Examples
///
/// ```
/// use std::time::{Duration, Instant};
///
/// use socketio_p2p_protocol::client::RegisterRetry;
///
/// let start = Instant::now();
/// let mut retry = RegisterRetry::new(Duration::from_secs(60), start);
///
/// let waits: Vec<_> = (0..5).filter_map(|_| retry.next_wait(start)).collect();
///
/// assert_eq!(waits, [500, 1_000, 2_000, 4_000, 4_000].map(Duration::from_millis));
/// assert_eq!(retry.next_wait(start + Duration::from_secs(57)), None, "it would be too late");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RegisterRetry {
    until: Instant,
    waits: u32,
}

impl RegisterRetry {
    /// Returns the waits of registrations that begin within this time.
    #[must_use]
    pub fn new(within: Duration, now: Instant) -> Self {
        Self { until: now + setting(within), waits: 0 }
    }

    /// Returns the wait before the next registration, or `None` if it would begin too late.
    pub fn next_wait(&mut self, now: Instant) -> Option<Duration> {
        let wait = REGISTER_RETRY_MIN.saturating_mul(1 << self.waits.min(16));
        let wait = wait.min(REGISTER_RETRY_MAX);
        self.waits = self.waits.saturating_add(1);
        (now + wait < self.until).then_some(wait)
    }
}
