//! A client's half of the protocol: its connection, its requests, consent, and the session of its
//! pairing.
//!
//! ```text
//!   Connecting ── welcome ──► Ready: Free ◄──────────► Paired (with a Session)
//!       ▲   │                   │        registered /      │
//!       │   │                   │        disconnect        │
//!       │   └─── lost, silent ──┴─────────────┬────────────┘
//!     opened                                  ▼
//!       └──────────────────────────────────  Away: session and requests wait for the next connection
//!                                             │ given up, closed, removed by the server
//!                                             ▼
//!                                           Closed: every call has been answered
//! ```
//!
//! No IO, no clock: feed it with [`Endpoint::handle`], carry out what [`Endpoint::poll_output`]
//! says, and come back with [`Input::Timeout`] when [`Endpoint::poll_timeout`] is due. Frames are
//! collected into batches while inputs are fed, so feed all that are there before polling.

mod connection;
mod direct;
mod interface;
mod pace;
mod pairing;
mod requests;
mod standing;

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

pub use self::interface::{
    Answer, Command, Complaint, EndpointConfig, EndpointEvent, Input, Output,
};
use self::{connection::State, pace::Pace, requests::Pending, standing::Tie};
use crate::{
    ClientMessage, Frame, Negotiation, PairingId, PairingInfo, Path, PathPolicy, ReqId,
    ResumeToken, Session,
    limits::Limits,
    negotiation,
    session::{self, CallId},
};

#[derive(Debug)]
struct Paired {
    info: PairingInfo,
    session: Session,
    /// The direct path, where one may be tried.
    direct: Option<Negotiation>,
    /// The path of which the application was told last. It takes the first for granted.
    told: Option<Path>,
    /// What the server knows of it.
    tie: Tie,
    /// The names that the server had for it before.
    former: VecDeque<PairingId>,
}

impl Paired {
    /// Whether this is a name of it, or was one.
    fn is(&self, pairing: PairingId) -> bool {
        self.info.id == pairing || self.former.contains(&pairing)
    }
}

/// A client's half of the protocol. See the [module's page](self).
#[derive(Debug)]
pub struct Endpoint {
    config: EndpointConfig,
    state: State,
    /// Whether a server has welcomed it, ever: before that there is nothing to come back to.
    welcomed: bool,
    /// What it shows on its next connection.
    token: Option<ResumeToken>,
    limits: Limits,
    last_req: ReqId,
    requests: BTreeMap<ReqId, Pending>,
    paired: Option<Paired>,
    /// Frames that wait for others to go with them, or for the pace that the server asks for. All
    /// but acknowledgements are in the session's window, which bounds them.
    queue: VecDeque<Frame>,
    pace: Pace,
    now: Instant,
    last_heard: Instant,
    last_asked: Instant,
    /// The question whose answer is awaited, and how long the last took.
    asked: Option<(ReqId, Instant)>,
    server_rtt: Option<Duration>,
    outputs: VecDeque<Output>,
}

impl Endpoint {
    /// An endpoint whose connection has just been made.
    #[must_use]
    pub fn new(config: EndpointConfig, now: Instant) -> Self {
        Self {
            config,
            state: State::Connecting,
            welcomed: false,
            token: None,
            limits: Limits::default(),
            last_req: 0,
            requests: BTreeMap::new(),
            paired: None,
            queue: VecDeque::new(),
            pace: Pace::default(),
            now,
            last_heard: now,
            last_asked: now,
            asked: None,
            server_rtt: None,
            outputs: VecDeque::new(),
        }
    }

    /// The present pairing.
    #[must_use]
    pub fn pairing(&self) -> Option<&PairingInfo> {
        self.paired.as_ref().map(|paired| &paired.info)
    }

    /// Whether [`Command::Emit`] may be given now; if not, it waits with its caller.
    #[must_use]
    pub fn takes_emits(&self) -> bool {
        // What can never go is told at once.
        self.paired.as_ref().is_none_or(|paired| {
            paired.session.has_room()
                || (paired.direct.is_none() && self.config.direct.policy == PathPolicy::DirectOnly)
        })
    }

    /// Takes note of what happened.
    pub fn handle(&mut self, input: Input, now: Instant) {
        self.now = now;
        if self.state == State::Closed {
            return self.handle_after_close(input);
        }
        match input {
            Input::Received(message) => {
                self.last_heard = now;
                self.received(message, now);
            }
            Input::Frames(pairing, frames) => {
                self.last_heard = now;
                self.frames(pairing, frames, now);
            }
            Input::Garbled(error) => {
                self.last_heard = now;
                self.outputs.push_back(Output::Complain(Complaint::Server(error.refusal)));
            }
            Input::Signalled(pairing, signal) => {
                self.last_heard = now;
                self.signalled(pairing, &signal, now);
            }
            Input::Link(link, event) => {
                self.negotiation(negotiation::Input::Link(link, event), now);
            }
            Input::Direct(link, message) => self.heard_directly(link, message, now),
            Input::AddressesChanged => {
                self.negotiation(negotiation::Input::AddressesChanged, now);
            }
            Input::Suspected => self.ask_for_life(now),
            Input::Lost => self.lost(now),
            Input::Opened => self.opened(now),
            Input::Rejected(code) => self.rejected(code, now),
            Input::GaveUp => self.close(now),
            Input::Command(command) => self.command(command, now),
            Input::Answer(req, verdict) => self.send(match verdict {
                Ok(()) => ClientMessage::Accept { req: Some(req) },
                Err(reason) => ClientMessage::Decline { req: Some(req), reason },
            }),
            Input::Finished(pairing, seq, result) => self.finished(pairing, seq, result, now),
            Input::Timeout => self.timeout(now),
        }
        self.tell_path();
    }

    /// The next thing to do, if any.
    pub fn poll_output(&mut self) -> Option<Output> {
        if self.outputs.is_empty() {
            self.flush();
        }
        self.outputs.pop_front()
    }

    /// When [`Input::Timeout`] is due, if ever.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.state == State::Closed {
            return None;
        }
        let request = self.requests.values().map(|pending| pending.deadline).min();
        let session = self.paired.as_ref().and_then(|paired| paired.session.poll_timeout());
        let paced = if self.queue.is_empty() { None } else { self.pace.next_at(self.now) };
        let direct = self.paired.as_ref().and_then(|paired| paired.direct.as_ref()?.poll_timeout());
        let due = [request, session, paced, direct, self.next_heartbeat(), self.next_assertion()];
        due.into_iter().flatten().min()
    }

    /// Tells the server something. Nothing is sent without a welcome.
    fn send(&mut self, message: ClientMessage) {
        if self.state == State::Ready {
            self.flush();
            self.outputs.push_back(Output::Send(message));
        }
    }

    fn answer(&mut self, call: CallId, answer: Answer) {
        self.outputs.push_back(Output::Answered(call, answer));
    }

    fn event(&mut self, event: EndpointEvent) {
        self.outputs.push_back(Output::Event(event));
    }

    fn timeout(&mut self, now: Instant) {
        self.expire_requests(now);
        self.session(session::Input::Timeout, now);
        self.negotiation(negotiation::Input::Timeout, now);
        self.assert_pairing(now);
        self.watch_connection(now);
    }
}
