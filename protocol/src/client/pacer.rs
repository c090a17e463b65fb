//! The pacer: it keeps to the rates of the server, so that the server need not refuse anything.

use std::time::{Duration, Instant};

use crate::limits::Limits;

/// The share of the server's burst that is used: messages that a network held up arrive together.
const SHARE: f64 = 0.9;

/// Token buckets for messages and bytes, shared by all peers of a client.
#[derive(Debug, Default)]
pub(super) struct Pacer {
    messages: Bucket,
    bytes: Bucket,
}

/// A token bucket.
#[derive(Debug, Default)]
struct Bucket {
    /// The time in which one token comes back; zero if there is no limit.
    each: Duration,
    /// The time in which the whole burst comes back.
    burst: Duration,
    /// The time at which the bucket is full again.
    full_at: Option<Instant>,
}

impl Bucket {
    fn new(rate: u64, burst: u64) -> Self {
        let each =
            if rate == 0 { Duration::ZERO } else { Duration::from_secs(1).div_f64(rate as f64) };
        Self { each, burst: each.mul_f64(burst as f64 * SHARE), full_at: None }
    }

    /// Creates a bucket of messages. Each takes its token before it is sent, so the last of the burst is kept.
    fn of_messages(rate: u64, burst: u64) -> Self {
        let used = (burst as f64 * SHARE).floor().max(1.0);
        let mut bucket = Self::new(rate, burst);
        if used >= burst as f64 {
            // There is no burst to absorb what a network held up.
            bucket.each = bucket.each.mul_f64(2.0 - SHARE);
        }
        bucket.burst = bucket.each.mul_f64(used - 1.0);
        bucket
    }

    /// Returns when something may be sent, or `None` if that is now. It may be larger than what is
    /// left: then the next waits longer.
    fn next_at(&self, now: Instant) -> Option<Instant> {
        let at = self.full_at?.checked_sub(self.burst)?;
        (at > now).then_some(at)
    }

    fn spend(&mut self, count: usize, now: Instant) {
        if self.each > Duration::ZERO {
            let from = self.full_at.map_or(now, |at| at.max(now));
            self.full_at = Some(from + self.each.mul_f64(count as f64));
        }
    }
}

impl Pacer {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            messages: Bucket::of_messages(limits.message_rate.into(), limits.message_burst.into()),
            bytes: Bucket::new(limits.byte_rate, limits.byte_burst),
        }
    }

    /// Returns when the next message may be sent, or `None` if that is now.
    pub(super) fn next_at(&self, now: Instant) -> Option<Instant> {
        self.messages.next_at(now).max(self.bytes.next_at(now))
    }

    /// Notes that a message is sent.
    pub(super) fn spend(&mut self, bytes: usize, now: Instant) {
        self.messages.spend(1, now);
        self.bytes.spend(bytes, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(message_rate: u32, byte_rate: u64) -> Pacer {
        let limits = Limits {
            message_rate,
            message_burst: 2 * message_rate,
            byte_rate,
            byte_burst: 2 * byte_rate,
            ..Limits::default()
        };
        Pacer::new(&limits)
    }

    /// Returns the number of messages of this size that are sent within this time.
    fn sent(pace: &mut Pacer, bytes: usize, time: Duration) -> usize {
        let start = Instant::now();
        let (mut now, mut count) = (start, 0);
        while now < start + time {
            match pace.next_at(now) {
                Some(at) => now = at,
                None => {
                    pace.spend(bytes, now);
                    count += 1;
                }
            }
        }
        count
    }

    #[test]
    fn the_burst_goes_at_once_and_the_rest_at_the_rate() {
        let count = sent(&mut pace(100, 0), 10, Duration::from_secs(10));

        assert!((1170..=1182).contains(&count), "{count}");
    }

    #[test]
    fn a_server_with_any_rate_and_burst_need_not_refuse_a_message() {
        for rate in [1, 2, 9, 100] {
            for burst in 1..25 {
                let limits =
                    Limits { message_rate: rate, message_burst: burst, ..Limits::default() };
                let mut pace = Pacer::new(&limits);
                let each = Duration::from_secs(1) / rate;
                let mut now = Instant::now();
                // The server's bucket: the time at which it is full again.
                let mut full_at = now;
                for sent in 0..100 {
                    now = pace.next_at(now).unwrap_or(now);
                    pace.spend(1, now);
                    full_at = full_at.max(now) + each;
                    assert!(full_at <= now + each * burst, "{rate}, {burst}: {sent}");
                }
            }
        }
    }

    #[test]
    fn bytes_are_limited_as_well() {
        let count = sent(&mut pace(0, 1000), 100, Duration::from_secs(10));

        assert!((117..=119).contains(&count), "{count}");
    }

    #[test]
    fn without_limits_nothing_waits() {
        let mut pace = pace(0, 0);
        let now = Instant::now();

        for _ in 0..100_000 {
            assert_eq!(pace.next_at(now), None);
            pace.spend(1_000_000, now);
        }
    }
}
