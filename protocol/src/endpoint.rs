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

mod requests;

use std::{
    collections::{BTreeMap, VecDeque},
    time::Instant,
};

use serde_json::Value;

use self::requests::Pending;
use crate::{
    Args, Cause, ClientEntry, ClientId, ClientMessage, Code, EndReason, Frame, Outcome, PairingId,
    PairingInfo, Refusal, ReqId, Route, ServerMessage, Session, Welcome,
    limits::{BATCH_BYTES, BATCH_FRAMES, HEARTBEAT_INTERVAL, HEARTBEAT_TIMEOUT, Limits},
    session::{self, CallId, Delivery, Violation},
    wire::{self, WireError},
};

/// Bytes of a relayed message beside the arguments that it carries: names, numbers, punctuation.
const FRAME_OVERHEAD: usize = 1024;

/// What happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// The server said something.
    Received(ServerMessage),
    /// The server relayed frames.
    Frames(PairingId, Vec<Frame>),
    /// The server said something that cannot be read.
    Garbled(WireError),
    /// The host reports an error that may be the end of the connection.
    Suspected,
    /// The connection is gone.
    Lost,
    /// The application wants something.
    Command(Command),
    /// The application answers [`Output::Ask`]: yes, or no and why.
    Answer(ReqId, Result<(), Option<String>>),
    /// A handler is done: pairing and number of its delivery, and what it returned.
    Finished(PairingId, u64, Result<Args, Refusal>),
    /// Some deadline may be due.
    Timeout,
}

/// What an application wants. Each is answered once, with [`Output::Answered`].
#[derive(Clone, Debug)]
pub enum Command {
    /// To be paired: answered with [`Answer::Registered`].
    Register {
        /// Whose wish it is.
        call: CallId,
        /// With whom.
        target: ClientId,
        /// For the target's decision.
        payload: Option<Value>,
        /// When it must be answered.
        deadline: Instant,
    },
    /// Not to be paired: answered with [`Answer::Unregistered`].
    Unregister {
        /// Whose wish it is.
        call: CallId,
        /// When it must be answered.
        deadline: Instant,
    },
    /// The list of clients: answered with [`Answer::Clients`].
    List {
        /// Whose wish it is.
        call: CallId,
        /// When it must be answered.
        deadline: Instant,
    },
    /// An event for the partner: answered with [`Answer::Outcome`], or with [`Answer::Sent`] if
    /// no reply is wanted. Only while [`Endpoint::takes_emits`].
    Emit {
        /// Whose wish it is.
        call: CallId,
        /// The event's name.
        event: String,
        /// For the partner's handler.
        args: Args,
        /// When the reply must be there; none if none is wanted.
        reply_by: Option<Instant>,
    },
    /// The caller no longer wants to know.
    Cancel(CallId),
    /// Nothing more.
    Close,
}

/// What became of a [`Command`].
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Paired.
    Registered(PairingInfo),
    /// Not paired any more.
    Unregistered,
    /// The clients there are.
    Clients(Vec<ClientEntry>),
    /// The event is on its way.
    Sent,
    /// What became of an acknowledged emit, or of any that was not sent.
    Outcome(Outcome),
    /// The server said no.
    Refused(Refusal),
    /// The server said nothing in time.
    TimedOut,
    /// There is no connection any more, or the server has not said its welcome yet.
    Closed,
}

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Tell the server something.
    Send(ClientMessage),
    /// Have the server relay frames.
    SendFrames(PairingId, Vec<Frame>),
    /// Tell the caller.
    Answered(CallId, Answer),
    /// Ask the application whether it wants to be paired, and answer with [`Input::Answer`].
    Ask {
        /// The server's number for it.
        req: ReqId,
        /// Who asks.
        source: ClientId,
        /// What it says about it.
        payload: Option<Value>,
    },
    /// Run a handler, and say [`Input::Finished`] when it is done.
    Deliver(PairingId, Delivery),
    /// Tell the application.
    Event(EndpointEvent),
    /// The partner, or the server, breaks the rules; what it sent was dropped.
    Complain(Complaint),
    /// Close the connection; nothing more will follow.
    Close,
}

/// What an application may want to know.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum EndpointEvent {
    /// The server's welcome: the client can be used.
    Connected(Welcome),
    /// Paired.
    Paired(PairingInfo),
    /// Not paired any more.
    Unpaired {
        /// The pairing that ended.
        pairing: PairingInfo,
        /// Why.
        reason: EndReason,
    },
    /// The connection of the partner went or came back.
    Partner(crate::Presence),
    /// The server refused something that nobody waits for.
    Refused(Refusal),
    /// The connection is gone.
    Disconnected,
}

/// Who breaks which rule.
#[derive(Clone, Debug, PartialEq)]
pub enum Complaint {
    /// The partner.
    Partner(Violation),
    /// The server, or something between.
    Server(Refusal),
}

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
        self.paired
            .as_ref()
            .is_none_or(|paired| paired.session.has_room())
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
                self.outputs
                    .push_back(Output::Complain(Complaint::Server(error.refusal)));
            }
            Input::Suspected => self.ask_for_life(now),
            Input::Lost => self.lost(),
            Input::Command(command) => self.command(command, now),
            Input::Answer(req, verdict) => self.send(match verdict {
                Ok(()) => ClientMessage::Accept { req: Some(req) },
                Err(reason) => ClientMessage::Decline {
                    req: Some(req),
                    reason,
                },
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
        let session = self
            .paired
            .as_ref()
            .and_then(|paired| paired.session.poll_timeout());
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

    /// Sends the frames that were collected.
    fn flush(&mut self) {
        if let Some(paired) = &self.paired
            && !self.batch.is_empty()
        {
            let frames = std::mem::take(&mut self.batch);
            self.outputs
                .push_back(Output::SendFrames(paired.info.id, frames));
        }
        self.batch_bytes = 0;
    }

    /// Collects a frame. One that does not fit goes after those that did.
    fn collect(&mut self, frame: Frame) {
        let size = frame.body.size();
        if self.batch.len() == BATCH_FRAMES || self.batch_bytes + size > BATCH_BYTES {
            self.flush();
        }
        self.batch_bytes += size;
        self.batch.push(frame);
    }

    fn session(&mut self, input: session::Input, now: Instant) {
        let Some(paired) = &mut self.paired else {
            return;
        };
        let pairing = paired.info.id;
        paired.session.handle(input, now);
        while let Some(output) = self.paired.as_mut().and_then(|p| p.session.poll_output()) {
            match output {
                session::Output::Send(_, frame) => self.collect(frame),
                session::Output::Deliver(delivery) => {
                    self.outputs.push_back(Output::Deliver(pairing, delivery));
                }
                session::Output::Resolved(call, outcome) => {
                    self.answer(call, Answer::Outcome(outcome));
                }
                session::Output::Violation(violation) => {
                    self.outputs
                        .push_back(Output::Complain(Complaint::Partner(violation)));
                }
            }
        }
    }

    fn frames(&mut self, pairing: PairingId, frames: Vec<Frame>, now: Instant) {
        if self.pairing().is_some_and(|info| info.id == pairing) {
            for frame in frames {
                self.session(session::Input::Received(Route::Relay, frame), now);
            }
        }
    }

    fn finished(
        &mut self,
        pairing: PairingId,
        seq: u64,
        result: Result<Args, Refusal>,
        now: Instant,
    ) {
        if self.pairing().is_none_or(|info| info.id != pairing) {
            return;
        }
        let result = result.and_then(|args| match self.check_size(&args) {
            Ok(()) => Ok(args),
            Err(code) => Err(Refusal::new(code, "the handler's reply is too large")),
        });
        self.session(session::Input::Finished(seq, result), now);
    }

    /// Whether the relay takes a frame with these arguments.
    fn check_size(&self, args: &Args) -> Result<(), Code> {
        let Limits {
            frame_bytes,
            json_depth,
            ..
        } = self.limits;
        // Around the arguments there are those of the event, and the frame.
        let deep = wire::depth(args.as_json()) + 3 > json_depth;
        if deep || args.size() + FRAME_OVERHEAD > frame_bytes {
            return Err(Code::TooLarge);
        }
        Ok(())
    }

    fn emit(
        &mut self,
        call: CallId,
        event: String,
        args: Args,
        reply_by: Option<Instant>,
        now: Instant,
    ) {
        let checked = match &self.paired {
            None => Err(Code::NotPaired),
            Some(_) => wire::check_event(&event).and_then(|()| self.check_size(&args)),
        };
        let checked = checked.and_then(|()| match reply_by {
            Some(deadline) if deadline <= now => Err(Code::Timeout),
            _ if !self.takes_emits() => Err(Code::Congested),
            _ => Ok(()),
        });
        if let Err(code) = checked {
            return self.answer(
                call,
                Answer::Outcome(Outcome::NotExecuted(Cause::Code(code))),
            );
        }
        let call_and_deadline = reply_by.map(|deadline| (call, deadline));
        self.session(
            session::Input::Emit {
                event,
                args,
                call: call_and_deadline,
            },
            now,
        );
        if reply_by.is_none() {
            self.answer(call, Answer::Sent);
        }
    }

    fn paired(&mut self, info: PairingInfo, now: Instant) {
        if self.pairing() == Some(&info) {
            return; // The answer to a wish that was fulfilled already.
        }
        self.unpaired(EndReason::Replaced, now);
        self.paired = Some(Paired {
            info: info.clone(),
            session: Session::new(),
        });
        self.session(session::Input::Opened(Route::Relay), now);
        self.event(EndpointEvent::Paired(info));
    }

    fn unpaired(&mut self, reason: EndReason, now: Instant) {
        self.session(session::Input::Ended(reason), now);
        if let Some(Paired { info, .. }) = self.paired.take() {
            self.batch.clear();
            self.event(EndpointEvent::Unpaired {
                pairing: info,
                reason,
            });
        }
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
