//! The heartbeat of a direct path: its times, and the liveness that it shows.
//!
//! Each peer paces its own pings, and judges the path by their return. A ping is answered at once, by
//! any version, so that neither peer depends on the pace of the other.
//!
//! ```text
//!   in use: a ping every 200 ms ──── unused ever longer: as seldom ────► idle: every 4 s
//!     ▲                                                                     │
//!     └────────────────── used: a ping at once ─────────────────────────────┘
//!   a ping is overdue, or the path is not alive: a ping every 50 ms
//! ```

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::{PathConfig, min_rtt::MinRtt};
use crate::{
    planted::{self, Fault},
    wire::{Heartbeat, HeartbeatKind},
};

/// Pings that may be under way: those of the time after which a path is given up, several times.
const UNDER_WAY: usize = 64;

/// Round trips of which the shortest counts: those of a little more than 6 s.
const SAMPLES: usize = 32;

/// Pings per interval while the path is not alive, or a ping is overdue. SCTP sends a lost message again
/// when three later ones have arrived, and otherwise after a second: a lone ping needs company.
const PROBES: u32 = 4;

/// Round trip up to which a lost message has come again well within the default timeout.
const SHORT_ROUND_TRIP: Duration = Duration::from_millis(75);

/// The heartbeats of one channel, as one peer sees them.
#[derive(Debug)]
pub(super) struct Heartbeats {
    interval: Duration,
    idle: Duration,
    timeout: Duration,
    last_ping: u64,
    under_way: VecDeque<(u64, Instant)>,
    /// The time at which the oldest ping was sent that may still return.
    waits_since: Option<Instant>,
    /// True if the path was idle then and is not used yet; otherwise the time at which it came into use.
    waits_idly: bool,
    resumed_at: Instant,
    sent_at: Instant,
    next_at: Instant,
    /// The last time at which anything but a heartbeat was sent or received, or the path was doubted.
    used_at: Instant,
    /// The last time at which a ping returned, and at which anything was received.
    returned_at: Option<Instant>,
    heard_at: Instant,
    /// True while this peer's pings return, and while the partner says the same of its own.
    returns: bool,
    partner_returns: bool,
    /// The time before which the partner's `ok` does not become true again.
    doubted_until: Option<Instant>,
    /// True once both returned at the same time.
    was_alive: bool,
    mean: Option<Duration>,
    min: MinRtt<SAMPLES>,
}

impl Heartbeats {
    /// The heartbeats of a channel that has just opened.
    pub(super) fn new(config: &PathConfig, now: Instant) -> Self {
        Self {
            interval: config.heartbeat_interval,
            idle: config.heartbeat_idle.max(config.heartbeat_interval),
            timeout: config.heartbeat_timeout,
            last_ping: 0,
            under_way: VecDeque::new(),
            waits_since: None,
            waits_idly: false,
            resumed_at: now,
            sent_at: now,
            next_at: now,
            used_at: now,
            returned_at: None,
            heard_at: now,
            returns: false,
            partner_returns: false,
            doubted_until: None,
            was_alive: false,
            mean: None,
            min: MinRtt::new(),
        }
    }

    /// Returns true while pings of both peers return.
    pub(super) const fn is_alive(&self) -> bool {
        self.returns && self.partner_returns
    }

    /// Returns true while pings of this peer return.
    pub(super) const fn returns(&self) -> bool {
        self.returns
    }

    /// Returns the number of the last ping.
    pub(super) const fn last_ping(&self) -> u64 {
        self.last_ping
    }

    /// Returns true once pings of both peers have returned at the same time.
    pub(super) const fn was_alive(&self) -> bool {
        self.was_alive
    }

    /// Returns true once any ping of this peer has returned.
    pub(super) const fn was_proven(&self) -> bool {
        self.returned_at.is_some()
    }

    /// Returns the moving average of the round-trip time.
    pub(super) const fn mean_rtt(&self) -> Option<Duration> {
        self.mean
    }

    /// Returns the shortest of the last round-trip times.
    pub(super) fn min_rtt(&self) -> Option<Duration> {
        self.min.get()
    }

    /// Notes that something else than a heartbeat was received.
    pub(super) const fn heard(&mut self, now: Instant) {
        self.heard_at = now;
    }

    /// Notes that something else than a heartbeat was sent or received, by the other path as well, for
    /// then the two are compared; or that the path may be gone.
    pub(super) fn used(&mut self, now: Instant) {
        self.used_at = now;
        if std::mem::take(&mut self.waits_idly) {
            self.resumed_at = now;
        }
        self.next_at = self.next_at.min(now.max(self.sent_at + self.interval));
    }

    /// Notes that none of the partner's pings returns, as it says over the relay.
    pub(super) const fn partner_is_silent(&mut self) {
        self.partner_returns = false;
    }

    /// Notes a heartbeat that was received.
    pub(super) fn received(&mut self, heartbeat: &Heartbeat, now: Instant) {
        self.heard_at = now;
        self.partner_says(heartbeat.ok, now);
        if heartbeat.kind == HeartbeatKind::Pong {
            self.returned(heartbeat.n, now);
        }
        self.was_alive |= self.is_alive();
    }

    /// Notes whether the partner's pings return, as it says. That they return again counts at most once
    /// in an interval: a partner cannot make this peer leave and take the path as fast as it likes.
    fn partner_says(&mut self, returns: bool, now: Instant) {
        if !returns {
            self.partner_returns = false;
        } else if !self.partner_returns && self.doubted_until.is_none_or(|until| until <= now) {
            self.partner_returns = true;
            self.doubted_until = Some(now + self.interval);
        }
    }

    fn returned(&mut self, n: u64, now: Instant) {
        let Some(at) = self.under_way.iter().position(|(ping, _)| *ping == n) else {
            return;
        };
        // The channel keeps the order: earlier pings are not answered any more.
        let Some((_, sent)) = self.under_way.drain(..=at).next_back() else {
            return;
        };
        let sample = now.saturating_duration_since(sent);
        self.waits_since = self.under_way.front().map(|(_, sent)| *sent);
        self.waits_idly &= self.waits_since.is_some();
        self.mean = Some(self.mean.map_or(sample, |mean| (mean * 7 + sample) / 8));
        self.min.record(sample);
        self.returned_at = Some(now);
        if !self.returns {
            self.returns = true;
            self.next_at = now; // The partner waits for `ok`.
        }
    }

    /// Returns the silence after which the path is left: the timeout, and longer on a long path.
    ///
    /// The channel keeps the order, so a lost message holds up those behind it until it has come again: its
    /// sender learns of the loss from three later ones, a round trip after the third. The silence is long
    /// enough for that and for another round trip.
    fn patience(&self) -> Duration {
        let excess = self.min_rtt().unwrap_or_default().saturating_sub(SHORT_ROUND_TRIP);
        (self.timeout + 2 * excess).min(3 * self.timeout)
    }

    /// Returns when the path counts as silent if nothing more is received: so long after the last return,
    /// or after the time at which pings in the shortest interval would last have returned, as the
    /// patience lasts. Anything received extends the time up to three times that, for under load a
    /// heartbeat waits behind other messages. An idle path has so much time in any case: nothing waits for it.
    fn silent_at(&self) -> Option<Instant> {
        let returned = self.returned_at.filter(|_| self.returns)?;
        if planted::is(Fault::IgnoreSilence) {
            return None;
        }
        let due = self.waits_since? + self.min_rtt().unwrap_or_default();
        let since = due.checked_sub(self.interval).map_or(returned, |at| at.max(returned));
        let patience = self.patience();
        let longest = since + 3 * patience;
        if self.waits_idly {
            return Some(longest);
        }
        let heard = self.heard_at.max(since).max(self.resumed_at) + patience;
        Some(heard.min(longest))
    }

    /// Returns when the next ping is due.
    fn due_at(&self) -> Instant {
        let probe = self.sent_at + self.probing();
        let probe = match self.waits_since {
            _ if !self.is_alive() => Some(probe),
            Some(since) => {
                let overdue = since + self.min_rtt().unwrap_or_default() + self.interval;
                Some(probe.max(overdue))
            }
            None => None,
        };
        probe.map_or(self.next_at, |at| at.min(self.next_at))
    }

    /// Returns the interval of pings that are to show quickly whether the path carries.
    fn probing(&self) -> Duration {
        (self.interval / PROBES).max(Duration::from_millis(1))
    }

    /// Returns the number of the ping that is due, if one is.
    pub(super) fn timeout(&mut self, now: Instant) -> Option<u64> {
        if self.silent_at().is_some_and(|at| at <= now) {
            self.returns = false;
            self.next_at = now; // The partner must not believe in the path either.
        }
        if now < self.due_at() {
            return None;
        }
        let unused = now.saturating_duration_since(self.used_at);
        self.next_at = now + unused.clamp(self.interval, self.idle);
        self.sent_at = now;
        if self.waits_since.is_none() {
            self.waits_since = Some(now);
            self.waits_idly = unused >= 2 * self.interval;
        }
        self.last_ping += 1;
        if self.under_way.len() == UNDER_WAY {
            self.under_way.pop_front();
        }
        self.under_way.push_back((self.last_ping, now));
        Some(self.last_ping)
    }

    pub(super) fn poll_timeout(&self) -> Instant {
        let due = self.due_at();
        self.silent_at().map_or(due, |at| at.min(due))
    }
}
