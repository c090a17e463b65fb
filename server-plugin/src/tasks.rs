//! The tasks of the plugin. Each of them ends with it.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use tokio::runtime::Handle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// A handle to the tasks of one plugin. Cloning it is cheap.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
    /// The runtime in which the first task was started, for callers outside of any.
    runtime: Arc<OnceLock<Handle>>,
}

impl Tasks {
    /// Starts a task that is dropped when the plugin ends.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.spawn_to_its_end(async move {
            stop.run_until_cancelled(task).await;
        });
    }

    /// Starts a task that the plugin waits for when it ends.
    ///
    /// It runs in the caller's runtime. A caller outside of any gets the one in which the first task was
    /// started: the first client was let in inside of one, and before that there is nothing to do.
    pub(crate) fn spawn_to_its_end(&self, task: impl Future<Output = ()> + Send + 'static) {
        match Handle::try_current() {
            Ok(runtime) => {
                self.runtime.get_or_init(|| runtime.clone());
                self.tracker.spawn_on(task, &runtime);
            }
            Err(_) => {
                if let Some(runtime) = self.runtime.get() {
                    self.tracker.spawn_on(task, runtime);
                }
            }
        }
    }

    /// Returns the token that is cancelled when the plugin ends.
    pub(crate) const fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// Returns the number of tasks that run.
    pub(crate) fn len(&self) -> usize {
        self.tracker.len()
    }

    /// Ends all tasks, and waits for them for at most `timeout`.
    pub(crate) async fn close(&self, timeout: Duration) {
        self.stop.cancel();
        self.tracker.close();
        if tokio::time::timeout(timeout, self.tracker.wait()).await.is_err() {
            crate::observe::logged(|| {
                tracing::warn!(tasks = self.len(), "some tasks did not end in time");
            });
        }
    }
}

/// Waits until a moment, or forever if there is none.
pub(crate) async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment.into()).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use tokio::runtime::Builder;

    use super::*;

    #[test]
    fn a_task_runs_in_the_runtime_of_its_caller_and_outside_of_any_in_the_first() {
        let runtime = || Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let (tasks, first, second) = (Tasks::default(), runtime(), runtime());
        let (sender, ran) = std::sync::mpsc::channel();
        let start = |name| {
            let sender = sender.clone();
            tasks.spawn_to_its_end(
                async move { sender.send((name, Handle::current().id())).unwrap() },
            );
        };

        first.block_on(async { start("first") });
        second.block_on(async { start("second") });
        start("outside");

        let mut seen: Vec<_> = (0..3).map(|_| ran.recv().unwrap()).collect();
        seen.sort_by_key(|(name, _)| *name);
        let [one, other] = [first.handle().id(), second.handle().id()];
        assert_eq!(seen, [("first", one), ("outside", one), ("second", other)]);
    }
}
