//! The plugin as its application sees it.

use std::sync::Arc;

use socketio_p2p_protocol::{
    Broker, BrokerStats, ClientEntry, ClientId, PairingId, RoomName, broker::Input,
};

use crate::{
    attach::identity::Hooks,
    limits::ServerLimits,
    observe::{
        counters::{Counters, Gauges, Stats},
        events::Events,
    },
    step::{CLOSE_TIMEOUT, Shared},
};

/// The P2P plugin of a socketioxide server. Cloning it is cheap.
///
/// It lives as long as its namespace; [`Self::close`] ends it.
#[derive(Clone, Debug)]
pub struct P2pServer {
    pub(crate) shared: Arc<Shared>,
}

impl P2pServer {
    pub(crate) fn new(broker: Broker, hooks: Hooks, limits: ServerLimits) -> Self {
        Self { shared: Shared::new(broker, hooks, limits) }
    }

    /// Returns all clients, in the order of their names.
    #[must_use]
    pub fn clients(&self) -> Vec<ClientEntry> {
        let listing = self.shared.lock().listing();
        listing.entries() // Where the broker is not locked.
    }

    /// Returns the partner of a client and the id of their pairing, or `None` if the client is not
    /// paired.
    #[must_use]
    pub fn pairing_of(&self, client: &ClientId) -> Option<(PairingId, ClientId)> {
        self.shared.lock().pairing_of(client).map(|(id, partner)| (id, partner.clone()))
    }

    /// Parts a client from its partner, if it has one. Both peers hear `kicked`.
    pub fn unpair(&self, client: &ClientId) {
        self.shared.step(Input::Unpair(client.clone()));
    }

    /// Returns the members of a room, in the order of their names.
    #[must_use]
    pub fn members_of(&self, room: &RoomName) -> Vec<ClientId> {
        self.shared.lock().members_of(room)
    }

    /// Removes a client from a room, if it is a member. It and the other members hear `kicked`. It may join again if
    /// the hook [`rooms`](crate::P2pServerBuilder::rooms) allows it.
    pub fn remove_from_room(&self, client: &ClientId, room: &RoomName) {
        self.shared.step(Input::RemoveFromRoom(client.clone(), room.clone()));
    }

    /// Removes a client, if it is there. Its pairing ends with `kicked`, and its connection is
    /// closed.
    pub fn kick(&self, client: &ClientId) {
        self.shared.step(Input::Kick(client.clone()));
    }

    /// Subscribes to the events from now on. A reader that falls 1,024 events behind misses the
    /// oldest and gets [`EventsError::Lagged`](crate::EventsError::Lagged).
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use socketio_p2p_server::{Event, EventsError, P2pServer};
    /// # async fn example(server: P2pServer) {
    /// let mut events = server.events();
    /// loop {
    ///     match events.recv().await {
    ///         Ok(Event::Paired { source, target, .. }) => println!("{source} and {target}"),
    ///         Ok(_) | Err(EventsError::Lagged(_)) => {}
    ///         Err(_) => break,
    ///     }
    /// }
    /// # }
    /// ```
    pub fn events(&self) -> Events {
        let Shared { events, tasks, .. } = &*self.shared;
        events.subscribe(tasks.stop().clone())
    }

    /// Returns the numbers of clients, waiting registrations, pairings and the objects held for
    /// them.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let BrokerStats {
            clients, away, requests, pairings, watches, rooms, room_pairings, ..
        } = self.shared.lock().stats();
        let Gauges { connections, routes, bridges } = &self.shared.gauges;
        Stats {
            clients,
            away,
            requests,
            pairings,
            watches,
            rooms,
            room_pairings,
            connections: connections.count(),
            routes: routes.count(),
            bridges: bridges.count(),
            tasks: self.shared.tasks.len(),
        }
    }

    /// Returns the counters of refusals since the server began.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.shared.counters.read()
    }

    /// Ends all pairings at the server with `shutting-down` (two clients with an open direct path talk on and
    /// pair again at the next server), ends the connections of all clients, lets no client in
    /// any more, and returns when nothing of the plugin runs any more, at the latest after 5 s.
    ///
    /// No client is sent out of the namespace: stock clients would stay away for good. Each one
    /// gets its last messages, then its transport ends, and it comes back after its backoff. Stop the
    /// listener first, or it comes back to this server; close `io` afterwards.
    ///
    /// # Examples
    ///
    /// ```
    /// # async fn example(p2p: socketio_p2p_server::P2pServer, io: socketioxide::SocketIo,
    /// #     stop_listening: tokio::sync::oneshot::Sender<()>) {
    /// stop_listening.send(()).ok(); // axum::serve(…).with_graceful_shutdown(…)
    /// p2p.close().await;
    /// io.close().await;
    /// # }
    /// ```
    ///
    /// The plugin can end the transport of connections that a [`QuickAckListener`] or another metered
    /// listener accepted. Others stay until `io` is closed, as do connections that are no P2P
    /// clients.
    ///
    /// [`QuickAckListener`]: crate::QuickAckListener
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: calling it again goes on.
    pub async fn close(&self) {
        self.shared.shut_down();
        self.shared.tasks.close(CLOSE_TIMEOUT).await;
    }
}
