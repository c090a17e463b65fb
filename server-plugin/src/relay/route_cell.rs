//! The cell of a connection's present route: read with each message, written with each pairing.

use std::fmt;

use crate::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicBool, Ordering},
};

/// The route of a connection while it is paired. Each connection has a cell and a lock of its own,
/// so that two pairs share none.
pub(crate) struct RouteCell<T>(RwLock<Option<Arc<T>>>);

impl<T> RouteCell<T> {
    pub(crate) fn empty() -> Self {
        Self(RwLock::new(None))
    }

    pub(crate) fn read(&self) -> Option<Arc<T>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn replace(&self, route: Option<Arc<T>>) -> Option<Arc<T>> {
        let mut present = self.0.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *present, route)
    }
}

impl<T> fmt::Debug for RouteCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RouteCell")
    }
}

/// A latch that opens when both clients have certainly been informed of their pairing.
///
/// The first client may answer before the second one is informed. Its message must not arrive before the
/// report of the pairing, or a v2 client drops it. Both clients are informed in one step, so it is enough
/// to wait for the end of the present step.
#[derive(Debug)]
pub(crate) struct Announced(AtomicBool);

impl Announced {
    pub(crate) fn not_yet() -> Self {
        Self(AtomicBool::new(false))
    }

    /// Returns when both clients were informed, at the latest at the end of the present step.
    pub(crate) fn wait(&self, for_present_step: impl FnOnce()) {
        if !self.0.load(Ordering::Acquire) {
            for_present_step();
            self.0.store(true, Ordering::Release);
        }
    }
}
