//! The queue of emits between their callers and the actor.
//!
//! An emit takes its place when its caller first polls it, and keeps it until the actor has room or the
//! caller withdraws it. So the order of the first polls is the order of sending, however many callers wait
//! and in whatever order they are woken. Each pairing has a lane of its own: one whose window is full holds up no
//! other. The queue holds one entry for each caller that waits, with the arguments that the caller held until
//! then; what bounds it is the number of the application's own calls.

use std::collections::BTreeMap;

use tokio::sync::Notify;

use crate::sync::{Mutex, MutexGuard, PoisonError};

/// Entries in the order of their places, by lane. Either the caller withdraws an entry, or the actor takes it.
#[derive(Debug)]
pub(crate) struct EmitQueue<L, T> {
    state: Mutex<QueueState<L, T>>,
    arrived: Notify,
}

#[derive(Debug)]
struct QueueState<L, T> {
    /// The lanes with an entry at least.
    lanes: BTreeMap<L, BTreeMap<u64, T>>,
    next: u64,
    is_closed: bool,
}

/// The lane and the place of an entry, never given to another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Place<L> {
    pub(crate) lane: L,
    pub(crate) number: u64,
}

impl<L: Copy + Ord, T> EmitQueue<L, T> {
    pub(crate) fn new() -> Self {
        let state = QueueState { lanes: BTreeMap::new(), next: 0, is_closed: false };
        Self { state: Mutex::new(state), arrived: Notify::new() }
    }

    /// Puts an entry behind all others. Returns `None`, and drops the entry, if the queue is closed.
    pub(crate) fn push(&self, lane: L, entry: T) -> Option<Place<L>> {
        let mut state = self.lock();
        if state.is_closed {
            return None;
        }
        let number = state.next;
        state.next += 1;
        let entries = state.lanes.entry(lane).or_default();
        let was_empty = entries.is_empty();
        entries.insert(number, entry);
        drop(state);
        if was_empty {
            self.arrived.notify_one();
        }
        Some(Place { lane, number })
    }

    /// Withdraws an entry for its caller. Returns `None` if the actor has taken it.
    pub(crate) fn withdraw(&self, place: Place<L>) -> Option<T> {
        self.lock().remove(place)
    }

    /// Takes the first entry of the lanes that are open for the actor.
    pub(crate) fn take(&self, is_open: impl Fn(L) -> bool) -> Option<T> {
        let mut state = self.lock();
        let lanes = state.lanes.iter().filter(|(lane, _)| is_open(**lane));
        let firsts = lanes.filter_map(|(lane, entries)| {
            Some(Place { lane: *lane, number: *entries.first_key_value()?.0 })
        });
        let first = firsts.min_by_key(|place| place.number)?;
        state.remove(first)
    }

    /// Waits until there is an entry in a lane that is open, and takes it. Only one caller may wait; what opens a
    /// lane does not wake it. Cancel safe.
    pub(crate) async fn taken(&self, is_open: impl Fn(L) -> bool) -> T {
        loop {
            if let Some(entry) = self.take(&is_open) {
                return entry;
            }
            self.arrived.notified().await;
        }
    }

    /// Closes the queue and returns the entries that were not taken, in the order of their places.
    pub(crate) fn close(&self) -> impl Iterator<Item = T> + use<L, T> {
        let mut state = self.lock();
        state.is_closed = true;
        let lanes = std::mem::take(&mut state.lanes).into_values();
        let entries: BTreeMap<_, _> = lanes.flatten().collect();
        entries.into_values()
    }

    fn lock(&self) -> MutexGuard<'_, QueueState<L, T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<L: Copy + Ord, T> QueueState<L, T> {
    fn remove(&mut self, place: Place<L>) -> Option<T> {
        let entries = self.lanes.get_mut(&place.lane)?;
        let entry = entries.remove(&place.number);
        if entries.is_empty() {
            self.lanes.remove(&place.lane);
        }
        entry
    }
}
