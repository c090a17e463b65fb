//! A client's peers: one for each of its pairings. Their keys are the names under which
//! they were made; a pairing may be renamed.

use std::{
    ops::Bound::{Excluded, Unbounded},
    time::Instant,
};

use super::{Answer, Client, ClientEvent, Output};
use crate::{
    Cause, ClientId, ClientMessage, Code, EndReason, Outcome, PairingId, PairingInfo, Path,
    peer::{self, LinkCommand, Peer, ServerEvent},
    session::CallId,
};

impl Client {
    /// Returns the key of the peer whose pairing has this name now.
    pub(super) fn peer_named(&self, pairing: PairingId) -> Option<PairingId> {
        self.find_peer(|peer| peer.pairing().id == pairing)
    }

    /// Returns the key of that peer.
    pub(super) fn exclusive_key(&self) -> Option<PairingId> {
        self.peers.keys().find(|key| !self.rooms.has(**key)).copied()
    }

    /// Returns the peer of the pairing that the client has besides those of rooms.
    pub(super) fn exclusive_peer(&self) -> Option<&Peer> {
        let mut peers = self.peers.iter();
        peers.find(|(key, _)| !self.rooms.has(**key)).map(|(_, peer)| peer)
    }

    /// Returns the key of the peer that the server has forgotten, if there is one.
    pub(crate) fn forgotten_peer(&self) -> Option<PairingId> {
        self.find_peer(Peer::is_forgotten)
    }

    pub(super) fn find_peer(&self, is_it: impl Fn(&Peer) -> bool) -> Option<PairingId> {
        self.peers.iter().find(|(_, peer)| is_it(peer)).map(|(key, _)| *key)
    }

    /// Returns the partner of a peer.
    pub(super) fn partner_of(&self, key: PairingId) -> Option<&ClientId> {
        self.peers.get(&key).map(|peer| &peer.pairing().partner)
    }

    /// Returns the key that follows in the order of keys.
    pub(super) fn key_after(&self, key: Option<PairingId>) -> Option<PairingId> {
        let from = key.map_or(Unbounded, Excluded);
        self.peers.range((from, Unbounded)).next().map(|(key, _)| *key)
    }

    /// Feeds one peer.
    pub(super) fn peer(&mut self, key: PairingId, input: peer::Input, now: Instant) {
        if let Some(peer) = self.peers.get_mut(&key) {
            peer.handle(input, now);
            self.carry_out_peer(key, now);
        }
    }

    /// Feeds all peers.
    pub(super) fn every_peer(&mut self, input: &peer::Input, now: Instant) {
        let mut last = None;
        while let Some(key) = self.key_after(last) {
            self.peer(key, input.clone(), now);
            last = Some(key);
        }
    }

    /// Carries out what a peer puts out.
    pub(super) fn carry_out_peer(&mut self, key: PairingId, now: Instant) {
        while let Some(peer) = self.peers.get_mut(&key)
            && let Some(output) = peer.poll_output()
        {
            let pairing = peer.pairing().id;
            match output {
                peer::Output::Signal(signal) => {
                    self.outputs.push_back(Output::Signal(pairing, signal));
                }
                peer::Output::Link(link, command) => {
                    self.outputs.push_back(Output::Link(link, command));
                }
                peer::Output::Deliver(delivery) => {
                    let from = peer.pairing().partner.clone();
                    self.outputs.push_back(Output::Deliver(pairing, from, delivery));
                }
                peer::Output::Abandoned(seq) => {
                    self.outputs.push_back(Output::Abandoned(pairing, seq));
                }
                peer::Output::Sent(call) => self.answer(call, Answer::Sent),
                peer::Output::Resolved(call, outcome) => {
                    self.answer(call, Answer::Outcome(outcome));
                }
                peer::Output::Partner(presence) => {
                    let member = peer.pairing().partner.clone();
                    self.event(match self.rooms.room_of(key).cloned() {
                        Some(room) => ClientEvent::Member { room, member, presence },
                        None => ClientEvent::Partner(presence),
                    });
                }
                peer::Output::Path { path, rtt } => {
                    let member = peer.pairing().partner.clone();
                    self.event(match self.rooms.room_of(key).cloned() {
                        Some(room) => ClientEvent::MemberPath { room, member, path, rtt },
                        None => ClientEvent::Path { path, rtt },
                    });
                    if path != Some(Path::Direct) {
                        self.doubt(now); // It was left; the network may be gone.
                    }
                }
                peer::Output::Reasserted(info) => self.event(ClientEvent::Reasserted(info)),
                peer::Output::Register => {
                    let target = peer.pairing().partner.clone();
                    let req = self.next_req();
                    self.reassertions.insert(req, key);
                    self.send(ClientMessage::Register {
                        req: Some(req),
                        target,
                        payload: None,
                        consent_time: None,
                        wait: None,
                    });
                }
                peer::Output::Unregister if self.rooms.has(key) => self.exit_room_of(key, now),
                peer::Output::Unregister => {
                    let req = self.next_req();
                    self.send(ClientMessage::Unregister { req: Some(req) });
                }
                peer::Output::Complain(complaint) => {
                    self.outputs.push_back(Output::Complain(complaint));
                }
                peer::Output::Ended(reason) => {
                    let pairing = peer.pairing().clone();
                    self.peers.remove(&key);
                    self.reassertions.retain(|_, of| *of != key);
                    let event = match self.rooms.forget(key) {
                        Some(room) => ClientEvent::MemberLeft { room, pairing, reason },
                        None => ClientEvent::Unpaired { pairing, reason },
                    };
                    self.event(event);
                }
            }
        }
    }

    /// Sends the frames that were collected, over the relay as far as the pace allows. The peers
    /// take turns.
    pub(super) fn flush(&mut self) {
        while self.pacer.next_at(self.now).is_none()
            && let Some((pairing, frames)) = self.next_batch()
        {
            let bytes = frames.iter().map(|frame| frame.body.size()).sum();
            self.pacer.spend(bytes, self.now);
            self.outputs.push_back(Output::SendFrames(pairing, frames));
        }
    }

    fn next_batch(&mut self) -> Option<(PairingId, Vec<crate::Frame>)> {
        let from = self.served.map_or(Unbounded, Excluded);
        let after = self.peers.range((from, Unbounded));
        let waits = |(_, peer): &(_, &Peer)| peer.has_relayed();
        let key = after.chain(&self.peers).find(waits).map(|(key, _)| *key)?;
        self.served = Some(key);
        let peer = self.peers.get_mut(&key)?;
        Some((peer.pairing().id, peer.poll_relay()?))
    }

    /// Sends the frames that were collected for direct paths.
    pub(super) fn flush_direct(&mut self) {
        for peer in self.peers.values_mut() {
            while let Some((link, message)) = peer.poll_direct() {
                self.outputs.push_back(Output::Link(link, LinkCommand::Send(message)));
            }
        }
    }

    /// Gives an emit to its peer, or refuses it.
    pub(super) fn emit(
        &mut self,
        (call, pairing): (CallId, PairingId),
        input: peer::Input,
        now: Instant,
    ) {
        match self.find_peer(|peer| peer.is_named(pairing)) {
            Some(key) => self.peer(key, input, now),
            None => {
                let is_free = self.exclusive_peer().is_none();
                let code = if is_free { Code::NotPaired } else { Code::StalePairing };
                self.answer(call, Answer::Outcome(Outcome::NotExecuted(Cause::Code(code))));
            }
        }
    }

    /// Notes a pairing that the server has granted. It replaces any other.
    pub(super) fn paired(&mut self, info: PairingInfo, now: Instant) {
        if self.peers.values().any(|peer| *peer.pairing() == info || peer.known_as() == info.id) {
            return; // The answer to a request that was fulfilled already.
        }
        if let Some(key) = self.find_peer(|peer| peer.reasserts(&info)) {
            return self.peer(key, peer::Input::Server(ServerEvent::Granted(info)), now);
        }
        if let Some(key) = self.exclusive_key() {
            self.peer(key, peer::Input::Ended(EndReason::Replaced), now);
        }
        let key = info.id;
        let peer = Peer::new(self.config.direct, info.clone(), self.limits, self.server_rtt, now);
        let wants_rtt = peer.has_direct() && self.server_rtt.is_none();
        self.peers.insert(key, peer);
        self.event(ClientEvent::Paired(info));
        if wants_rtt {
            self.ask_for_life(now);
        }
        self.carry_out_peer(key, now);
    }
}
