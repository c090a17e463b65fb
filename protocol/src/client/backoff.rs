//! The waits between attempts to connect, and the time of each attempt.
//!
//! The wait doubles from attempt to attempt. While the server keeps the pairings of this client, several
//! attempts fall into what is left of the grace period, and none takes all of it.

use std::time::{Duration, Instant};

use super::ClientConfig;
use crate::limits::{GRACE_ATTEMPT_TIME, GRACE_WAIT, setting};

/// The waits since the last welcome.
#[derive(Debug)]
pub(super) struct Backoff {
    /// The state of the random numbers.
    random: u64,
    /// The number of waits since the last welcome.
    waits: u32,
    /// The period in which the grace period ends.
    grace: Option<GraceEnd>,
}

/// The earliest and the latest end of the grace period. The server may have noticed the loss before this
/// client did, but not before this client heard from it.
#[derive(Clone, Copy, Debug)]
struct GraceEnd {
    earliest: Instant,
    latest: Instant,
}

impl Backoff {
    /// Returns a backoff that draws its random parts from this seed.
    pub(super) const fn new(seed: u64) -> Self {
        Self { random: seed, waits: 0, grace: None }
    }

    /// Notes that the server has welcomed this client: the next loss is the first again.
    pub(super) const fn welcomed(&mut self) {
        self.waits = 0;
        self.grace = None;
    }

    /// Notes that the connection was lost, on which something was heard last at `heard`, and that the server
    /// keeps the pairings for this time.
    pub(super) fn lost(&mut self, grace: Duration, heard: Instant, now: Instant) {
        let grace = setting(grace);
        self.grace = Some(GraceEnd { earliest: heard + grace, latest: now + grace });
    }

    /// Returns the wait before the next attempt.
    pub(super) fn next_wait(&mut self, config: &ClientConfig, now: Instant) -> Duration {
        let doubled = config.backoff_min.saturating_mul(1 << self.waits.min(16));
        self.waits = self.waits.saturating_add(1);
        let mut wait = doubled.min(config.backoff_max);
        if let Some(longest) = self.longest_wait(now) {
            // With the random part it is as long at most.
            wait = wait.min(longest / 2).max(config.backoff_min);
        }
        wait + self.random_part(wait)
    }

    /// Returns the time that an attempt which begins now may take.
    pub(super) fn attempt_time(&self, config: &ClientConfig, now: Instant) -> Duration {
        let left = self.grace.map(|grace| grace.latest.saturating_duration_since(now));
        match left.filter(|left| !left.is_zero()) {
            Some(left) => config.connect_timeout.min((left / 3).max(GRACE_ATTEMPT_TIME)),
            None => config.connect_timeout,
        }
    }

    /// Returns the longest wait within the grace period, or `None` if the server keeps nothing.
    fn longest_wait(&self, now: Instant) -> Option<Duration> {
        let GraceEnd { earliest, latest } = self.grace?;
        let left = earliest.saturating_duration_since(now);
        (now < latest).then(|| (left / 4).max(GRACE_WAIT))
    }

    /// Returns a random time of at most `longest`.
    fn random_part(&mut self, longest: Duration) -> Duration {
        // SplitMix64.
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.random;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        let part = f64::from((bits >> 32) as u32) / f64::from(u32::MAX);
        longest.mul_f64(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{BACKOFF_MAX, GRACE, SETTING_MAX, SETTING_MIN};

    /// The times after a loss at which attempts begin that fail at once, as long as these are before `until`.
    fn attempts(backoff: &mut Backoff, lost: Instant, until: Duration) -> Vec<Duration> {
        let config = ClientConfig::default();
        let mut now = lost;
        let waits = std::iter::from_fn(|| {
            now += backoff.next_wait(&config, now);
            Some(now - lost)
        });
        waits.take_while(|at| *at < until).collect()
    }

    #[test]
    fn several_attempts_fall_into_the_last_second_of_the_grace_period() {
        for seed in 0..200 {
            let lost = Instant::now() + Duration::from_secs(60);
            for silence in [0, 4, 10].map(Duration::from_secs) {
                let mut backoff = Backoff::new(seed);
                backoff.lost(GRACE, lost - silence, lost);

                let all = attempts(&mut backoff, lost, GRACE);

                let last_second = GRACE - Duration::from_secs(1);
                let late = all.iter().filter(|at| **at > last_second).count();
                assert!((2..=6).contains(&late), "seed {seed}, {silence:?}: {all:?}");
                assert!(all.len() < 60, "seed {seed}, {silence:?}: {all:?}");
            }
        }
    }

    #[test]
    fn without_a_pairing_to_keep_the_waits_grow_to_the_longest() {
        for seed in 0..200 {
            let mut backoff = Backoff::new(seed);

            let all = attempts(&mut backoff, Instant::now(), Duration::from_secs(100));

            assert!(all.len() < 25, "{all:?}");
            let last = all[all.len() - 1] - all[all.len() - 2];
            assert!((BACKOFF_MAX..=2 * BACKOFF_MAX).contains(&last), "{last:?}");
        }
    }

    #[test]
    fn clients_of_a_server_do_not_return_at_the_same_moment() {
        let config = ClientConfig::default();
        let now = Instant::now();

        let waits = (0..100).map(|seed| Backoff::new(seed).next_wait(&config, now));

        assert!(waits.collect::<std::collections::BTreeSet<_>>().len() > 90);
    }

    #[test]
    fn an_attempt_takes_a_part_of_the_grace_period_and_all_of_its_time_after_that() {
        let now = Instant::now();
        let config = ClientConfig::default();
        let mut backoff = Backoff::new(1);
        assert_eq!(backoff.attempt_time(&config, now), config.connect_timeout);
        backoff.lost(GRACE, now, now);

        for (after, time) in [(0, 5_000), (6_000, 3_000), (12_000, 2_000), (14_990, 2_000)] {
            let begin = now + Duration::from_millis(after);
            assert_eq!(backoff.attempt_time(&config, begin), Duration::from_millis(time));
        }
        assert_eq!(backoff.attempt_time(&config, now + GRACE), config.connect_timeout);
    }

    #[test]
    fn every_duration_of_the_backoff_is_bounded_so_that_no_wait_is_zero_or_overflows() {
        for (min, max) in [
            (Duration::ZERO, Duration::ZERO),
            (Duration::ZERO, Duration::MAX),
            (Duration::MAX, Duration::ZERO),
            (Duration::MAX, Duration::MAX),
        ] {
            let config = ClientConfig { backoff_min: min, backoff_max: max, ..<_>::default() };
            let config = config.bounded();
            let mut backoff = Backoff::new(7);
            backoff.lost(Duration::MAX, Instant::now(), Instant::now());

            for _ in 0..200 {
                let wait = backoff.next_wait(&config, Instant::now());
                assert!(wait >= SETTING_MIN && wait <= 2 * SETTING_MAX, "{config:?}: {wait:?}");
            }
        }
    }
}
