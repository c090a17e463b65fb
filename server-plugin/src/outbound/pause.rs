//! A gate that is closed for some time.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

use super::gate::Gate;
use crate::tasks::Tasks;

/// A gate, and the time at which it opens.
#[derive(Debug)]
pub(super) struct Pause {
    gate: Arc<Gate>,
    /// `None` while it is open.
    until: Mutex<Option<Instant>>,
}

impl Pause {
    pub(super) fn new() -> Self {
        Self { gate: Gate::new(), until: Mutex::new(None) }
    }

    pub(super) const fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// Keeps the gate closed for this time from now on at least.
    pub(super) fn extend(self: &Arc<Self>, time: Duration, tasks: &Tasks) {
        let end = Instant::now() + time;
        let mut until = self.lock();
        self.gate.set_closed(true);
        let end = until.map_or(end, |until| until.max(end));
        if until.replace(end).is_none() {
            let this = self.clone();
            tasks.spawn(async move {
                while let Some(until) = this.left() {
                    sleep_until(until).await;
                }
            });
        }
    }

    /// Returns the time at which the gate opens, or opens it.
    fn left(&self) -> Option<Instant> {
        let mut until = self.lock();
        if until.is_some_and(|until| until <= Instant::now()) {
            *until = None;
            self.gate.set_closed(false);
        }
        *until
    }

    fn lock(&self) -> MutexGuard<'_, Option<Instant>> {
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_pause_lasts_until_the_latest_end_that_was_asked_for() {
        const SECOND: Duration = Duration::from_secs(1);
        let (pause, tasks) = (Arc::new(Pause::new()), Tasks::default());

        for _ in 0..2 {
            pause.extend(SECOND * 4, &tasks);
            sleep(SECOND).await;
            pause.extend(SECOND, &tasks);
            pause.extend(SECOND * 5, &tasks);
            sleep(SECOND * 4).await;
            assert!(pause.gate().is_closed());
            sleep(SECOND * 2).await;
            assert!(!pause.gate().is_closed());
        }
    }
}
