//! The queue of emits between their callers and the actor.
//!
//! An emit takes its place when its caller first polls it, and keeps it until the actor has room or the
//! caller withdraws it. So the order of the first polls is the order of sending, however many callers wait
//! and in whatever order they are woken. The queue holds one entry for each caller that waits, with the
//! arguments that the caller held until then; what bounds it is the number of the application's own calls.

use std::collections::BTreeMap;

use tokio::sync::Notify;

use crate::sync::{Mutex, MutexGuard, PoisonError};

/// Entries in the order of their places. Either the caller withdraws an entry, or the actor takes it.
#[derive(Debug)]
pub(crate) struct EmitQueue<T> {
    state: Mutex<QueueState<T>>,
    arrived: Notify,
}

#[derive(Debug)]
struct QueueState<T> {
    waiting: BTreeMap<Place, T>,
    next: Place,
    is_closed: bool,
}

/// The place of an entry, never given to another.
pub(crate) type Place = u64;

impl<T> EmitQueue<T> {
    pub(crate) fn new() -> Self {
        let state = QueueState { waiting: BTreeMap::new(), next: 0, is_closed: false };
        Self { state: Mutex::new(state), arrived: Notify::new() }
    }

    /// Puts an entry behind all others. Returns `None`, and drops the entry, if the queue is closed.
    pub(crate) fn push(&self, entry: T) -> Option<Place> {
        let mut state = self.lock();
        if state.is_closed {
            return None;
        }
        let place = state.next;
        state.next += 1;
        let was_empty = state.waiting.is_empty();
        state.waiting.insert(place, entry);
        drop(state);
        if was_empty {
            self.arrived.notify_one();
        }
        Some(place)
    }

    /// Withdraws an entry for its caller. Returns `None` if the actor has taken it.
    pub(crate) fn withdraw(&self, place: Place) -> Option<T> {
        self.lock().waiting.remove(&place)
    }

    /// Takes the first entry for the actor.
    pub(crate) fn take(&self) -> Option<T> {
        self.lock().waiting.pop_first().map(|(_, entry)| entry)
    }

    /// Waits until there is an entry, and takes it. Only one caller may wait. Cancel safe.
    pub(crate) async fn taken(&self) -> T {
        loop {
            if let Some(entry) = self.take() {
                return entry;
            }
            self.arrived.notified().await;
        }
    }

    /// Closes the queue and returns the entries that were not taken.
    pub(crate) fn close(&self) -> impl Iterator<Item = T> + use<T> {
        let mut state = self.lock();
        state.is_closed = true;
        std::mem::take(&mut state.waiting).into_values()
    }

    fn lock(&self) -> MutexGuard<'_, QueueState<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
