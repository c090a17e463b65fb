//! Rooms: each two members have a pairing of their own, beside the one that exclusive pairing allows.
//!
//! The pairings of a room are granted at once and without being asked for: to join the room is the consent. They are in
//! a table of their own, so the slot of a client, and with it the rule that a client is in at most one exclusive
//! pairing, is untouched.

use std::collections::{BTreeMap, BTreeSet};

use super::{Broker, BrokerEvent, Output, Partner};
use crate::{
    ClientId, Code, ConnId, Dialect, EndReason, PairingId, PairingInfo, Presence, Refusal, ReqId,
    RoomName, RoomState, ServerMessage,
    limits::ROOMS_OF_CLIENT,
    planted::{self, Fault},
};

/// All rooms.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    rooms: BTreeMap<RoomName, Room>,
    pairings: usize,
}

/// A room with a member at least.
#[derive(Debug, Default)]
struct Room {
    members: BTreeMap<ClientId, Member>,
}

#[derive(Debug)]
struct Member {
    /// The most members that it wants the room to have.
    most: usize,
    /// Its pairings with the others.
    pairings: BTreeMap<ClientId, RoomPairing>,
}

#[derive(Clone, Copy, Debug)]
struct RoomPairing {
    id: PairingId,
    /// `true` if this member joined later than the other.
    initiator: bool,
}

/// A pairing of a room, as one of its two members sees it.
struct SeenPairing {
    other: ClientId,
    pairing: RoomPairing,
}

impl Room {
    /// Returns the most members that all members, and one who wants this many, agree to.
    fn most(&self, newcomer: usize) -> usize {
        self.members.values().map(|member| member.most).min().unwrap_or(newcomer).min(newcomer)
    }
}

impl Rooms {
    /// Returns the number of rooms.
    pub(super) fn len(&self) -> usize {
        self.rooms.len()
    }

    /// Returns the number of their pairings.
    pub(super) const fn pairings(&self) -> usize {
        self.pairings
    }

    pub(super) fn members_of(&self, room: &RoomName) -> Vec<ClientId> {
        let room = self.rooms.get(room);
        room.into_iter().flat_map(|room| room.members.keys().cloned()).collect()
    }

    /// Returns the pairings of a member of a room.
    fn seen_by(&self, room: &RoomName, client: &ClientId) -> Vec<SeenPairing> {
        let member = self.rooms.get(room).and_then(|room| room.members.get(client));
        let pairings = member.into_iter().flat_map(|member| &member.pairings);
        pairings
            .map(|(other, pairing)| SeenPairing { other: other.clone(), pairing: *pairing })
            .collect()
    }

    /// Adds a member. `next` numbers the pairings with the others.
    fn add(
        &mut self,
        room: &RoomName,
        client: &ClientId,
        most: usize,
        mut next: impl FnMut() -> PairingId,
    ) {
        let room = self.rooms.entry(room.clone()).or_default();
        let mut pairings = BTreeMap::new();
        for (other, member) in &mut room.members {
            let id = next();
            member.pairings.insert(client.clone(), RoomPairing { id, initiator: false });
            pairings.insert(other.clone(), RoomPairing { id, initiator: true });
        }
        self.pairings += pairings.len();
        room.members.insert(client.clone(), Member { most, pairings });
    }

    /// Removes a member, and its room with the last one.
    fn remove(&mut self, room: &RoomName, client: &ClientId) {
        let Some(present) = self.rooms.get_mut(room) else { return };
        if let Some(gone) = present.members.remove(client) {
            self.pairings -= gone.pairings.len();
        }
        for member in present.members.values_mut() {
            member.pairings.remove(client);
        }
        if present.members.is_empty() {
            self.rooms.remove(room);
        }
    }
}

impl Broker {
    /// Makes a client a member of a room. Whoever is one already gets the present state of the room.
    pub(super) fn join(&mut self, id: &ClientId, req: ReqId, room: RoomName, most: Option<usize>) {
        let Some(client) = self.client_mut(id) else { return };
        let (conn, is_member) = (client.conn, client.rooms.contains(&room));
        if !is_member {
            if let Err(refusal) = self.admit_to_room(id, &room, most) {
                return self
                    .send(conn, ServerMessage::Error { refusal, req: Some(req), pairing: None });
            }
            let Self { rooms, last_serial, config, .. } = self;
            let most = most.unwrap_or(config.room_members).min(config.room_members);
            rooms.add(&room, id, most, || {
                *last_serial += 1;
                PairingId::new(config.node, *last_serial)
            });
            if let Some(client) = self.client_mut(id) {
                client.rooms.insert(room.clone());
            }
        }
        let seen = self.rooms.seen_by(&room, id);
        for SeenPairing { other, pairing } in &seen {
            if !is_member && self.is_there(other) {
                self.connect_members(pairing.id, [id, other]);
            }
        }
        let state = self.room_as_seen_by(&room, id);
        self.send(conn, ServerMessage::Joined { req, state });
        for SeenPairing { other, pairing } in seen {
            if !self.is_there(&other) {
                let state = Presence::Away;
                self.send(conn, ServerMessage::Partner { pairing: pairing.id, state });
            } else if !is_member
                && let Some(info) = self.member_info(&other, id, pairing.id, false)
                && let Some(to) = self.client_mut(&other).map(|other| other.conn)
            {
                let room = room.clone();
                self.send(to, ServerMessage::Member { room, pairing: info });
            }
        }
        if !is_member {
            self.event(BrokerEvent::Joined { room, client: id.clone() });
        }
    }

    /// Decides whether a client may become a member of a room.
    fn admit_to_room(
        &self,
        id: &ClientId,
        room: &RoomName,
        most: Option<usize>,
    ) -> Result<(), Refusal> {
        let config = &self.config;
        let of_client = self.clients.get(id).map_or(0, |client| client.rooms.len());
        if of_client >= ROOMS_OF_CLIENT {
            return Err(Refusal::new(Code::Quota, "this client is in too many rooms"));
        }
        let most = most.unwrap_or(config.room_members).min(config.room_members);
        match self.rooms.rooms.get(room) {
            None if self.rooms.len() >= config.rooms => {
                Err(Refusal::new(Code::Quota, "there are too many rooms"))
            }
            Some(present) if present.members.len() >= present.most(most) => {
                Err(Refusal::new(Code::Quota, "the room is full"))
            }
            _ => Ok(()),
        }
    }

    /// Ends a membership at the wish of the member. It is answered also if there was none.
    pub(super) fn exit(&mut self, id: &ClientId, req: ReqId, room: RoomName) {
        self.leave_room(id, &room, EndReason::Unregistered);
        if let Some(conn) = self.client_mut(id).map(|client| client.conn) {
            let (req, reason) = (Some(req), EndReason::Unregistered);
            self.send(conn, ServerMessage::Exited { req, room, reason });
        }
    }

    /// Ends a membership at the wish of the host.
    pub(super) fn remove_from_room(&mut self, id: &ClientId, room: &RoomName) {
        let client = self.clients.get(id).filter(|client| client.rooms.contains(room));
        let Some(conn) = client.map(|client| client.conn) else { return };
        self.leave_room(id, room, EndReason::Kicked);
        let (room, reason) = (room.clone(), EndReason::Kicked);
        self.send(conn, ServerMessage::Exited { req: None, room, reason });
    }

    /// Ends all memberships of a client that is being removed.
    pub(super) fn leave_rooms(&mut self, id: &ClientId, reason: EndReason) {
        for room in self.rooms_of(id) {
            self.leave_room(id, &room, reason);
        }
    }

    /// Ends all memberships, since the server shuts down.
    pub(super) fn close_rooms(&mut self) {
        let reason = EndReason::ShuttingDown;
        for (room, present) in std::mem::take(&mut self.rooms).rooms {
            for (id, member) in present.members {
                let Some(client) = self.client_mut(&id) else { continue };
                client.rooms.remove(&room);
                let (conn, is_present) = (client.conn, client.is_present());
                for pairing in member.pairings.into_values().filter(|_| is_present) {
                    self.outputs.push_back(Output::UnrouteInRoom(conn, pairing.id));
                }
                let exited = ServerMessage::Exited { req: None, room: room.clone(), reason };
                self.send(conn, exited);
                self.event(BrokerEvent::Left { room: room.clone(), client: id, reason });
            }
        }
    }

    /// Ends the pairings of a member and its membership. The other members are informed; it is not.
    fn leave_room(&mut self, id: &ClientId, room: &RoomName, reason: EndReason) {
        let Some(client) = self.clients.get_mut(id) else { return };
        if !client.rooms.remove(room) {
            return;
        }
        let seen = self.rooms.seen_by(room, id);
        self.rooms.remove(room, id);
        for (at, SeenPairing { other, pairing }) in seen.into_iter().enumerate() {
            self.unroute_member(id, pairing.id);
            if at == 0 && planted::is(Fault::ForgetMemberLeft) {
                continue;
            }
            self.unroute_member(&other, pairing.id);
            if let Some(conn) = self.client_mut(&other).map(|other| other.conn) {
                let pairing = pairing.id;
                self.send(conn, ServerMessage::Disconnect { pairing, reason, req: None });
            }
        }
        self.event(BrokerEvent::Left { room: room.clone(), client: id.clone(), reason });
    }

    fn unroute_member(&mut self, id: &ClientId, pairing: PairingId) {
        if let Some(client) = self.clients.get(id)
            && client.is_present()
        {
            self.outputs.push_back(Output::UnrouteInRoom(client.conn, pairing));
        }
    }

    /// Informs the other members that a member lost its connection.
    pub(super) fn tell_rooms_away(&mut self, id: &ClientId) {
        self.tell_rooms(id, Presence::Away);
    }

    /// Routes the messages between a member that is back and all others that are there.
    pub(super) fn connect_rooms(&mut self, id: &ClientId) {
        for SeenPairing { other, pairing } in self.all_seen_by(id) {
            if self.is_there(&other) {
                self.connect_members(pairing.id, [id, &other]);
            }
        }
    }

    /// Informs the other members that a member is back, and the member of those that are away.
    pub(super) fn tell_rooms_back(&mut self, conn: ConnId, id: &ClientId) {
        if !planted::is(Fault::ForgetMemberBack) {
            self.tell_rooms(id, Presence::Back);
        }
        for SeenPairing { other, pairing } in self.all_seen_by(id) {
            if !self.is_there(&other) {
                let state = Presence::Away;
                self.send(conn, ServerMessage::Partner { pairing: pairing.id, state });
            }
        }
    }

    fn tell_rooms(&mut self, id: &ClientId, state: Presence) {
        for SeenPairing { other, pairing } in self.all_seen_by(id) {
            if let Some(conn) = self.client_mut(&other).map(|other| other.conn) {
                self.send(conn, ServerMessage::Partner { pairing: pairing.id, state });
            }
        }
    }

    fn rooms_of(&self, id: &ClientId) -> BTreeSet<RoomName> {
        self.clients.get(id).map(|client| client.rooms.clone()).unwrap_or_default()
    }

    fn all_seen_by(&self, id: &ClientId) -> Vec<SeenPairing> {
        self.rooms_of(id).iter().flat_map(|room| self.rooms.seen_by(room, id)).collect()
    }

    /// Returns all rooms of a client as it sees them.
    pub(super) fn rooms_as_seen_by(&self, id: &ClientId) -> Vec<RoomState> {
        let rooms = self.rooms_of(id);
        rooms.iter().map(|room| self.room_as_seen_by(room, id)).collect()
    }

    fn room_as_seen_by(&self, room: &RoomName, id: &ClientId) -> RoomState {
        let seen = self.rooms.seen_by(room, id);
        let info = |SeenPairing { other, pairing }: &SeenPairing| {
            self.member_info(id, other, pairing.id, pairing.initiator)
        };
        RoomState { room: room.clone(), members: seen.iter().filter_map(info).collect() }
    }

    /// Returns the pairing of two members as the first sees it.
    fn member_info(
        &self,
        id: &ClientId,
        other: &ClientId,
        pairing: PairingId,
        initiator: bool,
    ) -> Option<PairingInfo> {
        let direct = self.allow_direct(id, other);
        let partner_protocol = self.clients.get(other)?.protocol;
        let partner = other.clone();
        Some(PairingInfo { id: pairing, partner, initiator, partner_protocol, direct })
    }

    fn is_there(&self, id: &ClientId) -> bool {
        self.clients.get(id).is_some_and(super::ClientRecord::is_present)
    }

    fn connect_members(&mut self, pairing: PairingId, members: [&ClientId; 2]) {
        let direct = self.allow_direct(members[0], members[1]);
        let conns = members.map(|member| self.clients.get(member).map(|client| client.conn));
        let [Some(first), Some(second)] = conns else { return };
        for (from, to, client) in [(first, second, members[1]), (second, first, members[0])] {
            let (client, dialect) = (client.clone(), Dialect::V2);
            let partner = Partner { pairing, client, conn: to, dialect, direct };
            self.outputs.push_back(Output::RouteInRoom(from, partner));
        }
    }
}
