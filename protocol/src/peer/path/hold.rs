//! The time for which a path that was left is not taken again.

use std::time::{Duration, Instant};

use crate::{
    limits::{DIRECT_HOLD_MAX, DIRECT_STEADY},
    planted::{self, Fault},
};

/// A backoff: each time that the path is left soon after it was taken, the wait doubles.
#[derive(Debug, Default)]
pub(super) struct Hold {
    until: Option<Instant>,
    /// The number of times in a row that the path carried for less than [`DIRECT_STEADY`].
    flaps: u32,
}

impl Hold {
    /// Begins the wait after the path carried for this time.
    pub(super) fn left(&mut self, carried: Duration, hold: Duration, now: Instant) {
        if carried >= DIRECT_STEADY {
            self.flaps = 0;
        }
        let most = DIRECT_HOLD_MAX.max(hold);
        let hold = hold.saturating_mul(1 << self.flaps.min(16)).min(most);
        let hold = if planted::is(Fault::HoldForever) { hold * 10_000 } else { hold };
        self.flaps += 1;
        self.until = Some(now + hold);
    }

    /// Ends the wait: the path is taken.
    pub(super) const fn taken(&mut self) {
        self.until = None;
    }

    /// Returns the end of the present wait, if there is one.
    pub(super) const fn until(&self) -> Option<Instant> {
        self.until
    }

    /// Forgets the past: the path flapped on another network.
    pub(super) const fn forgive(&mut self) {
        self.flaps = 0;
        self.until = None;
    }
}
