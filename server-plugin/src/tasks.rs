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
    /// An application may call the plugin on a thread outside of the runtime; the first client was let
    /// in inside of it. Before that there is nothing to do.
    pub(crate) fn spawn_to_its_end(&self, task: impl Future<Output = ()> + Send + 'static) {
        let present = Handle::try_current().ok();
        if let Some(runtime) = present.or_else(|| self.runtime.get().cloned()) {
            self.tracker.spawn_on(task, self.runtime.get_or_init(|| runtime));
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
            tracing::warn!(tasks = self.len(), "some tasks did not end in time");
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
