//! A schedule of faults and of the connections that they meet, drawn from one seed.

use std::time::Duration;

use fastrand::Rng;

use super::fault::{Fault, Kind, Ways};

/// The ranges from which the fields of [`Fault`] are drawn, in their order.
const DELAY_MS: std::ops::Range<u64> = 5..150;
const RATE: std::ops::Range<usize> = 8 * 1024..256 * 1024;
const SPLIT: std::ops::Range<usize> = 1..400;
const MERGE_MS: std::ops::Range<u64> = 5..100;
const FREEZE_MS: std::ops::Range<u64> = 50..2_000;
const LASTS_MS: std::ops::Range<u64> = 200..2_000;

/// An endless list of faults: the same for the same seed, rate and kinds.
#[derive(Clone, Debug)]
pub struct Schedule {
    random: Rng,
    kinds: Vec<Kind>,
    mean: Duration,
}

/// One entry of a [`Schedule`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Injection {
    /// The time since the previous fault.
    pub after: Duration,
    /// The fault.
    pub fault: Fault,
    /// The position of the connection among those that exist then: 0 is the oldest, just below 1
    /// the newest.
    pub whom: f64,
}

impl Schedule {
    /// So many faults a second, on average, of all kinds equally.
    ///
    /// # Panics
    ///
    /// If the rate is not a positive number.
    #[must_use]
    pub fn new(seed: u64, per_second: f64) -> Self {
        Self {
            random: Rng::with_seed(seed),
            kinds: Kind::ALL.to_vec(),
            mean: Duration::from_secs_f64(1.0 / per_second),
        }
    }

    /// Only of these kinds. One that is named twice comes twice as often.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[must_use]
    pub fn kinds(mut self, kinds: &[Kind]) -> Self {
        assert!(!kinds.is_empty(), "a schedule of nothing");
        self.kinds = kinds.to_vec();
        self
    }

    fn draw(&mut self) -> Fault {
        let random = &mut self.random;
        let kind = self.kinds[random.usize(..self.kinds.len())];
        let mut millis = |range| Duration::from_millis(random.u64(range));
        let lasts = millis(LASTS_MS);
        match kind {
            Kind::Delay => Fault::Delay { by: millis(DELAY_MS), lasts },
            Kind::Reset => Fault::Reset,
            Kind::Finish => Fault::Finish,
            Kind::HalfOpen => {
                Fault::HalfOpen([Ways::Up, Ways::Down, Ways::Both][random.usize(..3)])
            }
            Kind::Throttle => Fault::Throttle { rate: random.usize(RATE), lasts },
            Kind::Split => Fault::Split { most: random.usize(SPLIT), lasts },
            Kind::Merge => Fault::Merge { within: millis(MERGE_MS), lasts },
            Kind::Freeze => Fault::Freeze { lasts: millis(FREEZE_MS) },
        }
    }
}

impl Iterator for Schedule {
    type Item = Injection;

    fn next(&mut self) -> Option<Injection> {
        let after = self.mean.mul_f64(2.0 * self.random.f64());
        let fault = self.draw();
        Some(Injection { after, fault, whom: self.random.f64() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_faults() {
        let faults = |seed| -> Vec<Injection> { Schedule::new(seed, 10.0).take(1_000).collect() };

        assert_eq!(faults(7), faults(7));
        assert_ne!(faults(7), faults(8));
    }

    #[test]
    fn the_rate_is_kept_on_average_and_every_kind_comes() {
        let faults: Vec<Injection> = Schedule::new(1, 50.0).take(5_000).collect();

        let seconds: f64 = faults.iter().map(|injection| injection.after.as_secs_f64()).sum();
        assert!((90.0..110.0).contains(&seconds), "{seconds}");
        for kind in Kind::ALL {
            assert!(faults.iter().any(|injection| injection.fault.kind() == kind), "{kind:?}");
        }
    }
}
