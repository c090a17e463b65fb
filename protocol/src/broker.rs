//! The server's half of the protocol: who is connected, who asks whom, who is paired.
//!
//! ```text
//!                register            accept            granted
//!   Free ───────────────► asked ───────────► Granting ────────► Paired
//!    ▲  (no slot: both clients stay Free)        │                 │
//!    │◄──────── refused, declined, timeout ──────┘                 │
//!    └◄──── unregister, disconnect, unpair, kick, shut down ───────┘
//! ```
//!
//! A request waits beside its target and holds no client's slot, so no client is kept busy by being
//! asked. At acceptance both clients are checked once more and held while the pairing is granted: by
//! the caller at once on a single node, by an arbiter when there are several. Then both clients are
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

mod attendance;
#[cfg(test)]
mod broken;
mod clients;
mod departed_v1;
mod grants;
mod hello;
mod interface;
mod lines;
mod listing;
mod pairings;
mod queries;
mod record;
mod refusals;
mod releases;
mod requests;
mod rooms;
mod tokens;
mod waiting;
mod watches;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Instant,
};

pub use self::interface::{
    Broken, BrokerConfig, BrokerEvent, BrokerStats, DuplicatePolicy, Input, ListPolicy, Output,
    Partner,
};
use self::{
    clients::ListRate,
    departed_v1::DepartedV1,
    grants::Grant,
    lines::LineNews,
    listing::Clients,
    pairings::Pairing,
    record::{ClientRecord, Slot},
    releases::Release,
    requests::Registering,
    rooms::Rooms,
    waiting::{Question, Waiting},
    watches::WatchedTargets,
};
pub use self::{hello::Hello, listing::Listing};
use crate::{
    ClientId, ClientMessage, Code, ConnId, Dialect, EndReason, PairingId, ReqId, ServerMessage,
    limits::setting,
    planted::{self, Fault},
};

/// The bits of [`BrokerConfig::last_request`] that count: from there JavaScript can count on.
const LAST_REQUEST_BITS: u64 = (1 << 52) - 1;

/// The server's half of the protocol. See the [module's page](self).
///
/// # Examples
///
/// A asks for B, B accepts, and the server relays between them from then on:
///
/// ```
/// use std::time::Instant;
///
/// use socketio_p2p_protocol::{
///     Broker, BrokerConfig, ClientId, ClientMessage, ConnId, Dialect, Hello, ResumeToken,
///     ServerMessage,
///     broker::{Input, Output},
/// };
///
/// let now = Instant::now();
/// let mut broker = Broker::new(BrokerConfig::new(7)); // In a server: a random number.
/// let (a, b) = (ConnId(1), ConnId(2));
/// for (conn, client, secret) in [(a, "A", [1; 16]), (b, "B", [2; 16])] {
///     let hello = Hello::new(client.parse()?, Dialect::V2, ResumeToken::new(secret));
///     assert_eq!(broker.admit(conn, hello, now), Ok(()));
///     broker.handle(Input::Connected(conn), now);
/// }
///
/// let target: ClientId = "B".parse()?;
/// let (req, payload, consent_time, wait) = (Some(1), None, None, None);
/// let register = ClientMessage::Register { req, target, payload, consent_time, wait };
/// broker.handle(Input::Received(a, register), now);
/// let mut question = None;
/// while let Some(output) = broker.poll_output() {
///     if let Output::Send(conn, ServerMessage::Register { req, source, .. }) = output {
///         assert_eq!((conn, source.as_str()), (b, "A"));
///         question = Some(req);
///     }
/// }
/// assert!(question.is_some());
///
/// broker.handle(Input::Received(b, ClientMessage::Accept { req: question }), now);
/// let mut routes = Vec::new();
/// while let Some(output) = broker.poll_output() {
///     match output {
///         // A server alone has no arbiter to ask.
///         Output::Grant { pairing, .. } => broker.handle(Input::Granted(pairing, Ok(())), now),
///         Output::Route(conn, partner) => routes.push((conn, partner.conn)),
///         _ => {}
///     }
/// }
/// assert_eq!(routes, [(a, b), (b, a)]);
/// # Ok::<(), socketio_p2p_protocol::ClientIdError>(())
/// ```
#[derive(Debug)]
pub struct Broker {
    config: BrokerConfig,
    clients: Clients,
    conns: BTreeMap<ConnId, ClientId>,
    waiting: Waiting,
    /// Pairings that are being granted. The order of their ids is that of the deadlines.
    grants: BTreeMap<PairingId, Grant>,
    pairings: BTreeMap<PairingId, Pairing>,
    rooms: Rooms,
    /// Initiators of the end of a pairing who wait until their v1 partner knows. The order of the
    /// numbers is that of the deadlines.
    releases: BTreeMap<u64, Release>,
    /// Clients that are away, by the end of their grace.
    away: BTreeSet<(Instant, ClientId)>,
    departed_v1: DepartedV1,
    list_rate: ListRate,
    watches: WatchedTargets,
    line_news: LineNews,
    outputs: VecDeque<Output>,
    last_req: ReqId,
    last_serial: u64,
    last_release: u64,
    closing: bool,
}

impl Broker {
    /// Creates a broker without clients.
    #[must_use]
    pub fn new(config: BrokerConfig) -> Self {
        let grace = if config.grace.is_zero() { config.grace } else { setting(config.grace) };
        let config = BrokerConfig { grace, ..config };
        Self {
            config,
            clients: Clients::new(),
            conns: BTreeMap::new(),
            waiting: Waiting::default(),
            grants: BTreeMap::new(),
            pairings: BTreeMap::new(),
            rooms: Rooms::default(),
            releases: BTreeMap::new(),
            away: BTreeSet::new(),
            departed_v1: DepartedV1::default(),
            list_rate: ListRate::default(),
            watches: WatchedTargets::default(),
            line_news: LineNews::default(),
            outputs: VecDeque::new(),
            last_req: config.last_request & LAST_REQUEST_BITS,
            last_serial: 0,
            last_release: 0,
            closing: false,
        }
    }

    /// Gives a name to a new connection. No other client sees it until [`Input::Connected`] or its
    /// first message; [`Input::Disconnected`] gives the name back.
    ///
    /// A connection with the resume token of a client takes the client's place, also while the old
    /// connection stands: a client may notice a dead connection before the server does. So there may
    /// be outputs afterwards: poll.
    ///
    /// # Errors
    ///
    /// [`Code::DuplicateId`] while another client has the name, or if this connection has a name
    /// already; [`Code::Quota`] if there are too many clients; [`Code::ShuttingDown`].
    pub fn admit(&mut self, conn: ConnId, hello: Hello, now: Instant) -> Result<(), Code> {
        let admitted = self.let_in(conn, hello, now);
        self.settle(now);
        admitted
    }

    /// Notes what has changed, after each input and before each list.
    fn settle(&mut self, now: Instant) {
        let mut changed = Vec::new();
        loop {
            let touched = self.clients.settle();
            if touched.is_empty() {
                break;
            }
            for client in &touched {
                if let Some(target) = client.asking.and_then(|number| self.awaited_by(number)) {
                    self.serve_line(&target, now);
                }
                if client.has_line {
                    self.serve_line(&client.id, now);
                }
            }
            if !self.watches.is_empty() {
                changed.extend(touched.into_iter().map(|client| client.id));
            }
        }
        for client in changed {
            self.note_target(&client, now);
        }
    }

    fn let_in(&mut self, conn: ConnId, hello: Hello, now: Instant) -> Result<(), Code> {
        if self.closing {
            return Err(Code::ShuttingDown);
        }
        if self.conns.contains_key(&conn) {
            return Err(Code::DuplicateId);
        }
        let id = &hello.client;
        if let Some(present) = self.clients.get_mut(id) {
            if hello.dialect == Dialect::V2 && present.tokens.exchange(hello.resume, hello.fresh) {
                self.succeed(conn, hello, now);
                return Ok(());
            }
            match self.config.duplicates {
                DuplicatePolicy::Reject => return Err(Code::DuplicateId),
                DuplicatePolicy::TakeOver => self.remove(id, EndReason::Replaced, now),
            }
        }
        if self.clients.len() >= self.config.clients {
            return Err(Code::Quota);
        }
        self.conns.insert(conn, id.clone());
        let record = ClientRecord::new(conn, &hello);
        self.clients.insert(hello.client, record);
        Ok(())
    }

    /// Handles one input.
    pub fn handle(&mut self, input: Input, now: Instant) {
        match input {
            Input::Connected(conn) => self.connected(conn, now),
            Input::Disconnected(conn) => self.disconnected(conn, now),
            Input::Received(conn, message) => self.received(conn, message, now),
            Input::Forbidden(conn, req, target) => self.forbidden(conn, req, target, now),
            Input::Granted(pairing, verdict) => self.granted(pairing, verdict),
            Input::Unpair(client) => self.unpair(&client),
            Input::RemoveFromRoom(client, room) => self.remove_from_room(&client, &room),
            Input::Kick(client) => self.remove(&client, EndReason::Kicked, now),
            Input::Expel(conn) => {
                if let Some(id) = self.conns.get(&conn).cloned() {
                    self.remove(&id, EndReason::Kicked, now);
                }
            }
            Input::ShutDown => self.shut_down(),
            Input::Timeout => self.timeout(now),
        }
        self.settle(now);
    }

    /// Returns the next output, if any.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Returns when [`Input::Timeout`] is due, or `None` if nothing waits.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let request = self.waiting.next_deadline();
        let release = self.releases.first_key_value().map(|(_, release)| release.deadline);
        let grant = self.grants.first_key_value().map(|(_, grant)| grant.deadline);
        let away = self.away.first().map(|(until, _)| *until);
        let told = [self.watches.next_deadline(), self.line_news.next_deadline()];
        let deadlines = [request, release, grant, away].into_iter().chain(told);
        deadlines.flatten().min()
    }

    /// Sends a message to a client, unless its connection is gone or has not been welcomed: the
    /// welcome states everything.
    fn send(&mut self, conn: ConnId, message: ServerMessage) {
        if self.reaches(conn) {
            self.outputs.push_back(Output::Send(conn, message));
        }
    }

    /// Returns whether a client has this connection and has been welcomed on it.
    fn reaches(&mut self, conn: ConnId) -> bool {
        let Some(id) = self.conns.get(&conn) else { return false };
        let client = self.clients.get(id);
        if client.is_none() {
            self.outputs.push_back(Output::Complain(Broken::NoClient(id.clone())));
        }
        client.is_some_and(ClientRecord::is_present)
    }

    /// Returns a client that must exist. If it does not, that is logged.
    fn client_mut(&mut self, id: &ClientId) -> Option<&mut ClientRecord> {
        let client = self.clients.get_mut(id);
        if client.is_none() {
            self.outputs.push_back(Output::Complain(Broken::NoClient(id.clone())));
        }
        client
    }

    fn complain(&mut self, broken: Broken) {
        self.outputs.push_back(Output::Complain(broken));
    }

    fn event(&mut self, event: BrokerEvent) {
        self.outputs.push_back(Output::Event(event));
    }

    fn received(&mut self, conn: ConnId, message: ClientMessage, now: Instant) {
        // A client may send before the host announces its connection.
        self.connected(conn, now);
        let Some(id) = self.conns.get(&conn).cloned() else {
            return;
        };
        if let Some(client) = self.clients.get_mut(&id) {
            client.tokens.confirm();
        }
        match message {
            ClientMessage::Leave => {
                // It is treated as if its connection were gone already. The client closes the
                // connection itself: if the server did so too, one of them might find nothing to
                // close, and leave the stream below open.
                self.conns.remove(&conn);
                self.remove(&id, EndReason::Disconnected, now);
            }
            ClientMessage::Register { req, target, payload, consent_time, wait } => {
                let registering = Registering { req, target, payload, consent_time, wait };
                self.register(&id, registering, now);
            }
            ClientMessage::Accept { req } => self.accept(&id, req, now),
            ClientMessage::Decline { req, reason } => self.decline(&id, req, reason.as_deref()),
            ClientMessage::Reserve { req, partner } => self.reserve(&id, req, partner, now),
            ClientMessage::Unregister { req } => self.unregister(&id, req, now),
            ClientMessage::Released { pairing } => self.released(pairing, &id),
            ClientMessage::List { req } => self.list(&id, req, now),
            ClientMessage::Ping { req } => self.send(conn, ServerMessage::Pong { req }),
            ClientMessage::Watch { req, target } => self.watch(&id, req, &target, now),
            ClientMessage::Join { req, room, most } => self.join(&id, req, room, most),
            ClientMessage::Exit { req, room } => self.exit(&id, req, room),
            ClientMessage::Cancel { req } => {
                self.watches.remove(&id, req);
                self.cancel_request(&id, req);
            }
        }
    }

    fn timeout(&mut self, now: Instant) {
        self.tell_due_watchers(now);
        self.tell_due_places(now);
        for number in self.waiting.take_due_requests(now) {
            let code = self.code_of_late(number);
            self.refuse(number, code.into());
        }
        for number in self.waiting.take_due_questions(now) {
            if let Some(Question { target, .. }) = self.waiting.close_question(number) {
                self.close_question(&target, number);
                self.doubt(&target);
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
