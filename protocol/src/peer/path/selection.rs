//! The selection of a path: the direct one while it is alive, unless it was left a moment ago or
//! the relay is measured to be faster.

use std::time::{Duration, Instant};

use super::{PathConfig, hold::Hold};
use crate::limits::COMPARE_TIME;

/// Two round-trip times that differ by less count as equal.
const SLACK: Duration = Duration::from_millis(10);

/// The reason why the direct path no longer carries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WhyLeft {
    /// No heartbeat returns.
    Silent,
    /// The link is closed, or it failed.
    Closed,
    /// The round trip over the relay is clearly shorter. Throughput is not compared.
    Slower,
}

#[derive(Debug, Default)]
pub(super) struct Selection {
    /// The time at which the direct path was taken, while it carries.
    since: Option<Instant>,
    hold: Hold,
    /// The time at which the relay began to be measured faster, or no longer faster.
    relay_better_since: Option<Instant>,
    relay_worse_since: Option<Instant>,
    /// True if the path was left for the relay, which must be measured slower before the path is
    /// taken again.
    slower: bool,
}

impl Selection {
    pub(super) const fn carries(&self) -> bool {
        self.since.is_some()
    }

    /// Returns when a held path may be taken, if no other input comes first.
    pub(super) fn poll_timeout(&self, alive: bool) -> Option<Instant> {
        let waits = alive && self.since.is_none() && !self.slower;
        self.hold.until().filter(|_| waits)
    }

    /// Compares the round-trip times of the two paths, as far as they are known, when nothing waits
    /// on either. Throughput is not compared.
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
        // Between the two thresholds neither holds.
        note(&mut self.relay_better_since, direct > relay * 2 + SLACK);
        note(&mut self.relay_worse_since, direct < relay * 5 / 4 + SLACK / 2);
    }

    /// Takes or leaves the direct path. Returns the change, or `None` if there is none.
    pub(super) fn choose(
        &mut self,
        alive: bool,
        relay: bool,
        config: &PathConfig,
        now: Instant,
    ) -> Option<Result<(), WhyLeft>> {
        if !relay {
            // Measurements from before its absence say nothing about the time after it.
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
                let held = self.slower || self.hold.until().is_some_and(|until| now < until);
                if !alive || (relay && held) {
                    return None;
                }
                self.since = Some(now);
                self.hold.taken();
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
        self.hold.left(now.saturating_duration_since(since), config.hold, now);
    }

    /// Forgets the flaps: they happened on another network.
    pub(super) const fn forgive(&mut self) {
        self.hold.forgive();
    }

    /// Notes that the link is closed: the next is another path, and has not been measured. Returns
    /// true if this one carried.
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
