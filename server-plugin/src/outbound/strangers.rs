//! The connections of a listener that carry no session: the first to go when no descriptor is left.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use super::stream_handle::StreamHandle;

/// The connections of one listener that carry no session, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Strangers(Mutex<StrangersState>);

#[derive(Debug, Default)]
struct StrangersState {
    last: u64,
    /// An entry lives no longer than its stream.
    streams: BTreeMap<u64, Weak<StreamHandle>>,
}

/// The place of a connection among them, until it is dropped.
#[derive(Debug)]
pub(super) struct Stranger {
    among: Arc<Strangers>,
    number: u64,
}

impl Strangers {
    /// Adds a connection.
    pub(super) fn enter(self: &Arc<Self>, stream: &Arc<StreamHandle>) -> Stranger {
        let mut state = self.lock();
        state.last += 1;
        let number = state.last;
        state.streams.insert(number, Arc::downgrade(stream));
        Stranger { among: self.clone(), number }
    }

    /// Ends the oldest one. Returns whether there was one.
    pub(super) fn cut_oldest(&self) -> bool {
        loop {
            // The lock is given back before the stream is woken.
            let Some((_, oldest)) = self.lock().streams.pop_first() else { return false };
            if let Some(stream) = oldest.upgrade() {
                stream.cut();
                return true;
            }
        }
    }

    /// Returns whether there is none.
    #[cfg(feature = "axum")]
    pub(super) fn is_empty(&self) -> bool {
        self.lock().streams.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, StrangersState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.among.lock().streams.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_first_and_whoever_left_or_has_a_session_does_not() {
        let strangers = Arc::new(Strangers::default());
        let streams = [(); 4].map(|()| Arc::new(StreamHandle::new()));
        let mut places: Vec<_> = streams.iter().map(|stream| strangers.enter(stream)).collect();
        drop(places.remove(1));

        assert!(strangers.cut_oldest() && strangers.cut_oldest());

        let cut: Vec<_> = streams.iter().map(|stream| stream.is_cut()).collect();
        assert_eq!(cut, [true, false, true, false]);
        assert!(strangers.cut_oldest() && !strangers.cut_oldest());
        drop(places);
        assert!(strangers.lock().streams.is_empty());
    }
}
