//! The routes of a client to the other members of its rooms.

use std::{borrow::Borrow, collections::HashMap, ops::Deref};

use super::{Named, Route};
use crate::{
    PairingId,
    planted::{self, Fault},
};

/// The routes of one client to the other members of its rooms, by the pairing that a message names.
///
/// A message costs a lookup by the text that it contains; the pairing is not parsed.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use socketio_p2p_protocol::{
///     ConnId, Dialect, PairingId, Partner,
///     relay::{Named, RoomRoutes, Route},
/// };
///
/// let mut routes = RoomRoutes::default();
/// for serial in 1..=9 {
///     let pairing = PairingId::new(7, serial);
///     let client = format!("member {serial}").parse()?;
///     let (conn, dialect, direct) = (ConnId(serial), Dialect::V2, false);
///     routes.insert(Arc::new(Route::new(&Partner { pairing, client, conn, dialect, direct })));
/// }
///
/// let named = PairingId::new(7, 4);
/// assert_eq!(routes.find(Named::Id(named)).map(|route| route.pairing()), Some(named));
/// assert!(routes.find(Named::Id(PairingId::new(7, 10))).is_none());
/// # Ok::<(), socketio_p2p_protocol::ClientIdError>(())
/// ```
#[derive(Clone, Debug)]
pub struct RoomRoutes<R> {
    /// By the pairing as JSON.
    routes: HashMap<String, R>,
}

impl<R> Default for RoomRoutes<R> {
    fn default() -> Self {
        Self { routes: HashMap::new() }
    }
}

impl<R> RoomRoutes<R>
where
    R: Deref<Target: Borrow<Route>> + Clone,
{
    /// Adds a route, in the place of one of the same pairing, which it returns.
    pub fn insert(&mut self, route: R) -> Option<R> {
        let named = (*route).borrow().pairing_json.clone();
        self.routes.insert(named, route)
    }

    /// Removes the route of a pairing, and returns it.
    pub fn remove(&mut self, pairing: PairingId) -> Option<R> {
        self.routes.remove(&format!("\"{pairing}\""))
    }

    /// Returns the route for a message that names this pairing.
    #[must_use]
    pub fn find(&self, named: Named<'_>) -> Option<R> {
        if planted::is(Fault::MixMembers) {
            return self.routes.values().max_by_key(|route| (***route).borrow().pairing).cloned();
        }
        let route = match named {
            Named::Json(json) => self.routes.get(json.get()),
            Named::Id(id) => self.routes.get(&format!("\"{id}\"")),
        };
        route.cloned()
    }

    /// Returns the number of routes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.routes.len()
    }

    /// Returns true if there is no route.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }
}
