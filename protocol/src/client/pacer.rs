//! The pacer: it keeps to the rates of the server, so that the server need not refuse anything.

use std::time::{Duration, Instant};

use crate::limits::{BATCH_BYTES, Limits};

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
    /// The tokens that come back in a second; zero if there is no limit.
    rate: f64,
    /// The time in which so much of the burst comes back as may be missing when a message is sent.
    burst: Duration,
    /// The time at which the bucket is full again.
    full_at: Option<Instant>,
}

impl Bucket {
    /// Creates a bucket of messages that take up to `most` tokens each. A message is sent when the bucket
    /// has as many, or when it is full if it cannot hold them.
    fn new(rate: u64, burst: u64, most: usize) -> Self {
        let (mut rate, burst) = (rate as f64, burst as f64);
        let used = (burst * SHARE).floor().max(1.0);
        if used >= burst {
            // There is no burst to absorb what a network held up.
            rate /= 2.0 - SHARE;
        }
        let mut bucket = Self { rate, burst: Duration::ZERO, full_at: None };
        bucket.burst = bucket.time_of(used - used.min(most as f64));
        bucket
    }

    /// Returns the time in which so many tokens come back, rounded up: a rate that is rounded to its
    /// disadvantage is exceeded in the long run. At most some 500 years.
    fn time_of(&self, tokens: f64) -> Duration {
        if self.rate > 0.0 {
            Duration::from_nanos((tokens / self.rate * 1e9).ceil() as u64)
        } else {
            Duration::ZERO
        }
    }

    /// Returns when a message may be sent, or `None` if that is now.
    fn next_at(&self, now: Instant) -> Option<Instant> {
        let at = self.full_at?.checked_sub(self.burst)?;
        (at > now).then_some(at)
    }

    fn spend(&mut self, count: usize, now: Instant) {
        if self.rate > 0.0 {
            let from = self.full_at.map_or(now, |at| at.max(now));
            self.full_at = Some(from + self.time_of(count as f64));
        }
    }
}

impl Pacer {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            messages: Bucket::new(limits.message_rate.into(), limits.message_burst.into(), 1),
            bytes: Bucket::new(limits.byte_rate, limits.byte_burst, BATCH_BYTES),
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
        let count = sent(&mut pace(0, 100_000), 1_000, Duration::from_secs(10));

        assert!((1_155..=1_165).contains(&count), "{count}");
    }

    #[test]
    fn a_server_with_any_rate_of_bytes_need_not_refuse_a_message() {
        for rate in [1_000_u32, 8 << 20, 700_000_000] {
            for burst in [0, 1_000, 16 << 10, 2 * u64::from(rate)] {
                let limits =
                    Limits { byte_rate: rate.into(), byte_burst: burst, ..Limits::default() };
                let mut pace = Pacer::new(&limits);
                let start = Instant::now();
                let mut now = start;
                // The server's bucket, of which a larger message takes all.
                let (mut tokens, mut counted) = (burst as f64, Duration::ZERO);
                for message in 0..200_000 {
                    let size = if message % 3 == 0 { 1 } else { BATCH_BYTES };
                    now = pace.next_at(now).unwrap_or(now);
                    let time = now - start;
                    tokens += (time - counted).as_secs_f64() * f64::from(rate);
                    tokens = tokens.min(burst as f64) - burst.min(size as u64) as f64;
                    counted = time;
                    assert!(tokens >= -1e-3, "{rate}, {burst}: {message}: {tokens}");
                    pace.spend(size, now);
                }
            }
        }
    }

    #[test]
    fn every_number_in_the_place_of_a_rate_and_a_burst_is_borne() {
        let all = [0, 1, 2, 1 << 31, u32::MAX];
        let bytes = all.map(u64::from).into_iter().chain([1 << 53, u64::MAX]);
        let bytes: Vec<_> = bytes.collect();
        for (rate, burst) in all.iter().flat_map(|rate| all.map(|burst| (*rate, burst))) {
            for (byte_rate, byte_burst) in
                bytes.iter().flat_map(|rate| bytes.iter().map(|burst| (*rate, *burst)))
            {
                let limits = Limits::default().with_rates((rate, burst), (byte_rate, byte_burst));
                let mut pace = Pacer::new(&limits);
                let mut now = Instant::now();
                for _ in 0..3 {
                    pace.spend(1_000, now);
                    let at = pace.next_at(now).unwrap_or(now);
                    let longest = Duration::from_secs(if byte_rate == 1 { 1_200 } else { 600 });
                    assert!(at - now <= longest, "{limits:?}");
                    now = at;
                }
            }
        }
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
