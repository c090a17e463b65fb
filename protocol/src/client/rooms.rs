//! Rooms: the memberships of a client, and its peers in them. Each member of a room has a peer here, with a session of
//! its own.
//!
//! | state | input | new state | output |
//! |---|---|---|---|
//! | – | the application joins | Asked | `P2P_JOIN` |
//! | Asked | `P2P_JOINED` | Member | a peer for each other member |
//! | Asked | a refusal | –, or Waits if the client was a member and the refusal may pass | the call is refused |
//! | Waits | its time is over | Asked | `P2P_JOIN` |
//! | Member | `P2P_MEMBER` | Member | another peer |
//! | Member | a welcome that lists the room | Member | peers that it does not list end; new ones for others |
//! | Member | a welcome without `resumed` | Asked | its peers end; `P2P_JOIN` |
//! | Asked | a welcome that lists the room | Asked | `P2P_EXIT`, `P2P_JOIN`: others may have sent to that membership |
//! | any | the application leaves | – | `P2P_EXIT`; its peers end |

mod memberships;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

pub(super) use self::memberships::Memberships;
use self::memberships::{MemberState, Membership};
use super::{Answer, Client, ClientEvent, connection::ConnectionState};
use crate::{
    ClientMessage, Code, EndReason, PairingId, PairingInfo, Refusal, ReqId, RoomName, RoomState,
    limits::{CONFIRM_TIMEOUT, REASSERT_INTERVAL},
    peer::{self, Peer, ServerEvent},
    planted::{self, Fault},
    session::CallId,
};

impl Client {
    pub(super) fn infos_of(&self, room: &RoomName) -> Vec<PairingInfo> {
        let peers = self.rooms.keys_of(room).into_iter().filter_map(|key| self.peers.get(&key));
        peers.map(|peer| peer.pairing().clone()).collect()
    }

    fn state_of(&self, room: &RoomName) -> RoomState {
        RoomState { room: room.clone(), members: self.infos_of(room) }
    }

    pub(super) fn join(
        &mut self,
        (call, deadline): (CallId, Instant),
        room: RoomName,
        most: Option<usize>,
        upgrades: bool,
    ) {
        if !self.welcomed {
            return self.answer(call, Answer::Closed);
        }
        let now = self.now;
        self.finish_exit(&room, now);
        if upgrades {
            self.upgrade_room(&room, now);
        }
        if self.rooms.is_member(&room) {
            let state = self.state_of(&room);
            return self.answer(call, Answer::Joined(state));
        }
        let is_new = !self.rooms.rooms.contains_key(&room);
        let membership = self.rooms.rooms.entry(room.clone()).or_insert_with(|| Membership {
            most,
            upgrades,
            state: MemberState::Asked(None),
            was_member: false,
            joins: BTreeMap::new(),
            exits: None,
        });
        membership.joins.insert(call, deadline);
        if is_new {
            self.ask_to_join(&room);
        }
    }

    /// Asks the server, if there is a connection. Otherwise the next welcome does.
    fn ask_to_join(&mut self, room: &RoomName) {
        let is_ready = self.state == ConnectionState::Ready;
        let req = is_ready.then(|| self.next_req());
        let Some(membership) = self.rooms.rooms.get_mut(room) else { return };
        membership.state = MemberState::Asked(req);
        let most = membership.most;
        if let Some(req) = req {
            self.send(ClientMessage::Join { req, room: room.clone(), most });
        }
    }

    /// Notes that the client is a member.
    pub(super) fn joined(&mut self, req: ReqId, state: RoomState, now: Instant) {
        let RoomState { room, members } = state;
        if self.rooms.asked_with(req).as_ref() == Some(&room) {
            self.become_member(&room, members, now);
        }
    }

    fn become_member(&mut self, room: &RoomName, members: Vec<PairingInfo>, now: Instant) {
        let Some(membership) = self.rooms.rooms.get_mut(room) else { return };
        membership.state = MemberState::Member;
        membership.was_member = true;
        let joins = std::mem::take(&mut membership.joins);
        let waiting = members.into_iter().filter_map(|info| self.add_member(room, info, now));
        let keys: Vec<_> = waiting.collect();
        let state = self.state_of(room);
        self.event(ClientEvent::Joined(state.clone()));
        for call in joins.into_keys() {
            self.answer(call, Answer::Joined(state.clone()));
        }
        for key in keys {
            self.carry_out_peer(key, now);
        }
    }

    /// Adds the peer for a member, and returns its key if it is new. Its outputs are to be carried out.
    fn add_member(
        &mut self,
        room: &RoomName,
        info: PairingInfo,
        now: Instant,
    ) -> Option<PairingId> {
        let upgrades = self.rooms.rooms.get(room)?.upgrades;
        let key = info.id;
        if self.find_peer(|peer| peer.is_named(key)).is_some() {
            return None;
        }
        let mut peer = Peer::waiting(self.config.direct, info, self.limits, self.server_rtt, now);
        if upgrades {
            peer.handle(peer::Input::Upgrade, now);
        }
        let wants_rtt = peer.has_direct() && self.server_rtt.is_none() && self.asked.is_none();
        self.peers.insert(key, peer);
        self.rooms.of.insert(key, room.clone());
        if wants_rtt {
            self.ask_for_life(now);
        }
        Some(key)
    }

    /// Notes a new member.
    pub(super) fn told_member(&mut self, room: RoomName, pairing: PairingInfo, now: Instant) {
        if self.rooms.is_member(&room)
            && let Some(key) = self.add_member(&room, pairing.clone(), now)
        {
            self.event(ClientEvent::MemberJoined { room, pairing });
            self.carry_out_peer(key, now);
        }
    }

    /// Notes that the server has ended a membership. The answer to an exit names one that this client has ended.
    pub(super) fn told_exited(&mut self, room: &RoomName, reason: EndReason, now: Instant) {
        if !self.rooms.is_member(room) {
            return;
        }
        self.end_members(room, reason, now);
        if matches!(reason, EndReason::ShuttingDown | EndReason::NodeLost) {
            if let Some(membership) = self.rooms.rooms.get_mut(room) {
                membership.state = MemberState::Asked(None); // At the next server.
            }
        } else {
            self.end_membership(room, reason);
        }
    }

    fn end_members(&mut self, room: &RoomName, reason: EndReason, now: Instant) {
        for key in self.rooms.keys_of(room) {
            self.peer(key, peer::Input::Ended(reason), now);
        }
    }

    fn end_membership(&mut self, room: &RoomName, reason: EndReason) {
        let Some(membership) = self.rooms.rooms.remove(room) else { return };
        if membership.was_member {
            self.event(ClientEvent::Exited { room: room.clone(), reason });
        }
        for call in membership.joins.into_keys() {
            self.answer(call, Answer::Refused(Code::Cancelled.into()));
        }
        for call in membership.exits.into_iter().flat_map(|exits| exits.0) {
            self.answer(call, Answer::Exited);
        }
    }

    /// Ends a membership that a request is for which the server refuses. Returns false if the number is that of none.
    pub(super) fn join_refused(
        &mut self,
        req: Option<ReqId>,
        refusal: &Refusal,
        now: Instant,
    ) -> bool {
        let Some(room) = req.and_then(|req| self.rooms.asked_with(req)) else { return false };
        let Some(membership) = self.rooms.rooms.get_mut(&room) else { return false };
        let joins = std::mem::take(&mut membership.joins);
        if membership.was_member && refusal.code.is_retryable() {
            membership.state = MemberState::Waits(now + REASSERT_INTERVAL);
        } else {
            let was_member = membership.was_member;
            self.rooms.rooms.remove(&room);
            if was_member {
                let refusal = refusal.clone();
                self.event(ClientEvent::NotJoined { room, refusal });
            }
        }
        for call in joins.into_keys() {
            self.answer(call, Answer::Refused(refusal.clone()));
        }
        true
    }

    /// Leaves a room, once everything is confirmed, within half of the time until the deadline.
    pub(super) fn exit(
        &mut self,
        (call, deadline): (CallId, Instant),
        room: RoomName,
        now: Instant,
    ) {
        let is_unconfirmed = self.is_room_unconfirmed(&room);
        let Some(membership) = self.rooms.rooms.get_mut(&room) else {
            return self.answer(call, Answer::Exited);
        };
        let half = deadline.saturating_duration_since(now) / 2;
        let until = now + half.min(CONFIRM_TIMEOUT);
        let exits = membership.exits.get_or_insert_with(|| (BTreeSet::new(), until));
        exits.0.insert(call);
        exits.1 = exits.1.min(until);
        if !is_unconfirmed {
            self.finish_exit(&room, now);
        }
    }

    fn is_room_unconfirmed(&self, room: &RoomName) -> bool {
        let keys = self.rooms.keys_of(room);
        keys.iter().any(|key| self.peers.get(key).is_some_and(Peer::is_unconfirmed))
    }

    /// Carries out the exits that wait, if everything is confirmed or the time is over.
    pub(super) fn exit_if_confirmed(&mut self, now: Instant) {
        let exits = self.rooms.rooms.iter();
        let exits = exits.filter_map(|(room, of)| Some((room, of.exits.as_ref()?.1)));
        let due = exits.filter(|(room, until)| *until <= now || !self.is_room_unconfirmed(room));
        for room in due.map(|(room, _)| room.clone()).collect::<Vec<_>>() {
            self.finish_exit(&room, now);
        }
    }

    /// Leaves a room that is to be left.
    fn finish_exit(&mut self, room: &RoomName, now: Instant) {
        if self.rooms.rooms.get(room).is_some_and(|membership| membership.exits.is_some()) {
            self.leave_room(room, now);
        }
    }

    /// Leaves the room of a peer for which the server relays nothing any more.
    pub(super) fn exit_room_of(&mut self, key: PairingId, now: Instant) {
        if let Some(room) = self.rooms.room_of(key).cloned() {
            self.leave_room(&room, now);
        }
    }

    /// Leaves a room at once. If the server does not hear of it, it is told after the next welcome.
    fn leave_room(&mut self, room: &RoomName, now: Instant) {
        let req = self.next_req();
        self.send(ClientMessage::Exit { req, room: room.clone() }); // After the frames that were collected.
        self.end_members(room, EndReason::Unregistered, now);
        self.end_membership(room, EndReason::Unregistered);
    }

    pub(super) fn upgrade_room(&mut self, room: &RoomName, now: Instant) {
        if let Some(membership) = self.rooms.rooms.get_mut(room) {
            membership.upgrades = true;
        }
        for key in self.rooms.keys_of(room) {
            self.peer(key, peer::Input::Upgrade, now);
        }
    }

    /// Compares the memberships with those that the server lists in its welcome.
    pub(super) fn welcome_rooms(&mut self, listed: Vec<RoomState>, resumed: bool, now: Instant) {
        let mut listed: BTreeMap<_, _> =
            listed.into_iter().map(|state| (state.room, state.members)).collect();
        for room in self.rooms.rooms.keys().cloned().collect::<Vec<_>>() {
            let members = listed.remove(&room);
            match (self.rooms.is_member(&room), members) {
                (true, Some(members)) => self.still_member(&room, members, now),
                (true, None) if resumed => {
                    // A pairing may have ended before for another reason, which was missed.
                    self.end_members(&room, EndReason::Disconnected, now);
                    self.end_membership(&room, EndReason::Kicked);
                }
                (true, None) => {
                    self.end_members(&room, EndReason::Disconnected, now);
                    self.ask_to_join(&room);
                }
                (false, Some(members)) if planted::is(Fault::AdoptRoom) => {
                    self.become_member(&room, members, now);
                }
                (false, Some(_)) => {
                    self.tell_exit(&room);
                    self.ask_to_join(&room);
                }
                (false, None) => self.ask_to_join(&room),
            }
        }
        for room in listed.into_keys() {
            self.tell_exit(&room);
        }
    }

    fn tell_exit(&mut self, room: &RoomName) {
        let req = self.next_req();
        self.send(ClientMessage::Exit { req, room: room.clone() });
    }

    /// Compares the members of a room with those that the server lists.
    fn still_member(&mut self, room: &RoomName, members: Vec<PairingInfo>, now: Instant) {
        for key in self.rooms.keys_of(room) {
            let welcomed = ServerEvent::Welcomed(self.limits);
            self.peer(key, peer::Input::Server(welcomed), now);
            let input = match members.iter().any(|info| info.id == key) {
                true => peer::Input::Server(ServerEvent::Known),
                false => peer::Input::Ended(EndReason::Disconnected),
            };
            self.peer(key, input, now);
        }
        if !planted::is(Fault::ForgetNewMembers) {
            for info in members {
                self.told_member(room.clone(), info, now);
            }
        }
    }

    pub(super) fn expire_rooms(&mut self, now: Instant) {
        let mut late = Vec::new();
        let mut due = Vec::new();
        for (room, membership) in &mut self.rooms.rooms {
            late.extend(membership.joins.extract_if(.., |_, deadline| *deadline <= now));
            if matches!(membership.state, MemberState::Waits(until) if until <= now) {
                due.push(room.clone());
            }
        }
        for (call, _) in late {
            self.answer(call, Answer::TimedOut);
        }
        for room in due {
            self.ask_to_join(&room);
        }
        self.end_unwanted_joins(now);
    }

    /// Forgets a call that waits to be a member.
    pub(super) fn cancel_join(&mut self, call: CallId) {
        for membership in self.rooms.rooms.values_mut() {
            membership.joins.remove(&call);
        }
        self.end_unwanted_joins(self.now);
    }

    /// Takes back requests for which no call waits any more.
    fn end_unwanted_joins(&mut self, now: Instant) {
        let unwanted = self.rooms.rooms.iter().filter(|(_, membership)| {
            !membership.was_member && membership.joins.is_empty() && membership.exits.is_none()
        });
        for room in unwanted.map(|(room, _)| room.clone()).collect::<Vec<_>>() {
            self.rooms.rooms.remove(&room);
            self.end_members(&room, EndReason::Unregistered, now);
            self.tell_exit(&room);
        }
    }

    pub(super) fn close_joins(&mut self) {
        let rooms = std::mem::take(&mut self.rooms.rooms).into_values();
        for Membership { joins, exits, .. } in rooms.collect::<Vec<_>>() {
            let exits = exits.into_iter().flat_map(|exits| exits.0);
            for call in joins.into_keys().chain(exits) {
                self.answer(call, Answer::Closed);
            }
        }
    }
}
