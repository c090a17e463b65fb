//! The cell of a connection's routes to the other members of its rooms.

use std::{borrow::Borrow, fmt};

use socketio_p2p_protocol::{
    PairingId,
    relay::{self, Named, RoomRoutes},
};

use crate::sync::{Arc, PoisonError, RwLock};

/// The routes of a connection to the other members of its rooms. Each connection has a lock of its own, which is read
/// with each message that does not name the pairing of its [`RouteCell`](super::route_cell::RouteCell).
pub(crate) struct RoomCell<T>(RwLock<RoomRoutes<Arc<T>>>);

impl<T: Borrow<relay::Route>> RoomCell<T> {
    pub(crate) fn empty() -> Self {
        Self(RwLock::new(RoomRoutes::default()))
    }

    pub(crate) fn find(&self, named: Named<'_>) -> Option<Arc<T>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).find(named)
    }

    pub(crate) fn insert(&self, route: Arc<T>) {
        self.change(|routes| routes.insert(route));
    }

    pub(crate) fn remove(&self, pairing: PairingId) {
        self.change(|routes| routes.remove(pairing));
    }

    pub(crate) fn clear(&self) {
        self.change(std::mem::take);
    }

    /// Changes the routes. What is left of others is dropped where the cell is not locked.
    fn change<R>(&self, change: impl FnOnce(&mut RoomRoutes<Arc<T>>) -> R) {
        let left = change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner));
        drop(left);
    }
}

impl<T> fmt::Debug for RoomCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RoomCell")
    }
}
