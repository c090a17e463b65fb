//! Futures that the connection's task carries out for others.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// A future that is carried out for its effect.
pub(crate) type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Tasks on their way to the connection's task. Each is taken as soon as that task runs, so that there are no
/// more than channels and calls of the application.
pub(crate) struct Handover {
    /// `None` once nothing is carried out any more.
    waiting: Mutex<Option<Vec<Task>>>,
    given: Notify,
}

impl Handover {
    pub(crate) fn new() -> Self {
        Self { waiting: Mutex::new(Some(Vec::new())), given: Notify::new() }
    }

    /// Hands a task over. It is dropped after [`Self::shut`].
    pub(crate) fn give(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        match waiting.as_mut() {
            Some(waiting) => waiting.push(Box::pin(task)),
            None => {
                // Outside of the lock: a task that is dropped may hand over another one.
                drop(waiting);
                drop(task);
                return;
            }
        }
        drop(waiting);
        self.given.notify_one();
    }

    /// Waits until a task may have been given.
    pub(crate) async fn given(&self) {
        self.given.notified().await;
    }

    /// Takes what was given.
    pub(crate) fn take(&self) -> Vec<Task> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Drops what was given, and what will be. A task that waited here forever would hold the channels, which
    /// hold it.
    pub(crate) fn shut(&self) {
        let forgotten = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(forgotten);
    }

    /// Carries out what is given, until `end` is cancelled and nothing is left.
    pub(crate) async fn carry_out(&self, end: &CancellationToken) {
        let mut running = FuturesUnordered::new();
        loop {
            running.extend(self.take());
            tokio::select! {
                () = self.given() => {}
                Some(()) = running.next() => {}
                () = end.cancelled(), if running.is_empty() => break,
            }
        }
        self.shut();
    }
}
