//! Log lines that strangers can cause in any number.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::logged;

/// The least time between two lines of a kind.
const BETWEEN: Duration = Duration::from_secs(10);

/// A kind of log line, of which one in 10 s is written.
#[derive(Debug)]
pub(crate) struct Limited(Mutex<State>);

#[derive(Debug)]
struct State {
    count: u64,
    logged_at: Option<Instant>,
}

impl Limited {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(State { count: 0, logged_at: None }))
    }

    /// Counts an occurrence. Logs it, with the number of all so far, unless one was logged not long ago.
    pub(crate) fn log(&self, log: impl FnOnce(u64)) {
        self.log_at(Instant::now(), log);
    }

    fn log_at(&self, now: Instant, log: impl FnOnce(u64)) {
        let count = {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            state.count += 1;
            if state.logged_at.is_some_and(|at| now < at + BETWEEN) {
                return;
            }
            state.logged_at = Some(now);
            state.count
        };
        // Outside of the lock: the application's subscriber may call the plugin.
        logged(|| log(count));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_in_ten_seconds_tells_the_number_of_all() {
        let (limited, since) = (Limited::new(), Instant::now());
        let mut lines = Vec::new();

        for seconds in [0, 0, 9, 10, 11, 30] {
            limited.log_at(since + Duration::from_secs(seconds), |count| {
                lines.push((seconds, count));
            });
        }

        assert_eq!(lines, [(0, 1), (10, 4), (30, 6)]);
    }
}
