//! The last few measurements of a round trip.

use std::{collections::VecDeque, time::Duration};

/// The last `N` round trips. The shortest of them is what the path itself takes: the others waited
/// behind what this end or its partner had to say.
#[derive(Debug, Default)]
pub(super) struct Recent<const N: usize>(VecDeque<Duration>);

impl<const N: usize> Recent<N> {
    pub(super) const fn new() -> Self {
        Self(VecDeque::new())
    }

    pub(super) fn note(&mut self, time: Duration) {
        if self.0.len() == N {
            self.0.pop_front();
        }
        self.0.push_back(time);
    }

    pub(super) fn shortest(&self) -> Option<Duration> {
        self.0.iter().min().copied()
    }
}
