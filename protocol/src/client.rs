//! A client's half of the protocol: its connection, its requests, consent, and its peers.
//!
//! ```text
//!   Connecting ── welcome ──► Ready: Free ◄──────────► Paired (with a Peer)
//!     ▲   │ │                   │        registered /      │
//!     │   │ │                   │        disconnect        │
//!     │   │ └ failed ┐          └────── lost, silent ──────┤
//!     │   │          ▼                                     ▼
//!     │   │        Away: peers and requests wait for the next connection
//!     │   │          │ │
//!     └───│ connecting │ given up, closed, removed by the server
//!         │            ▼
//!         └ failed ► Closed: every call has been answered
//!       for good
//! ```
//!
//! No IO, no clock: feed it with [`Client::handle`], carry out what [`Client::poll_output`]
//! returns, and come back with [`Input::Timeout`] when [`Client::poll_timeout`] is due. Frames are
//! collected into batches while inputs are fed, so feed all that are there before polling.

mod backoff;
mod connect_failure;
mod connecting;
mod connection;
mod ending;
mod event;
mod handlers;
mod interface;
mod pacer;
mod peers;
mod received;
mod requests;
mod retry;
mod rooms;
mod watches;

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use self::{
    backoff::Backoff,
    connection::{ConnectionState, Doubt},
    ending::Ending,
    pacer::Pacer,
    requests::PendingRequest,
    rooms::Memberships,
    watches::Watches,
};
pub use self::{
    connect_failure::ConnectFailure,
    event::ClientEvent,
    handlers::{HandlerId, RunningHandlers},
    interface::{Answer, ClientConfig, Command, Input, Output, QuestionId},
    retry::RegisterRetry,
};
pub use crate::peer::Complaint;
use crate::{
    ClientMessage, Code, PairingId, PairingInfo, ReqId, ResumeToken, RoomName, Signal,
    limits::Limits,
    peer::{self, Peer, ServerEvent},
    session::{CallId, Violation},
};

/// A client's half of the protocol. See the [module's page](self).
///
/// # Examples
///
/// A client is welcomed, registers a target, and is paired. Here the server's messages are written by hand; a host reads
/// them with [`Input::of_event`]:
///
/// ```
/// use std::time::{Duration, Instant};
///
/// use serde_json::json;
/// use socketio_p2p_protocol::{
///     Client, ClientConfig, ClientMessage, PairingId, PairingInfo, ServerMessage,
///     client::{Answer, Command, Input, Output},
/// };
///
/// let now = Instant::now();
/// let mut client = Client::new(ClientConfig::default(), now);
/// let welcome = json!({
///     "protocol": 2, "clientId": "A", "resume": null, "graceMs": 0, "resumed": false, "pairing": null
/// });
/// client.handle(Input::of_event("P2P_WELCOME", vec![welcome]), now);
///
/// let (call, target) = (1, "B".parse()?);
/// let (payload, consent_time, wait) = (None, None, None);
/// let deadline = Some(now + Duration::from_secs(5));
/// let register = Command::Register { call, target, payload, consent_time, wait, deadline };
/// client.handle(Input::Command(register), now);
/// let mut req = None;
/// while let Some(output) = client.poll_output() {
///     if let Output::Send(ClientMessage::Register { req: number, .. }) = output {
///         req = number;
///     }
/// }
/// assert!(req.is_some());
///
/// let (id, partner, initiator) = (PairingId::new(7, 1), "B".parse()?, true);
/// let pairing = PairingInfo { id, partner, initiator, partner_protocol: 2, direct: false };
/// let granted = ServerMessage::Registered { req, pairing: pairing.clone() };
/// client.handle(Input::Received(granted), now);
/// let mut answers = Vec::new();
/// while let Some(output) = client.poll_output() {
///     if let Output::Answered(call, answer) = output {
///         answers.push((call, answer));
///     }
/// }
/// assert_eq!(answers, [(1, Answer::Registered(pairing.clone()))]);
/// assert_eq!(client.pairing(), Some(&pairing));
/// # Ok::<(), socketio_p2p_protocol::ClientIdError>(())
/// ```
#[derive(Debug)]
pub struct Client {
    config: ClientConfig,
    state: ConnectionState,
    backoff: Backoff,
    /// The time for which the server keeps the pairing of a client that is away.
    grace: Duration,
    /// The time until which the first attempt may be repeated.
    first_until: Option<Instant>,
    /// True once a server has welcomed it: before that there is no session to resume.
    welcomed: bool,
    /// The token that the next connection shows.
    token: Option<ResumeToken>,
    limits: Limits,
    last_req: ReqId,
    requests: BTreeMap<ReqId, PendingRequest>,
    watches: Watches,
    /// The questions of this server that wait for the application's answer, oldest first: the number
    /// that the application was given, and that of the server.
    questions: VecDeque<(QuestionId, ReqId)>,
    last_question: QuestionId,
    /// Registrations of partners whose pairing the server has forgotten.
    reassertions: BTreeMap<ReqId, PairingId>,
    /// The pairings, by the name under which each was made. The server grants one at a time, besides those of rooms.
    peers: BTreeMap<PairingId, Peer>,
    rooms: Memberships,
    ending: Ending,
    /// The peer whose frames were sent last.
    served: Option<PairingId>,
    pacer: Pacer,
    now: Instant,
    last_heard: Instant,
    last_asked: Instant,
    /// The ping whose answer is awaited, and the time in which the last was answered.
    asked: Option<(ReqId, Instant)>,
    doubt: Option<Doubt>,
    server_rtt: Option<Duration>,
    outputs: VecDeque<Output>,
}

impl Client {
    /// A client whose host begins to make its first connection.
    #[must_use]
    pub fn new(config: ClientConfig, now: Instant) -> Self {
        let config = config.bounded();
        Self {
            config,
            state: ConnectionState::connecting(config.connect_timeout, now),
            backoff: Backoff::new(config.seed),
            first_until: config.retry_first.map(|within| now + within),
            grace: Duration::ZERO,
            welcomed: false,
            token: None,
            limits: Limits::default(),
            last_req: 0,
            requests: BTreeMap::new(),
            watches: Watches::default(),
            questions: VecDeque::new(),
            last_question: 0,
            reassertions: BTreeMap::new(),
            peers: BTreeMap::new(),
            rooms: Memberships::default(),
            ending: Ending::default(),
            served: None,
            pacer: Pacer::default(),
            now,
            last_heard: now,
            last_asked: now,
            asked: None,
            doubt: None,
            server_rtt: None,
            outputs: VecDeque::new(),
        }
    }

    /// Returns the present pairing.
    #[must_use]
    pub fn pairing(&self) -> Option<&PairingInfo> {
        self.exclusive_peer().map(Peer::pairing)
    }

    /// Returns the pairings with the other members of a room, or `None` if the client is no member.
    #[must_use]
    pub fn members(&self, room: &RoomName) -> Option<Vec<PairingInfo>> {
        self.rooms.is_member(room).then(|| self.infos_of(room))
    }

    /// Returns the room of a pairing, or `None` if it is not one of a room.
    #[must_use]
    pub fn room_of(&self, pairing: PairingId) -> Option<&RoomName> {
        self.rooms.room_of(pairing)
    }

    /// Returns all pairings, those of rooms included.
    pub fn pairings(&self) -> impl Iterator<Item = PairingId> {
        self.peers.values().map(|peer| peer.pairing().id)
    }

    /// Returns true if [`Command::Emit`] may be given now for the pairing that the client has besides those of rooms.
    /// If not, the emit waits with its caller.
    #[must_use]
    pub fn takes_emits(&self) -> bool {
        // Once the application has asked to close the client, an emit is refused at once.
        self.ending.closes() || self.exclusive_peer().is_none_or(Peer::takes_emits)
    }

    /// Returns true if [`Command::Emit`] may be given now for this pairing. If not, the emit waits with its caller.
    #[must_use]
    pub fn takes_emits_of(&self, pairing: PairingId) -> bool {
        // An emit for a pairing that is over is refused at once.
        let mut peers = self.peers.values();
        self.ending.closes()
            || peers.find(|peer| peer.is_named(pairing)).is_none_or(Peer::takes_emits)
    }

    /// Handles an input.
    pub fn handle(&mut self, input: Input, now: Instant) {
        self.now = now;
        if self.state == ConnectionState::Closed {
            return self.handle_after_close(input);
        }
        match input {
            Input::Received(message) => {
                self.received(message, now);
                self.heard(now);
            }
            Input::Frames { pairing, frames, has_unread } => {
                self.heard(now);
                if let Some(key) = self.peer_named(pairing) {
                    self.peer(key, peer::Input::Relayed(frames), now);
                    if has_unread {
                        let complaint = Complaint::Partner(Violation::Frame);
                        self.outputs.push_back(Output::Complain(complaint));
                    }
                }
            }
            Input::Garbled(error) => {
                self.heard(now);
                let complaint = match error.refusal.code {
                    Code::BadEvent => Complaint::UnknownEvent,
                    _ => Complaint::Server(error.refusal),
                };
                self.outputs.push_back(Output::Complain(complaint));
            }
            Input::GarbledWelcome(refusal) => self.garbled_welcome(refusal, now),
            Input::Signalled(pairing, signal) => {
                self.heard(now);
                if let Some(key) = self.peer_named(pairing) {
                    match Signal::from_value(&signal) {
                        Ok(signal) => self.peer(key, peer::Input::Signalled(signal), now),
                        Err(error) => {
                            self.outputs.push_back(Output::Complain(Complaint::Signal(error)));
                        }
                    }
                }
            }
            Input::Link(link, event) => {
                self.peer(link.pairing, peer::Input::Link(link, event), now);
            }
            Input::AddressesChanged => {
                self.every_peer(&peer::Input::AddressesChanged, now);
                self.network_changed(now);
            }
            Input::Suspected => self.suspected(now),
            Input::Lost => self.lost(now),
            Input::Connecting | Input::Opened => self.connecting(now),
            Input::Unreachable(tried) => {
                self.not_connected(ConnectFailure::Unreachable(tried), now);
            }
            Input::NoAuth(why) => self.not_connected(ConnectFailure::Auth(why), now),
            Input::Rejected(refusal) => self.not_connected(ConnectFailure::Refused(refusal), now),
            Input::GaveUp => self.close(now),
            Input::Command(command) => self.command(command, now),
            Input::Answer(question, verdict) => self.answer_question(question, verdict),
            Input::Finished(pairing, seq, result) => {
                if let Some(key) = self.find_peer(|peer| peer.is_named(pairing)) {
                    self.peer(key, peer::Input::Finished(seq, result), now);
                }
            }
            Input::Timeout => self.timeout(now),
        }
        self.exit_if_confirmed(now);
        self.end_if_confirmed(now);
    }

    /// Returns the next output, if any.
    pub fn poll_output(&mut self) -> Option<Output> {
        if self.outputs.is_empty() {
            self.flush();
            self.flush_direct();
        }
        self.outputs.pop_front()
    }

    /// Returns when [`Input::Timeout`] is due, if ever.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.state == ConnectionState::Closed {
            return None;
        }
        let request = self.requests.values().map(|pending| pending.deadline).min();
        let peers = self.peers.values().filter_map(Peer::poll_timeout).min();
        let has_frames = self.peers.values().any(Peer::has_relayed);
        let paced = if has_frames { self.pacer.next_at(self.now) } else { None };
        let rooms = self.rooms.next_deadline();
        let due = [request, self.watches.next_deadline(), peers, paced, rooms];
        let due = due.into_iter().chain([self.next_heartbeat(), self.ending.until()]);
        due.flatten().min()
    }

    /// Sends a message to the server. Nothing is sent before the welcome.
    fn send(&mut self, message: ClientMessage) {
        if self.state == ConnectionState::Ready {
            self.flush();
            self.outputs.push_back(Output::Send(message));
        }
    }

    fn answer(&mut self, call: CallId, answer: Answer) {
        self.outputs.push_back(Output::Answered(call, answer));
    }

    fn event(&mut self, event: ClientEvent) {
        self.outputs.push_back(Output::Event(event));
    }

    fn timeout(&mut self, now: Instant) {
        self.expire_requests(now);
        self.expire_watches(now);
        self.expire_rooms(now);
        self.every_peer(&peer::Input::Timeout, now);
        self.watch_connection(now);
    }

    /// Notes that the server has answered a ping.
    fn measured(&mut self, req: ReqId, now: Instant) {
        if let Some((_, asked)) = self.asked.take_if(|(asked, _)| *asked == req) {
            let time = now.saturating_duration_since(asked);
            self.server_rtt = Some(time);
            self.doubt = None;
            self.every_peer(&peer::Input::Server(ServerEvent::Answered(time)), now);
        }
    }
}
