//! The rates of a client that can be made to wait: nothing of it is refused, and it waits until it is within
//! its rates again.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use socketio_p2p_protocol::limits::SKIPPED_BYTES;

use crate::limits::Rate;

/// The rates of the messages and of the bytes of one client.
#[derive(Debug)]
pub(super) struct Pace(Mutex<[Option<Debt>; 2]>);

/// What was taken of one rate.
#[derive(Clone, Copy, Debug)]
struct Debt {
    /// The time in which one comes.
    each: Duration,
    /// The time in which as many come as may come at once.
    burst: Duration,
    /// The time at which all that was taken has come.
    even: Instant,
}

impl Pace {
    pub(super) fn new(messages: Option<Rate>, bytes: Option<Rate>, now: Instant) -> Self {
        let debt = |rate: Rate| {
            let (each, burst) = rate.times();
            Debt { each, burst, even: now }
        };
        Self(Mutex::new([messages, bytes].map(|rate| rate.map(debt))))
    }

    /// Counts a message of this size. Returns the time until the next one may be taken, if that is later.
    pub(super) fn count(&self, bytes: usize, now: Instant) -> Option<Duration> {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let mut debts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = debts.iter_mut().zip([1, bytes]).filter_map(|(debt, count)| {
            let Debt { each, burst, even } = debt.as_mut()?;
            // Reading stops with the first that is too much, but what was read with it is still counted.
            let most = now + *burst + *each * SKIPPED_BYTES as u32;
            *even = ((*even).max(now) + *each * count).min(most);
            even.checked_duration_since(now + *burst).filter(|wait| !wait.is_zero())
        });
        waits.max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn rate(count: u32, burst: u32) -> Option<Rate> {
        Some(Rate::new(count, SECOND).burst(burst))
    }

    #[test]
    fn a_client_within_its_rates_never_waits() {
        let now = Instant::now();
        let pace = Pace::new(rate(10, 5), rate(1000, 1000), now);

        for number in 0..100 {
            assert_eq!(pace.count(100, now + SECOND / 10 * number), None);
        }
    }

    #[test]
    fn a_client_waits_for_as_long_as_what_it_sent_too_much_takes() {
        let now = Instant::now();
        let pace = Pace::new(rate(10, 5), None, now);

        let waits: Vec<_> = (0..8).map(|_| pace.count(1, now)).collect();

        let tenths = |tenths| Some(SECOND / 10 * tenths);
        assert_eq!(waits[..5], [None; 5]);
        assert_eq!(waits[5..], [tenths(1), tenths(2), tenths(3)]);
        assert_eq!(pace.count(1, now + SECOND / 10 * 4), None);
        assert_eq!(pace.count(1, now + SECOND / 10 * 4), tenths(1));
    }

    #[test]
    fn a_client_never_owes_more_than_the_longest_message_that_is_left_out() {
        let now = Instant::now();
        let pace = Pace::new(None, rate(1_000_000, 1_000_000), now);
        let longest = Duration::from_micros(SKIPPED_BYTES);

        let waits = (0..1_000).map(|_| pace.count(usize::MAX, now));

        assert_eq!(waits.max(), Some(Some(longest)));
        assert_eq!(pace.count(0, now + longest), None);
    }

    #[test]
    fn bytes_count_as_messages_do() {
        let now = Instant::now();
        let pace = Pace::new(None, rate(1000, 1000), now);

        assert_eq!(pace.count(1000, now), None);
        assert_eq!(pace.count(500, now), Some(SECOND / 2));
    }
}
