//! The server's half of the protocol: who is connected, who asks whom, who is paired.
//!
//! ```text
//!                register            accept            granted
//!   Free ───────────────► asked ───────────► Granting ────────► Paired
//!    ▲  (holds no slot: both ends stay Free)     │                 │
//!    │◄──────── refused, declined, timeout ──────┘                 │
//!    └◄──── unregister, disconnect, unpair, kick, shut down ───────┘
//! ```
//!
//! A request waits beside its target and occupies no client, so a client cannot be kept busy by being
//! asked. At acceptance both peers are checked again and held while the pairing is granted: by the
//! caller at once on a single node, by an arbiter if there are several. Then both peers are
//! committed in one step.
//!
//! ```text
//!            connected               connection lost, paired, v2
//!   Arriving ────────► Present ──────────────────────────────────► Away ── grace over ──► gone
//!                        ▲  │ lost otherwise, leaves, kicked: gone   │
//!                        │  └ a second connection with the token ────┤ with the token
//!                        └─────────────── connected ──── Returning ◄─┘
//! ```
//!
//! No IO, no clock: feed it with [`Broker::handle`], carry out what [`Broker::poll_output`] says,
//! and come back with [`Input::Timeout`] when [`Broker::poll_timeout`] is due.

mod connections;
mod ghosts;
mod interface;
mod pairings;
mod presence;
mod requests;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Instant,
};

use serde_json::Value;

pub use self::interface::{
    BrokerConfig, BrokerEvent, BrokerStats, DuplicatePolicy, Hello, Input, ListPolicy, Output,
    Partner,
};
use self::{
    ghosts::Ghosts,
    presence::{Presence, Tokens},
};
use crate::{
    ClientEntry, ClientId, ClientMessage, ClientState, Code, ConnId, Dialect, EndReason,
    EndedPairing, PairingId, ReqId, ResumeToken, ServerMessage,
    planted::{self, Fault},
};

/// The server's half of the protocol. See the [module's page](self).
#[derive(Debug)]
pub struct Broker {
    config: BrokerConfig,
    clients: BTreeMap<ClientId, Client>,
    conns: BTreeMap<ConnId, ClientId>,
    /// By the server's number, which is the order of arrival and so that of the deadlines.
    requests: BTreeMap<ReqId, Request>,
    /// By the number of the request, whose deadline they share.
    questions: BTreeMap<ReqId, Question>,
    /// Pairings that are being granted; the order of their numbers is that of the deadlines.
    grants: BTreeMap<PairingId, Grant>,
    pairings: BTreeMap<PairingId, Pairing>,
    /// Initiators of the end of a pairing who wait until their v1 partner knows; the order of
    /// their numbers is that of the deadlines.
    releases: BTreeMap<u64, Release>,
    /// Clients that are away, by when their grace is over.
    away: BTreeSet<(Instant, ClientId)>,
    ghosts: Ghosts,
    outputs: VecDeque<Output>,
    last_req: ReqId,
    last_serial: u64,
    last_release: u64,
    closing: bool,
}

#[derive(Debug)]
struct Client {
    /// Its present connection, or the last one.
    conn: ConnId,
    dialect: Dialect,
    /// Set if it allows a direct path.
    direct: bool,
    presence: Presence,
    tokens: Tokens,
    slot: Slot,
    /// Its last pairing that ended, for a client that was away or whose connection was dead.
    ended: Option<EndedPairing>,
    /// Its own registration, if one waits.
    asking: Option<ReqId>,
    /// Registrations of others that wait for it, in order.
    inbox: VecDeque<ReqId>,
    /// The questions that it has not answered, in order. A question keeps its place in the inbox even
    /// if the request is gone: otherwise a source could ask and take back without end.
    questions: Vec<ReqId>,
    /// Set once it has named the registration that it answered. From then on an answer that names
    /// none is a second one, and must not count for the next registration.
    names_requests: bool,
    /// The release in which it is the initiator or the partner. At most one: a client that is
    /// paired anew has done with the last.
    release: Option<u64>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Slot {
    Free,
    Granting(PairingId),
    Paired(PairingId),
}

#[derive(Debug)]
struct Request {
    source: ClientId,
    req: Option<ReqId>,
    target: ClientId,
    payload: Option<Value>,
    /// Set once the target has been asked.
    asked: bool,
    deadline: Instant,
}

/// A question that a v1 client has not answered. It outlives the request, so that the answer is not
/// taken for one to the next question.
#[derive(Debug)]
struct Question {
    target: ClientId,
    deadline: Instant,
}

#[derive(Debug)]
struct Grant {
    request: Request,
    consent: Consent,
    deadline: Instant,
}

#[derive(Debug)]
struct Pairing {
    source: ClientId,
    target: ClientId,
}

/// The form in which the target accepted.
#[derive(Clone, Copy, Debug)]
enum Consent {
    /// It was asked under this number.
    Asked(ReqId),
    /// It asked the source, with a number of its own.
    Crossing(Option<ReqId>),
}

#[derive(Debug)]
struct Release {
    pairing: PairingId,
    /// The v1 partner who has to confirm.
    partner: ClientId,
    initiator: ClientId,
    req: Option<ReqId>,
    deadline: Instant,
}

impl Client {
    const fn new(conn: ConnId, dialect: Dialect, direct: bool, fresh: ResumeToken) -> Self {
        Self {
            conn,
            dialect,
            direct,
            presence: Presence::Arriving,
            tokens: Tokens::new(fresh),
            slot: Slot::Free,
            ended: None,
            asking: None,
            inbox: VecDeque::new(),
            questions: Vec::new(),
            names_requests: false,
            release: None,
        }
    }

    /// Places of its inbox that are taken: by requests, and by questions whose request is gone.
    fn places_taken(&self) -> usize {
        let gone = self.questions.iter().filter(|number| !self.inbox.contains(number));
        self.inbox.len() + gone.count()
    }
}

impl Broker {
    /// Creates a broker without clients.
    #[must_use]
    pub fn new(config: BrokerConfig) -> Self {
        Self {
            config,
            clients: BTreeMap::new(),
            conns: BTreeMap::new(),
            requests: BTreeMap::new(),
            questions: BTreeMap::new(),
            grants: BTreeMap::new(),
            pairings: BTreeMap::new(),
            releases: BTreeMap::new(),
            away: BTreeSet::new(),
            ghosts: Ghosts::default(),
            outputs: VecDeque::new(),
            last_req: 0,
            last_serial: 0,
            last_release: 0,
            closing: false,
        }
    }

    /// Gives a name to a new connection, or says why not. Nobody sees the client until
    /// [`Input::Connected`] or its first message; [`Input::Disconnected`] gives the name back.
    ///
    /// Whoever has the resume token of a client takes its place, also while its connection stands:
    /// the client's end of a dead connection is noticed before the server's. So there may be
    /// something to do afterwards: poll.
    ///
    /// # Errors
    ///
    /// [`Code::DuplicateId`] while somebody has the name, or if this connection has a name
    /// already; [`Code::Quota`] if there are too many clients; [`Code::ShuttingDown`].
    pub fn admit(&mut self, conn: ConnId, hello: Hello, now: Instant) -> Result<(), Code> {
        if self.closing {
            return Err(Code::ShuttingDown);
        }
        if self.conns.contains_key(&conn) {
            return Err(Code::DuplicateId);
        }
        let Hello { client: id, dialect, direct, resume, fresh } = hello;
        if let Some(present) = self.clients.get_mut(&id) {
            if dialect == Dialect::V2 && present.tokens.exchange(resume, fresh) {
                self.succeed(conn, id, direct, now);
                return Ok(());
            }
            match self.config.duplicates {
                DuplicatePolicy::Reject => return Err(Code::DuplicateId),
                DuplicatePolicy::TakeOver => self.remove(&id, EndReason::Replaced, now),
            }
        }
        if self.clients.len() >= self.config.clients {
            return Err(Code::Quota);
        }
        self.conns.insert(conn, id.clone());
        self.clients.insert(id, Client::new(conn, dialect, direct, fresh));
        Ok(())
    }

    /// Takes note of what happened.
    pub fn handle(&mut self, input: Input, now: Instant) {
        match input {
            Input::Connected(conn) => self.connected(conn, now),
            Input::Disconnected(conn) => self.disconnected(conn, now),
            Input::Received(conn, message) => self.received(conn, message, now),
            Input::Forbidden(conn, req, target) => self.forbidden(conn, req, target, now),
            Input::Granted(pairing, verdict) => self.granted(pairing, verdict),
            Input::Unpair(client) => self.unpair(&client),
            Input::Kick(client) => self.remove(&client, EndReason::Kicked, now),
            Input::Expel(conn) => {
                if let Some(id) = self.conns.get(&conn).cloned() {
                    self.remove(&id, EndReason::Kicked, now);
                }
            }
            Input::ShutDown => self.shut_down(),
            Input::Timeout => self.timeout(now),
        }
    }

    /// The next thing to do, if any.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Returns the time at which [`Input::Timeout`] is due, or `None`.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let request = self.requests.first_key_value().map(|(_, request)| request.deadline);
        let question = self.questions.first_key_value().map(|(_, question)| question.deadline);
        let release = self.releases.first_key_value().map(|(_, release)| release.deadline);
        let grant = self.grants.first_key_value().map(|(_, grant)| grant.deadline);
        let away = self.away.first().map(|(until, _)| *until);
        let deadlines = [request, question, release, grant, away];
        deadlines.into_iter().flatten().min()
    }

    /// The clients there are, in the order of their names.
    #[must_use]
    pub fn clients(&self) -> Vec<ClientEntry> {
        let visible =
            self.clients.iter().filter(|(_, client)| client.presence != Presence::Arriving);
        visible
            .map(|(id, client)| ClientEntry {
                id: id.clone(),
                state: match (client.presence, client.slot) {
                    (Presence::Away { .. } | Presence::Returning, _) => ClientState::Away,
                    (_, Slot::Free | Slot::Granting(_)) => ClientState::Free,
                    (_, Slot::Paired(_)) => ClientState::Paired,
                },
            })
            .collect()
    }

    /// The partner of a client, and their pairing.
    #[must_use]
    pub fn pairing_of(&self, client: &ClientId) -> Option<(PairingId, &ClientId)> {
        let Slot::Paired(id) = self.clients.get(client)?.slot else {
            return None;
        };
        Some((id, self.pairings.get(&id)?.partner_of(client)))
    }

    /// Returns the numbers of objects.
    #[must_use]
    pub fn stats(&self) -> BrokerStats {
        BrokerStats {
            clients: self.clients.len(),
            away: self.away.len(),
            requests: self.requests.len(),
            pairings: self.grants.len() + self.pairings.len(),
        }
    }

    /// Tells a client something, unless its connection is gone or has not been welcomed: the
    /// welcome will say how things stand.
    fn send(&mut self, conn: ConnId, message: ServerMessage) {
        if self.conns.get(&conn).is_some_and(|id| self.clients[id].is_present()) {
            self.outputs.push_back(Output::Send(conn, message));
        }
    }

    fn event(&mut self, event: BrokerEvent) {
        self.outputs.push_back(Output::Event(event));
    }

    fn received(&mut self, conn: ConnId, message: ClientMessage, now: Instant) {
        // A client may send between the moment at which it learns of its connection and the moment
        // at which the host reports it.
        self.connected(conn, now);
        let Some(id) = self.conns.get(&conn).cloned() else {
            return;
        };
        if let Some(client) = self.clients.get_mut(&id) {
            client.tokens.confirm();
        }
        match message {
            ClientMessage::Leave => {
                // As if its connection were gone already. It closes that itself: if the server did
                // so too, one of them might find nothing to close, and leave what is below.
                self.conns.remove(&conn);
                self.remove(&id, EndReason::Disconnected, now);
            }
            ClientMessage::Register { req, target, payload } => {
                self.register(&id, req, target, payload, now);
            }
            ClientMessage::Accept { req } => self.accept(&id, req, now),
            ClientMessage::Decline { req, reason } => self.decline(&id, req, reason.as_deref()),
            ClientMessage::Unregister { req } => self.unregister(&id, req, now),
            ClientMessage::Released { pairing } => self.released(pairing, &id),
            ClientMessage::List { req } => self.list(&id, req),
            ClientMessage::Ping { req } => self.send(conn, ServerMessage::Pong { req }),
        }
    }

    fn timeout(&mut self, now: Instant) {
        while let Some((&req, request)) = self.requests.first_key_value()
            && request.deadline <= now
        {
            self.refuse(req, Code::Timeout.into());
        }
        while let Some((&number, question)) = self.questions.first_key_value()
            && question.deadline <= now
        {
            if let Some(Question { target, .. }) = self.questions.remove(&number) {
                self.close_question(&target, number);
                self.ask(&target);
            }
        }
        while let Some((&id, grant)) = self.grants.first_key_value()
            && grant.deadline <= now
        {
            self.cancel_grant(id, Code::Timeout);
        }
        while let Some((&number, release)) = self.releases.first_key_value()
            && release.deadline <= now
        {
            self.finish_release(number);
        }
        while self.away.first().is_some_and(|(until, _)| *until <= now)
            && let Some((_, id)) = self.away.pop_first()
        {
            if !planted::is(Fault::ForgetAway) {
                self.remove(&id, EndReason::Disconnected, now);
            }
        }
    }
}
