//! The rooms of a client as its handles show them.

use std::collections::BTreeMap;

use socketio_p2p_protocol::{ClientEvent, ClientId, PairingInfo, Path, Presence, RoomName};

/// A member of a room, other than this client.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct MeshMember {
    /// The pairing with the member, which has the member's id.
    pub pairing: PairingInfo,
    /// True while the member has no connection to the server, and may come back.
    pub is_away: bool,
    /// The path that emits to the member take, or `None` while there is none.
    pub path: Option<Path>,
}

/// The members of the rooms of which a client is a member.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Rooms(BTreeMap<RoomName, BTreeMap<ClientId, MeshMember>>);

impl Rooms {
    pub(crate) fn has(&self, room: &RoomName) -> bool {
        self.0.contains_key(room)
    }

    /// Returns the members of a room, in the order of their ids.
    pub(crate) fn members(&self, room: &RoomName) -> Vec<MeshMember> {
        self.0.get(room).into_iter().flat_map(|members| members.values().cloned()).collect()
    }

    pub(crate) fn member(&self, room: &RoomName, id: &str) -> Option<&MeshMember> {
        let mut members = self.0.get(room)?.values();
        members.find(|member| member.pairing.partner == *id)
    }

    /// Notes an event. Returns false if it changes nothing. `path` is the path that emits take at first.
    pub(crate) fn note(&mut self, event: &ClientEvent, path: Option<Path>) -> bool {
        let new =
            |pairing: &PairingInfo| MeshMember { pairing: pairing.clone(), is_away: false, path };
        match event {
            ClientEvent::Joined(state) => {
                let members = state.members.iter();
                let members = members.map(|info| (info.partner.clone(), new(info)));
                self.0.insert(state.room.clone(), members.collect());
            }
            ClientEvent::MemberJoined { room, pairing } => {
                let members = self.0.entry(room.clone()).or_default();
                members.insert(pairing.partner.clone(), new(pairing));
            }
            ClientEvent::MemberLeft { room, pairing, .. } => {
                let Some(members) = self.0.get_mut(room) else { return false };
                let is_it = members.get(&pairing.partner).is_some_and(|member| {
                    member.pairing.id == pairing.id // It may have joined again.
                });
                if is_it {
                    members.remove(&pairing.partner);
                }
            }
            ClientEvent::Member { room, member, presence } => {
                let Some(member) = self.get_mut(room, member) else { return false };
                member.is_away = *presence == Presence::Away;
            }
            ClientEvent::MemberPath { room, member, path, .. } => {
                let Some(member) = self.get_mut(room, member) else { return false };
                member.path = *path;
            }
            ClientEvent::Exited { room, .. } | ClientEvent::NotJoined { room, .. } => {
                self.0.remove(room);
            }
            _ => return false,
        }
        true
    }

    fn get_mut(&mut self, room: &RoomName, member: &ClientId) -> Option<&mut MeshMember> {
        self.0.get_mut(room)?.get_mut(member)
    }
}
