//! What can be asked of a broker: pairings, connections, and numbers of objects.

use super::{Broker, BrokerStats, record::Slot};
use crate::{ClientId, ConnId, Dialect, PairingId, RoomName};

impl Broker {
    /// Returns the partner of a client and their pairing, or `None` if the client is not paired.
    #[must_use]
    pub fn pairing_of(&self, client: &ClientId) -> Option<(PairingId, &ClientId)> {
        let Slot::Paired(id) = self.clients.get(client)?.slot else {
            return None;
        };
        Some((id, self.pairings.get(&id)?.partner_of(client)))
    }

    /// Returns the connection that has an id, or `None` if no client has it or its client is away.
    #[must_use]
    pub fn connection_of(&self, client: &ClientId) -> Option<ConnId> {
        let conn = self.clients.get(client)?.conn;
        self.conns.contains_key(&conn).then_some(conn)
    }

    /// Returns the members of a room, in the order of their ids.
    #[must_use]
    pub fn members_of(&self, room: &RoomName) -> Vec<ClientId> {
        self.rooms.members_of(room)
    }

    /// Returns whether a client keeps its id even if it is silent: a v2 client that is paired or a member of a room,
    /// whose place is kept for its token.
    #[must_use]
    pub fn keeps_id(&self, client: &ClientId) -> bool {
        self.clients.get(client).is_some_and(|client| {
            client.dialect == Dialect::V2
                && (matches!(client.slot, Slot::Paired(_)) || !client.rooms.is_empty())
        })
    }

    /// Returns the numbers of objects.
    #[must_use]
    pub fn stats(&self) -> BrokerStats {
        BrokerStats {
            clients: self.clients.len(),
            away: self.away.len(),
            requests: self.waiting.len(),
            pairings: self.grants.len() + self.pairings.len(),
            watches: self.watches.len(),
            rooms: self.rooms.len(),
            room_pairings: self.rooms.pairings(),
        }
    }
}
