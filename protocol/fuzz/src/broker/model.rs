//! The clients that a broker has to know, and the state of each connection: predicted from its inputs.

use std::{collections::BTreeMap, time::Instant};

use socketio_p2p_protocol::{
    BrokerConfig, BrokerEvent, ClientId, ClientMessage, Code, ConnId, Dialect, DuplicatePolicy,
    EndReason, PairingId, Presence, ResumeToken, broker::Input,
};

use super::requests::Requests;

/// The token that a connection shows.
#[derive(Clone, Copy)]
pub(super) enum Shown {
    Nothing,
    Present,
    Previous,
    /// One of an earlier session, or of another client.
    Other(u8),
}

impl Shown {
    pub(super) const ALL: [Self; 6] = [
        Self::Nothing,
        Self::Present,
        Self::Present,
        Self::Previous,
        Self::Other(1),
        Self::Other(2),
    ];
}

/// A connection that stands.
pub(super) struct Conn {
    pub(super) client: ClientId,
    pub(super) dialect: Dialect,
    pub(super) token: ResumeToken,
    /// Set if it showed the right one of an earlier connection.
    pub(super) resumes: bool,
    /// Set if it can be written to.
    pub(super) announced: bool,
    pub(super) welcomed: bool,
    /// Set if it was told that it is removed.
    pub(super) dismissed: bool,
    /// The last message about its partner's connection.
    pub(super) partner: Option<(PairingId, Presence)>,
    /// The pairing whose end it heard of last.
    pub(super) ended: Option<PairingId>,
}

pub(super) struct Known {
    /// Its present connection, or the last one.
    pub(super) conn: ConnId,
    pub(super) dialect: Dialect,
    present: ResumeToken,
    previous: Option<ResumeToken>,
    pub(super) state: State,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum State {
    Arriving,
    Present,
    Away { until: Instant },
    Returning,
}

pub(super) struct Model {
    config: BrokerConfig,
    pub(super) known: BTreeMap<ClientId, Known>,
    pub(super) requests: Requests,
    pub(super) closing: bool,
    /// The clients that the application believes to be there, and whether they are away.
    believed: BTreeMap<ClientId, bool>,
}

impl Model {
    pub(super) fn new(config: BrokerConfig) -> Self {
        let (known, requests) = (BTreeMap::new(), Requests::default());
        Self { config, known, requests, closing: false, believed: BTreeMap::new() }
    }

    pub(super) fn token(&self, client: &ClientId, shown: Shown) -> Option<ResumeToken> {
        // Nobody knows a token that no welcome has told.
        let told = |known: &&Known| known.dialect == Dialect::V2 && known.state != State::Arriving;
        let known = self.known.get(client).filter(told);
        match shown {
            Shown::Nothing => None,
            Shown::Present => known.map(|known| known.present),
            Shown::Previous => known.and_then(|known| known.previous),
            Shown::Other(number) => {
                let mut others = self.known.iter().filter(|(id, _)| *id != client);
                let other = others.nth(number.into()).map(|(_, known)| known.present);
                other.or(Some(ResumeToken::new([0xff; 16])))
            }
        }
    }

    /// Predicts the answer of [`Broker::admit`](socketio_p2p_protocol::Broker::admit), and whether the
    /// session goes on.
    pub(super) fn admit(
        &mut self,
        conn: ConnId,
        client: &ClientId,
        dialect: Dialect,
        shown: Option<ResumeToken>,
        fresh: ResumeToken,
    ) -> Result<bool, Code> {
        if self.closing {
            return Err(Code::ShuttingDown);
        }
        if let Some(known) = self.known.get_mut(client) {
            let right = [Some(known.present), known.previous];
            if dialect == Dialect::V2 && shown.is_some() && right.contains(&shown) {
                (known.present, known.previous) = (fresh, shown);
                (known.conn, known.state) = (conn, State::Returning);
                self.requests.is_away(client);
                return Ok(true);
            }
            if self.config.duplicates == DuplicatePolicy::Reject {
                return Err(Code::DuplicateId);
            }
            self.remove(client, EndReason::Replaced);
        }
        if self.known.len() >= self.config.clients {
            return Err(Code::Quota);
        }
        let state = State::Arriving;
        let known = Known { conn, dialect, present: fresh, previous: None, state };
        self.known.insert(client.clone(), known);
        Ok(false)
    }

    fn remove(&mut self, client: &ClientId, reason: EndReason) {
        if self.known.remove(client).is_some() {
            self.requests.is_gone(client, reason);
        }
    }

    /// Applies an input to what is known, and predicts what clients are told of their requests and
    /// pairings.
    pub(super) fn foretell(&mut self, input: &Input, owner: Option<&ClientId>, now: Instant) {
        match input {
            Input::Kick(client) => self.remove(client, EndReason::Kicked),
            Input::Expel(_) => {
                if let Some(owner) = owner {
                    self.remove(owner, EndReason::Kicked);
                }
            }
            Input::ShutDown => {
                self.requests.shut_down();
                self.known.clear();
                self.closing = true;
            }
            Input::Timeout => {
                self.requests.expire(now);
                let is_over = |(id, known): (&ClientId, &Known)| match known.state {
                    State::Away { until } if until <= now => Some(id.clone()),
                    _ => None,
                };
                for client in self.known.iter().filter_map(is_over).collect::<Vec<_>>() {
                    self.remove(&client, EndReason::Disconnected);
                }
            }
            Input::RemoveFromRoom(..) => {} // Nobody is in a room.
            Input::Connected(_) | Input::Received(..) | Input::Forbidden(..) => {
                let Some(owner) = owner else { return };
                let Some(known) = self.known.get_mut(owner) else { return };
                known.state = State::Present;
                self.requests.is_there(owner);
                match input {
                    Input::Received(_, ClientMessage::Leave) => {
                        self.remove(owner, EndReason::Disconnected);
                    }
                    Input::Received(_, message) => {
                        known.previous = None;
                        let from = (owner, known.dialect == Dialect::V1);
                        let is_known = |client: &ClientId| {
                            let known = self.known.get(client);
                            known.is_some_and(|known| known.state != State::Arriving)
                        };
                        self.requests.received(from, message, is_known, now);
                    }
                    Input::Forbidden(_, req, _) => self.requests.forbidden(owner, *req),
                    _ => {}
                }
            }
            Input::Disconnected(_) => {
                let Some(owner) = owner else { return };
                let Some(known) = self.known.get_mut(owner) else { return };
                let keeps = !self.config.grace.is_zero() && known.dialect == Dialect::V2;
                let is_paired = self.requests.paired.contains_key(owner);
                let paired = is_paired && known.state == State::Present;
                if keeps && (paired || known.state == State::Returning) {
                    known.state = State::Away { until: now + self.config.grace };
                    self.requests.is_away(owner);
                } else {
                    self.remove(owner, EndReason::Disconnected);
                }
            }
            Input::Granted(pairing, verdict) => self.requests.granted(*pairing, *verdict),
            Input::Unpair(client) => self.requests.unpair(client),
        }
    }

    /// The application hears of each coming and going once, in order.
    pub(super) fn hear(&mut self, event: &BrokerEvent) {
        match event {
            BrokerEvent::Connected(id) => assert_eq!(self.believed.insert(id.clone(), false), None),
            BrokerEvent::Away(id) => {
                assert_eq!(self.believed.insert(id.clone(), true), Some(false), "{id} was there");
            }
            BrokerEvent::Back(id) => {
                assert_eq!(self.believed.insert(id.clone(), false), Some(true), "{id} was away");
            }
            BrokerEvent::Disconnected(id) => assert!(self.believed.remove(id).is_some(), "{id}"),
            _ => {}
        }
    }

    pub(super) fn check(&self) {
        for (id, known) in &self.known {
            let believed = match known.state {
                State::Arriving => None,
                State::Present => Some(false),
                State::Away { .. } | State::Returning => Some(true),
            };
            assert_eq!(self.believed.get(id).copied(), believed, "{id} is {:?}", known.state);
        }
        assert!(self.believed.keys().all(|id| self.known.contains_key(id)), "nobody else is there");
    }
}
