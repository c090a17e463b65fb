//! A client's connection: its welcome, its heartbeat, its loss, and the next one.

use std::time::{Duration, Instant};

use super::{Answer, Client, ClientEvent, Command, ConnectFailure, Input, Output, pacer::Pacer};
use crate::{
    Cause, ClientMessage, Code, EndReason, Outcome, PairingId, Welcome,
    limits::LIFE_TIMEOUT,
    peer::{self, Peer, ServerEvent},
    planted::{self, Fault},
    wire::Versions,
};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum ConnectionState {
    /// A connection is being made, or the server has not sent its welcome on it.
    Connecting {
        /// The time by which the welcome must have arrived.
        until: Instant,
        /// The time that the attempt has.
        time: Duration,
    },
    /// The server has sent its welcome.
    Ready,
    /// There is no connection, and there will be another.
    Away,
    /// There will be no other.
    Closed,
}

/// A doubt about the connection, until the server gives a sign of life.
#[derive(Clone, Copy, Debug)]
pub(super) struct Doubt {
    /// The time from which on anything that arrives was sent since.
    counts_from: Instant,
    /// The time at which the connection is given up.
    until: Instant,
}

impl ConnectionState {
    /// Returns the state of an attempt that begins now and has this time.
    pub(super) fn connecting(time: Duration, now: Instant) -> Self {
        Self::Connecting { until: now + time, time }
    }
}

impl Client {
    /// Notes that the server is there. Before the welcome nothing counts: the wait for it is limited.
    pub(super) fn heard(&mut self, now: Instant) {
        if !self.is_connecting() {
            self.last_heard = now;
            self.doubt.take_if(|doubt| now >= doubt.counts_from);
        }
    }

    /// Returns when the connection is looked after next.
    pub(super) fn next_heartbeat(&self) -> Option<Instant> {
        match self.state {
            ConnectionState::Connecting { until, .. } => Some(until),
            ConnectionState::Ready => {
                let lost = self.lost_at();
                // The server's round trip is compared with that of the direct path.
                let measures = self.peers.values().any(Peer::stands);
                let last = if measures { self.last_asked } else { self.last_heard };
                let last = last.max(self.last_asked);
                Some(lost.min(last + self.config.heartbeat_interval))
            }
            ConnectionState::Away if !self.welcomed => self.first_until,
            ConnectionState::Away | ConnectionState::Closed => None,
        }
    }

    /// Returns when the connection is given up if nothing is heard.
    fn lost_at(&self) -> Instant {
        let silent = self.last_heard + self.config.heartbeat_timeout;
        self.doubt.map_or(silent, |doubt| doubt.until.min(silent))
    }

    /// Notes a hint that the connection may be dead. The server has a short time for a sign of life.
    pub(super) fn doubt(&mut self, now: Instant) {
        if self.state != ConnectionState::Ready {
            return;
        }
        if self.doubt.is_none() {
            let time = LIFE_TIMEOUT + 2 * self.server_rtt.unwrap_or_default();
            // What arrives at once may have been under way already.
            self.doubt = Some(Doubt { counts_from: now + LIFE_TIMEOUT / 4, until: now + time });
        }
        self.ask_for_life(now);
    }

    /// Notes that this machine has another network. A connection that stands must show it soon, and an attempt
    /// to connect, or the wait before it, is replaced by another attempt.
    pub(super) fn network_changed(&mut self, now: Instant) {
        match self.state {
            ConnectionState::Ready => self.doubt(now),
            ConnectionState::Away | ConnectionState::Connecting { .. } if self.welcomed => {
                self.reconnect_after(Duration::ZERO);
            }
            _ => {}
        }
    }

    pub(super) fn watch_connection(&mut self, now: Instant) {
        if self.next_heartbeat().is_none_or(|due| now < due) {
            return;
        }
        if let ConnectionState::Connecting { time, .. } = self.state {
            self.connecting_failed(ConnectFailure::Timeout(time), now);
        } else if self.state == ConnectionState::Away {
            self.close(now); // The time for the first attempts is over, and the last failure is reported.
        } else if now >= self.lost_at() {
            self.lost(now);
        } else {
            self.ask_for_life(now);
        }
    }

    pub(super) fn ask_for_life(&mut self, now: Instant) {
        if self.state == ConnectionState::Ready {
            self.last_asked = now;
            let req = self.next_req();
            self.asked = Some((req, now));
            self.send(ClientMessage::Ping { req });
        }
    }

    /// Notes that the connection is gone. What the peers hold waits for the next one.
    pub(super) fn lost(&mut self, now: Instant) {
        if self.state == ConnectionState::Away {
            return;
        }
        if self.is_connecting() {
            return self.connecting_failed(ConnectFailure::Closed, now);
        }
        if !self.config.resumes {
            return self.close(now);
        }
        self.doubt = None;
        self.event(ClientEvent::Away);
        // A client that is neither paired nor in a line has nothing that the server could keep.
        let has_place = !self.peers.is_empty() || !self.rooms.is_empty() || self.waits_in_line();
        if has_place && !self.grace.is_zero() {
            self.backoff.lost(self.grace, self.last_heard, now);
        }
        self.reconnect(now);
        self.reassertions.clear();
        self.watches.lost();
        self.every_peer(&peer::Input::Server(ServerEvent::Lost), now);
    }

    pub(super) fn welcome(&mut self, mut welcome: Welcome, now: Instant) {
        if !self.is_connecting() {
            return;
        }
        if !Versions::OURS.contains(welcome.protocol.into()) {
            let refusal = Code::UnsupportedProtocol.into();
            return self.connecting_failed(ConnectFailure::Refused(refusal), now);
        }
        self.state = ConnectionState::Ready;
        self.limits = welcome.limits;
        self.pacer = Pacer::new(&welcome.limits);
        self.token = welcome.resume.take(); // A secret, which no event carries.
        self.grace = match self.token {
            Some(_) => Duration::from_millis(welcome.grace_ms),
            None => Duration::ZERO,
        };
        self.backoff.welcomed();
        if !std::mem::replace(&mut self.welcomed, true) {
            return self.event(ClientEvent::Connected(welcome));
        }
        let resumed = welcome.resumed;
        if !resumed {
            self.questions.clear();
        }
        let present = welcome.pairing.clone().filter(|_| resumed);
        let ended = welcome.ended;
        let rooms = welcome.rooms.clone();
        self.event(if welcome.resumed {
            ClientEvent::Resumed(welcome)
        } else {
            ClientEvent::Restarted(welcome)
        });
        if planted::is(Fault::ForgetResend)
            && present.as_ref().is_some_and(|present| self.knows_as(present.id).is_some())
        {
            self.welcome_rooms(rooms, resumed, now);
            return self.ask_again(now);
        }
        let is_new = present.as_ref().is_some_and(|info| self.knows_as(info.id).is_none());
        let mut last = None;
        while let Some(key) = self.key_after(last) {
            last = Some(key);
            if self.rooms.has(key) {
                continue;
            }
            let Some(known) = self.peers.get(&key).map(Peer::known_as) else { continue };
            self.peer(key, peer::Input::Server(ServerEvent::Welcomed(self.limits)), now);
            let ended = ended.filter(|ended| ended.pairing == known);
            let reason = ended.map_or(EndReason::Disconnected, |ended| ended.reason);
            // A server that is new to the pairing does not end it, however often it is reached.
            let goes_on = ended.is_none() && self.peers.get(&key).is_some_and(Peer::is_forgotten);
            let is_present = present.as_ref().is_some_and(|present| present.id == known);
            let input = if is_present {
                peer::Input::Server(ServerEvent::Known)
            } else if planted::is(Fault::KeepEndedPairing) {
                continue;
            } else if resumed && !goes_on {
                peer::Input::Ended(reason)
            } else {
                peer::Input::Server(ServerEvent::Forgotten(reason))
            };
            self.peer(key, input, now);
        }
        if let Some(present) = present
            && is_new
        {
            self.paired(present, now);
        }
        self.welcome_rooms(rooms, resumed, now);
        self.ask_again(now);
    }

    /// Returns the key of the peer that the server knows by this name.
    pub(super) fn knows_as(&self, pairing: PairingId) -> Option<PairingId> {
        self.find_peer(|peer| peer.known_as() == pairing)
    }

    pub(super) fn close(&mut self, now: Instant) {
        self.every_peer(&peer::Input::Ended(EndReason::Disconnected), now);
        self.close_requests();
        self.state = ConnectionState::Closed;
        self.event(ClientEvent::Disconnected);
        self.outputs.push_back(Output::Close);
    }

    pub(super) fn handle_after_close(&mut self, input: Input) {
        if let Input::Command(command) = input {
            self.refuse_closed(command);
        }
    }

    /// Refuses a command: the client is closed, or about to.
    pub(super) fn refuse_closed(&mut self, command: Command) {
        match command {
            Command::Register { call, .. }
            | Command::Unregister { call, .. }
            | Command::List { call, .. }
            | Command::Watch { call, .. }
            | Command::Join { call, .. }
            | Command::Exit { call, .. } => self.answer(call, Answer::Closed),
            Command::Emit { call, .. } => {
                let cause = Cause::Code(Code::Closed);
                self.answer(call, Answer::Outcome(Outcome::NotExecuted(cause)));
            }
            Command::Cancel(_) | Command::Upgrade(_) | Command::NetworkChanged | Command::Close => {
            }
        }
    }
}
