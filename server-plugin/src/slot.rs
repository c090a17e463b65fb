//! Where what a client says goes: read with each message, changed with each pairing.

use std::fmt;

use crate::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicBool, Ordering},
};

/// What a connection has as long as it is paired. Its lock is its own: two pairs share none.
pub(crate) struct Slot<T>(RwLock<Option<Arc<T>>>);

impl<T> Slot<T> {
    pub(crate) fn empty() -> Self {
        Self(RwLock::new(None))
    }

    pub(crate) fn read(&self) -> Option<Arc<T>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn replace(&self, value: Option<Arc<T>>) -> Option<Arc<T>> {
        let mut slot = self.0.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *slot, value)
    }
}

impl<T> fmt::Debug for Slot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Slot")
    }
}

/// Whether both ends have certainly been told of their pairing.
///
/// The first end to be told may answer before the other one is told: what it says must not get
/// there before the news, or a v2 client drops it. Both are told in one step, so it is enough to
/// wait for the end of the step that is being taken.
#[derive(Debug)]
pub(crate) struct News(AtomicBool);

impl News {
    pub(crate) fn untold() -> Self {
        Self(AtomicBool::new(false))
    }

    /// Returns when both were told, which is at the end of the present step at the latest.
    pub(crate) fn wait(&self, for_present_step: impl FnOnce()) {
        if !self.0.load(Ordering::Acquire) {
            for_present_step();
            self.0.store(true, Ordering::Release);
        }
    }
}
