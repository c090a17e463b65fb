//! The memberships of a client, and which peers are of which room.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use crate::{PairingId, ReqId, RoomName, session::CallId};

/// The rooms of which the client is a member, or wants to be.
#[derive(Debug, Default)]
pub(in crate::client) struct Memberships {
    pub(super) rooms: BTreeMap<RoomName, Membership>,
    /// The rooms of peers, by the keys of the peers.
    pub(super) of: BTreeMap<PairingId, RoomName>,
}

#[derive(Debug)]
pub(super) struct Membership {
    pub(super) most: Option<usize>,
    /// True if direct paths do not wait.
    pub(super) upgrades: bool,
    pub(super) state: MemberState,
    /// True once the client was a member.
    pub(super) was_member: bool,
    /// The calls that wait until it is one, with their deadlines.
    pub(super) joins: BTreeMap<CallId, Instant>,
    /// The calls that leave, and the time until which they wait for the other members.
    pub(super) exits: Option<(BTreeSet<CallId>, Instant)>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum MemberState {
    /// The server is asked, with this number if it is asked on the present connection.
    Asked(Option<ReqId>),
    /// The server refused for a reason that may pass, and is asked again.
    Waits(Instant),
    Member,
}

impl Memberships {
    pub(in crate::client) fn is_empty(&self) -> bool {
        self.rooms.is_empty()
    }

    /// Returns true if this peer is one of a room.
    pub(in crate::client) fn has(&self, key: PairingId) -> bool {
        self.of.contains_key(&key)
    }

    pub(in crate::client) fn room_of(&self, key: PairingId) -> Option<&RoomName> {
        self.of.get(&key)
    }

    /// Forgets a peer that has ended. Returns its room.
    pub(in crate::client) fn forget(&mut self, key: PairingId) -> Option<RoomName> {
        self.of.remove(&key)
    }

    pub(in crate::client) fn is_member(&self, room: &RoomName) -> bool {
        self.rooms.get(room).is_some_and(|room| room.state == MemberState::Member)
    }

    pub(in crate::client) fn next_deadline(&self) -> Option<Instant> {
        let joins = self.rooms.values().flat_map(|room| room.joins.values().copied());
        let exits = self.rooms.values().filter_map(|room| room.exits.as_ref().map(|exits| exits.1));
        let waits = self.rooms.values().filter_map(|room| match room.state {
            MemberState::Waits(until) => Some(until),
            MemberState::Asked(_) | MemberState::Member => None,
        });
        joins.chain(exits).chain(waits).min()
    }

    pub(super) fn keys_of(&self, room: &RoomName) -> Vec<PairingId> {
        let keys = self.of.iter().filter(|(_, of)| *of == room);
        keys.map(|(key, _)| *key).collect()
    }

    /// Returns the room about which the server was asked with this number.
    pub(super) fn asked_with(&self, req: ReqId) -> Option<RoomName> {
        let asked = MemberState::Asked(Some(req));
        self.rooms.iter().find(|(_, room)| room.state == asked).map(|(name, _)| name.clone())
    }
}
