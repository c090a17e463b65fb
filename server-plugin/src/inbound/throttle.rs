//! The rates of one connection, and the strikes of a client that does not keep to them.

use std::{
    fmt,
    num::NonZeroU32,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use governor::{DefaultDirectRateLimiter, RateLimiter};

use super::pace::Pace;
use crate::limits::{Rate, ServerLimits};

/// A rate of signals. A limit that is off is `None`.
pub(crate) struct SignalRate(Option<DefaultDirectRateLimiter>);

impl SignalRate {
    pub(crate) fn new(limits: &ServerLimits) -> Self {
        Self(limits.signals.map(|rate| RateLimiter::direct(rate.quota())))
    }

    /// Counts a signal, and returns whether it is within the rate.
    pub(crate) fn admits(&self) -> bool {
        allows(self.0.as_ref())
    }
}

/// The counters of one connection. A limit that is off is `None`.
pub(crate) struct Throttle {
    pace: Pace,
    messages: Option<DefaultDirectRateLimiter>,
    bytes: Option<(DefaultDirectRateLimiter, NonZeroU32)>,
    registrations: Option<DefaultDirectRateLimiter>,
    lists: Option<DefaultDirectRateLimiter>,
    joins: Option<DefaultDirectRateLimiter>,
    signals: SignalRate,
    strikes: Option<DefaultDirectRateLimiter>,
    expelled: AtomicBool,
}

impl Throttle {
    pub(crate) fn new(limits: &ServerLimits) -> Self {
        let limiter = |rate: Option<Rate>| rate.map(|rate| RateLimiter::direct(rate.quota()));
        Self {
            pace: Pace::new(limits.messages, limits.bytes, Instant::now()),
            messages: limiter(limits.messages),
            bytes: limits.bytes.map(|rate| {
                let quota = rate.quota();
                (RateLimiter::direct(quota), quota.burst_size())
            }),
            registrations: limiter(limits.registrations),
            lists: limiter(limits.lists),
            joins: limiter(limits.joins),
            signals: SignalRate::new(limits),
            strikes: limiter(limits.strikes),
            expelled: AtomicBool::new(false),
        }
    }

    /// Counts a message of this size of a client whose reading can wait. Returns the time for which it must,
    /// so that the client stays within the rates.
    pub(crate) fn wait(&self, bytes: usize) -> Option<Duration> {
        self.pace.count(bytes, Instant::now())
    }

    /// Counts a message of this size, and returns whether it is within the rates.
    pub(crate) fn admits(&self, bytes: usize) -> bool {
        allows(self.messages.as_ref()) && self.admits_bytes(bytes)
    }

    fn admits_bytes(&self, bytes: usize) -> bool {
        let Some((limiter, burst)) = &self.bytes else {
            return true;
        };
        // A message larger than the burst takes all of the burst.
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX).min(burst.get());
        NonZeroU32::new(bytes)
            .is_none_or(|bytes| limiter.check_n(bytes).is_ok_and(|checked| checked.is_ok()))
    }

    pub(crate) fn admits_registration(&self) -> bool {
        allows(self.registrations.as_ref())
    }

    pub(crate) fn admits_list(&self) -> bool {
        allows(self.lists.as_ref())
    }

    pub(crate) fn admits_join(&self) -> bool {
        allows(self.joins.as_ref())
    }

    pub(crate) fn admits_signal(&self) -> bool {
        self.signals.admits()
    }

    /// Returns whether so much of the client was refused that it is no longer listened to.
    pub(crate) fn is_expelled(&self) -> bool {
        self.expelled.load(Ordering::Relaxed)
    }

    /// Counts a refused message. Returns `true` once: for the first message beyond the limit.
    pub(crate) fn strike(&self) -> bool {
        !allows(self.strikes.as_ref()) && !self.expelled.swap(true, Ordering::Relaxed)
    }
}

fn allows(limiter: Option<&DefaultDirectRateLimiter>) -> bool {
    limiter.is_none_or(|limiter| limiter.check().is_ok())
}

impl fmt::Debug for Throttle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Throttle").field("expelled", &self.is_expelled()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A rate so slow that nothing comes back while a test runs.
    const fn only(count: u32) -> Rate {
        Rate::new(1, Duration::from_secs(3600)).burst(count)
    }

    fn count(mut admits: impl FnMut() -> bool) -> usize {
        (0..100).filter(|_| admits()).count()
    }

    #[test]
    fn messages_are_admitted_up_to_the_burst() {
        let throttle = Throttle::new(&ServerLimits::default().messages(only(7)));

        assert_eq!(count(|| throttle.admits(1)), 7);
    }

    #[test]
    fn bytes_are_admitted_up_to_the_burst() {
        let throttle = Throttle::new(&ServerLimits::default().bytes(only(1000)));

        assert_eq!(count(|| throttle.admits(300)), 3);
        assert!(throttle.admits(100), "what is left");
        assert!(throttle.admits(0));
        assert!(!throttle.admits(1));
    }

    #[test]
    fn a_message_larger_than_the_burst_takes_all_of_it() {
        let throttle = Throttle::new(&ServerLimits::default().bytes(only(1000)));

        assert!(throttle.admits(100_000));
        assert!(!throttle.admits(1));
    }

    #[test]
    fn registrations_lists_joins_and_signals_have_quotas_of_their_own() {
        let limits = ServerLimits::default().registrations(only(2)).lists(only(3)).signals(only(4));
        let limits = limits.joins(only(5));
        let throttle = Throttle::new(&limits);

        assert_eq!(count(|| throttle.admits_registration()), 2);
        assert_eq!(count(|| throttle.admits_list()), 3);
        assert_eq!(count(|| throttle.admits_signal()), 4);
        assert_eq!(count(|| throttle.admits_join()), 5);
        assert!(throttle.admits(1));
    }

    #[test]
    fn the_strike_that_is_one_too_many_is_reported_once() {
        let throttle = Throttle::new(&ServerLimits::default().strikes(only(5)));

        let told: Vec<_> = (0..10).map(|_| throttle.strike()).collect();

        assert_eq!(told.iter().position(|out| *out), Some(5));
        assert_eq!(told.iter().filter(|out| **out).count(), 1);
        assert!(throttle.is_expelled());
    }

    #[test]
    fn without_limits_everything_is_admitted() {
        let throttle = Throttle::new(&ServerLimits::unlimited_rates());

        for _ in 0..10_000 {
            assert!(throttle.admits(1 << 30) && throttle.admits_registration());
            assert!(throttle.admits_list() && throttle.admits_signal() && throttle.admits_join());
            assert!(!throttle.strike());
        }
    }
}
