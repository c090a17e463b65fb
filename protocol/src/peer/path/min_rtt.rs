//! The shortest of the latest round trips.

use std::{collections::VecDeque, time::Duration};

/// The last `N` round trips. The shortest is the round-trip time of the path itself: the others
/// waited behind messages of either peer.
#[derive(Debug, Default)]
pub(super) struct MinRtt<const N: usize>(VecDeque<Duration>);

impl<const N: usize> MinRtt<N> {
    pub(super) const fn new() -> Self {
        Self(VecDeque::new())
    }

    pub(super) fn record(&mut self, sample: Duration) {
        if self.0.len() == N {
            self.0.pop_front();
        }
        self.0.push_back(sample);
    }

    /// Returns the shortest, or `None` if nothing was measured.
    pub(super) fn get(&self) -> Option<Duration> {
        self.0.iter().min().copied()
    }
}
