//! A client's half of the protocol: its connection, its requests, consent, and the session of its
//! pairing.
//!
//! ```text
//!   Connecting ── welcome ──► Ready: Free ◄──────────► Paired (with a Session)
//!       │                       │        registered /      │
//!       │                       │        disconnect        │
//!       └──── lost, silent ─────┴──────────┬───────────────┘
//!                                          ▼
//!                                       Closed: every call has been answered
//! ```
//!
//! No IO, no clock: feed it with [`Endpoint::handle`], carry out what [`Endpoint::poll_output`]
//! says, and come back with [`Input::Timeout`] when [`Endpoint::poll_timeout`] is due. Frames are
//! collected into batches while inputs are fed, so feed all that are there before polling.

mod interface;
mod pairing;
mod requests;

use std::{
    collections::{BTreeMap, VecDeque},
    time::Instant,
};

pub use self::interface::{Answer, Command, Complaint, EndpointEvent, Input, Output};
use self::requests::Pending;
use crate::{
    Cause, ClientMessage, Code, EndReason, Frame, Outcome, PairingInfo, ReqId, Session,
    limits::{HEARTBEAT_INTERVAL, HEARTBEAT_TIMEOUT, Limits},
    session::{self, CallId},
};

#[derive(Debug, Eq, PartialEq)]
enum State {
    Connecting,
    Ready,
    Closed,
}

#[derive(Debug)]
struct Paired {
    info: PairingInfo,
    session: Session,
}

/// A client's half of the protocol. See the [module's page](self).
#[derive(Debug)]
pub struct Endpoint {
    state: State,
    limits: Limits,
    last_req: ReqId,
    requests: BTreeMap<ReqId, Pending>,
    paired: Option<Paired>,
    /// Frames that wait for others to go with them; never left when a poll says there is nothing.
    batch: Vec<Frame>,
    batch_bytes: usize,
    last_heard: Instant,
    last_asked: Instant,
    outputs: VecDeque<Output>,
}

impl Endpoint {
    /// An endpoint whose connection has just been made.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            state: State::Connecting,
            limits: Limits::default(),
            last_req: 0,
            requests: BTreeMap::new(),
            paired: None,
            batch: Vec::new(),
            batch_bytes: 0,
            last_heard: now,
            last_asked: now,
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
        self.paired.as_ref().is_none_or(|paired| paired.session.has_room())
    }

    /// Takes note of what happened.
    pub fn handle(&mut self, input: Input, now: Instant) {
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
            Input::Suspected => self.ask_for_life(now),
            Input::Lost => self.lost(),
            Input::Command(command) => self.command(command, now),
            Input::Answer(req, verdict) => self.send(match verdict {
                Ok(()) => ClientMessage::Accept { req: Some(req) },
                Err(reason) => ClientMessage::Decline { req: Some(req), reason },
            }),
            Input::Finished(pairing, seq, result) => self.finished(pairing, seq, result, now),
            Input::Timeout => self.timeout(now),
        }
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
        let heartbeat = Some(self.next_heartbeat());
        [request, session, heartbeat].into_iter().flatten().min()
    }

    fn next_heartbeat(&self) -> Instant {
        let lost = self.last_heard + HEARTBEAT_TIMEOUT;
        if self.state == State::Connecting {
            return lost; // Nothing is sent before the welcome.
        }
        lost.min(self.last_heard.max(self.last_asked) + HEARTBEAT_INTERVAL)
    }

    fn send(&mut self, message: ClientMessage) {
        self.flush();
        self.outputs.push_back(Output::Send(message));
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
        if now >= self.last_heard + HEARTBEAT_TIMEOUT {
            return self.lost();
        }
        if now >= self.next_heartbeat() {
            self.ask_for_life(now);
        }
    }

    fn ask_for_life(&mut self, now: Instant) {
        self.last_asked = now;
        if self.state == State::Ready {
            let req = self.next_req();
            self.send(ClientMessage::Ping { req });
        }
    }

    fn lost(&mut self) {
        let reason = EndReason::Disconnected;
        self.unpaired(reason, self.last_heard);
        self.close_requests();
        self.state = State::Closed;
        self.event(EndpointEvent::Disconnected);
        self.outputs.push_back(Output::Close);
    }

    fn handle_after_close(&mut self, input: Input) {
        if let Input::Command(command) = input {
            match command {
                Command::Register { call, .. }
                | Command::Unregister { call, .. }
                | Command::List { call, .. } => self.answer(call, Answer::Closed),
                Command::Emit { call, .. } => {
                    let cause = Cause::Code(Code::Closed);
                    self.answer(call, Answer::Outcome(Outcome::NotExecuted(cause)));
                }
                Command::Cancel(_) | Command::Close => {}
            }
        }
    }
}
