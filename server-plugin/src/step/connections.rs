//! The connections of all clients, by their numbers.

use std::{collections::HashMap, fmt};

use socketio_p2p_protocol::ConnId;

use crate::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// A map from the numbers of connections to the connections. No caller is called with its lock
/// held, and nothing is dropped.
pub(crate) struct Connections<C>(RwLock<HashMap<ConnId, C>>);

impl<C: Clone> Connections<C> {
    pub(crate) fn new() -> Self {
        Self(RwLock::new(HashMap::new()))
    }

    /// Adds a connection, and then lets the broker admit it: from the moment in which the broker
    /// knows it, another thread may have it closed, and must find it here.
    pub(crate) fn admit<E>(
        &self,
        conn: ConnId,
        connection: C,
        admit: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), E> {
        self.write().insert(conn, connection);
        admit().inspect_err(|_| drop(self.remove(conn)))
    }

    pub(crate) fn get(&self, conn: ConnId) -> Option<C> {
        self.read().get(&conn).cloned()
    }

    pub(crate) fn remove(&self, conn: ConnId) -> Option<C> {
        self.write().remove(&conn)
    }

    /// Returns all connections there are at present.
    pub(crate) fn all(&self) -> Vec<C> {
        self.read().values().cloned().collect()
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<ConnId, C>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<ConnId, C>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C> fmt::Debug for Connections<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connections")
    }
}
