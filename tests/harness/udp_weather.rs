//! Faults of the datagrams of a direct path, drawn from a seed.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use socketio_p2p_client::direct::{Fate, UdpFaults, UdpWay};

/// Loss, delay and reordering for one end's datagrams, and holes that swallow them.
///
/// What leaves suffers; what arrives passes, as long as nothing is swallowed, since the other end
/// has a weather of its own. Each way has its own random numbers, and a datagram takes the same
/// number of them whatever happens to it: the nth one of a way has the same fate for the same seed,
/// and after a hole that of its place.
#[derive(Debug)]
pub struct UdpWeather {
    loss: f64,
    delay: Range<Duration>,
    reorder: (f64, Duration),
    arrives_too: bool,
    random: [Mutex<Rng>; 2],
    swallows: [AtomicBool; 2],
    counters: [AtomicU64; 4],
}

/// The fate of the datagrams so far, both directions together.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct UdpCounts {
    /// Went on at once.
    pub passed: u64,
    /// Were lost by chance.
    pub lost: u64,
    /// Went on later.
    pub delayed: u64,
    /// Fell into a hole.
    pub swallowed: u64,
}

/// Indices of the counters.
const PASSED: usize = 0;
const LOST: usize = 1;
const DELAYED: usize = 2;
const SWALLOWED: usize = 3;

impl UdpWeather {
    /// Fine weather, for now.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut seeds = Rng::with_seed(seed);
        Self {
            loss: 0.0,
            delay: Duration::ZERO..Duration::ZERO,
            reorder: (0.0, Duration::ZERO),
            arrives_too: false,
            random: [Mutex::new(seeds.fork()), Mutex::new(seeds.fork())],
            swallows: Default::default(),
            counters: Default::default(),
        }
    }

    /// So many of all datagrams are lost: 0.02 is 2 %.
    #[must_use]
    pub fn loss(mut self, rate: f64) -> Self {
        self.loss = rate;
        self
    }

    /// Each waits so long: a time of this range, its end excluded. One that waits less overtakes.
    #[must_use]
    pub fn delay(mut self, range: Range<Duration>) -> Self {
        self.delay = range;
        self
    }

    /// So many of all wait `by` longer, so that those behind them overtake.
    #[must_use]
    pub fn reorder(mut self, rate: f64, by: Duration) -> Self {
        self.reorder = (rate, by);
        self
    }

    /// Applies the same faults to arriving datagrams: for a partner that has no weather, such as a
    /// browser.
    #[must_use]
    pub fn both_ways(mut self) -> Self {
        self.arrives_too = true;
        self
    }

    /// From now on everything is swallowed, both ways; or nothing any more.
    pub fn blackhole(&self, is_open: bool) {
        self.swallow(UdpWay::Leaving, is_open);
        self.swallow(UdpWay::Arriving, is_open);
    }

    /// The same for one way.
    pub fn swallow(&self, way: UdpWay, is_open: bool) {
        self.swallows[way as usize].store(is_open, Ordering::Relaxed);
    }

    /// Returns the fate of the datagrams so far.
    #[must_use]
    pub fn counts(&self) -> UdpCounts {
        let of = |counter: usize| self.counters[counter].load(Ordering::Relaxed);
        UdpCounts {
            passed: of(PASSED),
            lost: of(LOST),
            delayed: of(DELAYED),
            swallowed: of(SWALLOWED),
        }
    }

    /// Draws, whether it counts or not.
    fn draw(&self, way: UdpWay) -> Fate {
        let (lost, late, share) = {
            let random = &self.random[way as usize];
            let mut random = random.lock().unwrap_or_else(PoisonError::into_inner);
            (random.f64() < self.loss, random.f64() < self.reorder.0, random.f64())
        };
        let span = self.delay.end.saturating_sub(self.delay.start);
        let longer = if late { self.reorder.1 } else { Duration::ZERO };
        let delay = self.delay.start + span.mul_f64(share) + longer;
        match lost {
            true => Fate::Drop,
            false if delay.is_zero() => Fate::Pass,
            false => Fate::Delay(delay),
        }
    }
}

impl UdpFaults for UdpWeather {
    fn fate(&self, way: UdpWay, _len: usize) -> Fate {
        let suffers = way == UdpWay::Leaving || self.arrives_too;
        let drawn = if suffers { self.draw(way) } else { Fate::Pass };
        let (counter, fate) = match drawn {
            _ if self.swallows[way as usize].load(Ordering::Relaxed) => (SWALLOWED, Fate::Drop),
            Fate::Drop => (LOST, Fate::Drop),
            Fate::Delay(by) => (DELAYED, Fate::Delay(by)),
            Fate::Pass => (PASSED, Fate::Pass),
        };
        self.counters[counter].fetch_add(1, Ordering::Relaxed);
        fate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLIS: fn(u64) -> Duration = Duration::from_millis;

    fn stormy(seed: u64) -> UdpWeather {
        UdpWeather::new(seed).loss(0.1).delay(MILLIS(5)..MILLIS(30)).reorder(0.2, MILLIS(50))
    }

    fn fates(weather: &UdpWeather, way: UdpWay, count: usize) -> Vec<Fate> {
        (0..count).map(|_| weather.fate(way, 100)).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_fates_in_order() {
        let leaving = |seed| fates(&stormy(seed), UdpWay::Leaving, 1_000);

        assert_eq!(leaving(7), leaving(7));
        assert_ne!(leaving(7), leaving(8));
    }

    #[test]
    fn neither_the_other_way_nor_a_hole_changes_a_later_fate() {
        let calm = fates(&stormy(7).both_ways(), UdpWay::Leaving, 300);

        let weather = stormy(7).both_ways();
        let mut fates_now = fates(&weather, UdpWay::Leaving, 100);
        fates(&weather, UdpWay::Arriving, 33);
        weather.blackhole(true);
        let swallowed = fates(&weather, UdpWay::Leaving, 100);
        weather.blackhole(false);
        fates_now.extend(fates(&weather, UdpWay::Leaving, 100));

        assert!(swallowed.iter().all(|fate| *fate == Fate::Drop));
        assert_eq!(fates_now, [&calm[..100], &calm[200..]].concat());
        assert_eq!(weather.counts().swallowed, 100);
    }

    #[test]
    fn rates_and_ranges_are_kept() {
        let weather = stormy(1);

        let fates = fates(&weather, UdpWay::Leaving, 10_000);

        let delays = fates.iter().filter_map(|fate| match fate {
            Fate::Delay(by) => Some(*by),
            _ => None,
        });
        let (late, usual): (Vec<_>, Vec<_>) = delays.partition(|by| *by >= MILLIS(55));
        assert!(usual.iter().all(|by| (MILLIS(5)..MILLIS(30)).contains(by)));
        assert!(late.iter().all(|by| (MILLIS(55)..MILLIS(80)).contains(by)));
        assert!((1_600..2_000).contains(&late.len()), "{}", late.len());
        let counts = weather.counts();
        assert!((850..1_150).contains(&counts.lost), "{counts:?}");
        assert_eq!(counts.lost + counts.delayed, 10_000);
    }

    #[test]
    fn what_arrives_passes_until_it_is_told_to_suffer_or_swallowed() {
        let weather = UdpWeather::new(3).loss(1.0);
        assert_eq!(weather.fate(UdpWay::Arriving, 1), Fate::Pass);

        weather.swallow(UdpWay::Arriving, true);
        assert_eq!(weather.fate(UdpWay::Arriving, 1), Fate::Drop);

        assert_eq!(UdpWeather::new(3).loss(1.0).both_ways().fate(UdpWay::Arriving, 1), Fate::Drop);
    }
}
