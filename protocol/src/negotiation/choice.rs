//! Whether the direct path carries: by its life, by measurement, and not too often another.

use std::time::{Duration, Instant};

use super::{PathConfig, WhyLeft};
use crate::limits::{COMPARE_TIME, DIRECT_HOLD_MAX, DIRECT_STEADY};

/// Below this two round-trip times are as good as equal.
const SLACK: Duration = Duration::from_millis(10);

#[derive(Debug, Default)]
pub(super) struct Choice {
    /// Since when it carries, if it does.
    since: Option<Instant>,
    /// Until then it is not taken again, and how often that was so in a row.
    held_until: Option<Instant>,
    flaps: u32,
    /// Since when the relay has been measured better, or good enough no longer to be.
    relay_better_since: Option<Instant>,
    relay_worse_since: Option<Instant>,
    /// Whether it was left for the relay, whose round trip has to be measured worse before it is taken again.
    slower: bool,
}

impl Choice {
    pub(super) const fn carries(&self) -> bool {
        self.since.is_some()
    }

    /// When something may have to be decided though nothing happens.
    pub(super) fn poll_timeout(&self, alive: bool) -> Option<Instant> {
        let waits = alive && self.since.is_none() && !self.slower;
        self.held_until.filter(|_| waits)
    }

    /// The round-trip times of the two paths, as far as they are known, when nothing waits on them.
    /// They are all that is compared: not how much goes through.
    pub(super) fn measured(
        &mut self,
        direct: Option<Duration>,
        relay: Option<Duration>,
        now: Instant,
    ) {
        let (Some(direct), Some(relay)) = (direct, relay) else {
            return;
        };
        let note = |since: &mut Option<Instant>, is_so: bool| {
            *since = if is_so { since.or(Some(now)) } else { None };
        };
        // Between the two there is room for neither.
        note(&mut self.relay_better_since, direct > relay * 2 + SLACK);
        note(&mut self.relay_worse_since, direct < relay * 5 / 4 + SLACK / 2);
    }

    /// Whether the path is taken or left now.
    pub(super) fn choose(
        &mut self,
        alive: bool,
        relay: bool,
        config: &PathConfig,
        now: Instant,
    ) -> Option<Result<(), WhyLeft>> {
        if !relay {
            // What was measured before it went away says nothing of what comes after.
            self.relay_better_since = None;
            self.relay_worse_since = None;
        }
        let long = |since: Option<Instant>| since.is_some_and(|since| since + COMPARE_TIME <= now);
        match self.since {
            Some(since) => {
                let why = if !alive {
                    WhyLeft::Silent
                } else if relay && long(self.relay_better_since) {
                    WhyLeft::Slower
                } else {
                    return None;
                };
                self.leave(why, since, config, now);
                Some(Err(why))
            }
            None => {
                if long(self.relay_worse_since) {
                    self.slower = false;
                }
                let held = self.slower || self.held_until.is_some_and(|until| now < until);
                if !alive || (relay && held) {
                    return None;
                }
                self.since = Some(now);
                self.held_until = None;
                self.slower = false;
                self.relay_better_since = None;
                Some(Ok(()))
            }
        }
    }

    fn leave(&mut self, why: WhyLeft, since: Instant, config: &PathConfig, now: Instant) {
        self.since = None;
        self.slower = why == WhyLeft::Slower;
        self.relay_worse_since = None;
        if now.saturating_duration_since(since) >= DIRECT_STEADY {
            self.flaps = 0;
        }
        let hold = config.hold.saturating_mul(1 << self.flaps.min(16)).min(DIRECT_HOLD_MAX);
        self.flaps += 1;
        self.held_until = Some(now + hold);
    }

    /// What flapped did so on another network.
    pub(super) const fn forgive(&mut self) {
        self.flaps = 0;
        self.held_until = None;
    }

    /// The connection is no more; the next is another path, and has not been measured. Whether this
    /// one carried.
    pub(super) fn closed(&mut self, config: &PathConfig, now: Instant) -> bool {
        let since = self.since;
        if let Some(since) = since {
            self.leave(WhyLeft::Closed, since, config, now);
        }
        self.slower = false;
        self.relay_better_since = None;
        self.relay_worse_since = None;
        since.is_some()
    }
}
