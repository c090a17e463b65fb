//! What was asked of the server, and what it says.

use std::time::Instant;

use serde_json::Value;

use super::{Answer, Command, Complaint, Endpoint, EndpointEvent, Output, connection::State};
use crate::{
    ClientId, ClientMessage, Code, EndReason, PairingId, Path, Refusal, ReqId, ServerMessage,
    limits::{JSON_DEPTH, REGISTER_PAYLOAD_BYTES},
    negotiation,
    session::{self, CallId},
    wire,
};

/// A request that waits for its answer, or for a connection on which it can be asked.
#[derive(Debug)]
pub(super) struct Pending {
    call: CallId,
    wish: Wish,
    pub(super) deadline: Instant,
}

/// What is asked of the server. Each may be asked again on another connection: it comes to the
/// same.
#[derive(Clone, Debug)]
enum Wish {
    Register { target: ClientId, payload: Option<Value> },
    Unregister,
    List,
}

impl Wish {
    fn message(self, req: ReqId) -> ClientMessage {
        let req = Some(req);
        match self {
            Self::Register { target, payload } => ClientMessage::Register { req, target, payload },
            Self::Unregister => ClientMessage::Unregister { req },
            Self::List => ClientMessage::List { req },
        }
    }
}

impl Endpoint {
    pub(super) fn next_req(&mut self) -> ReqId {
        self.last_req += 1;
        self.last_req
    }

    fn request(&mut self, call: CallId, wish: Wish, deadline: Instant) {
        if !self.welcomed {
            return self.answer(call, Answer::Closed);
        }
        let req = self.next_req();
        self.send(wish.clone().message(req));
        self.requests.insert(req, Pending { call, wish, deadline });
    }

    /// Asks again what was not answered on an earlier connection, unless the welcome was the
    /// answer.
    pub(super) fn ask_again(&mut self, now: Instant) {
        for Pending { call, wish, deadline } in std::mem::take(&mut self.requests).into_values() {
            let paired = self.pairing().cloned();
            match (&wish, paired) {
                (Wish::Register { target, .. }, Some(info)) if info.partner == *target => {
                    self.answer(call, Answer::Registered(info));
                }
                (Wish::Unregister, None) => self.answer(call, Answer::Unregistered),
                (Wish::Register { target, .. }, _) if self.is_forgotten() => {
                    let answer = self.answer_while_forgotten(target);
                    self.answer(call, answer);
                }
                (Wish::Unregister, _) if self.is_forgotten() => {
                    self.part(EndReason::Unregistered, now);
                    self.answer(call, Answer::Unregistered);
                }
                _ => self.request(call, wish, deadline),
            }
        }
    }

    pub(super) fn command(&mut self, command: Command, now: Instant) {
        match command {
            Command::Register { call, payload: Some(payload), .. } if is_too_large(&payload) => {
                self.answer(call, Answer::Refused(Code::TooLarge.into()));
            }
            Command::Register { call, target, .. } if self.is_forgotten() => {
                let answer = self.answer_while_forgotten(&target);
                self.answer(call, answer);
            }
            Command::Unregister { call, .. } if self.is_forgotten() => {
                self.part(EndReason::Unregistered, now);
                self.answer(call, Answer::Unregistered);
            }
            Command::Register { call, target, payload, deadline } => {
                self.request(call, Wish::Register { target, payload }, deadline);
            }
            Command::Unregister { call, deadline } => {
                self.request(call, Wish::Unregister, deadline);
            }
            Command::List { call, deadline } => self.request(call, Wish::List, deadline),
            Command::Emit { call, pairing, event, args, reply_by, expires, via } => {
                self.emit((call, pairing), event, args, (reply_by, expires, via), now);
            }
            Command::Cancel(call) => {
                self.requests.retain(|_, pending| pending.call != call);
                self.session(session::Input::Cancelled(call), now);
            }
            Command::NetworkChanged => {
                self.negotiation(negotiation::Input::NetworkChanged, now);
                self.ask_for_life(now);
            }
            Command::Close => {
                self.send(ClientMessage::Leave); // After what was said to be sent.
                self.close(now);
            }
        }
    }

    /// Answers the request with this number, if it waits.
    fn resolve(&mut self, req: Option<ReqId>, answer: Answer) -> bool {
        let pending = req.and_then(|req| self.requests.remove(&req));
        let waited = pending.is_some();
        if let Some(Pending { call, .. }) = pending {
            self.answer(call, answer);
        }
        waited
    }

    pub(super) fn received(&mut self, message: ServerMessage, now: Instant) {
        let may_come_first = matches!(
            message,
            ServerMessage::Welcome(_)
                | ServerMessage::Error { .. }
                | ServerMessage::Farewell { .. }
        );
        if self.state != State::Ready && !may_come_first {
            let refusal =
                Refusal::new(Code::BadEvent, "the server did not speak its welcome first");
            let complaint = Complaint::Server(refusal);
            return self.outputs.push_back(Output::Complain(complaint));
        }
        match message {
            ServerMessage::Welcome(welcome) => self.welcome(welcome, now),
            ServerMessage::Register { req, source, .. } if self.is_forgotten() => {
                self.asked_while_forgotten(req, &source);
            }
            ServerMessage::Register { req, source, payload } => {
                self.outputs.push_back(Output::Ask { req, source, payload });
            }
            ServerMessage::Registered { req, pairing } => {
                self.paired(pairing.clone(), now);
                self.resolve(req, Answer::Registered(pairing));
            }
            ServerMessage::RegisterFailed { req: Some(req), refusal } if self.asserts(req) => {
                self.not_granted(refusal.code, now);
            }
            ServerMessage::RegisterFailed { req, refusal } => {
                self.resolve(req, Answer::Refused(refusal));
            }
            ServerMessage::Disconnect { pairing, reason, req } => {
                if self.known_pairing() == Some(pairing) {
                    self.disconnected(reason, now);
                }
                self.resolve(req, Answer::Unregistered);
            }
            ServerMessage::Partner { pairing, state } => {
                if self.pairing().is_some_and(|info| info.id == pairing) {
                    self.partner_is(state, now);
                }
            }
            ServerMessage::Clients { req, clients } => {
                self.resolve(req, Answer::Clients(clients));
            }
            ServerMessage::Error { refusal, req, pairing } => {
                self.refused(refusal, req, pairing, now);
            }
            ServerMessage::SignalRefused { refusal, .. } => self.signal_refused(refusal),
            ServerMessage::Farewell { refusal } => {
                self.event(EndpointEvent::Refused(refusal));
                self.close(now);
            }
            ServerMessage::Pong { req } => self.measured(req, now),
            ServerMessage::Withdrawn { .. }
            | ServerMessage::Unregistered { .. }
            | ServerMessage::Ghost => {}
        }
    }

    fn refused(
        &mut self,
        refusal: Refusal,
        req: Option<ReqId>,
        pairing: Option<PairingId>,
        now: Instant,
    ) {
        if req.is_some() {
            // Nothing to end is as good as ended.
            let answer = match refusal.code {
                Code::NotPaired => Answer::Unregistered,
                _ => Answer::Refused(refusal),
            };
            self.resolve(req, answer);
            return;
        }
        let present = self.pairing().map(|info| info.id);
        match refusal.code {
            // The relay dropped frames: they stay in the window and go again.
            Code::Congested | Code::RateLimited | Code::Offline
                if pairing.is_some() && pairing == present =>
            {
                self.queue.clear();
                self.session(session::Input::Refused(Path::Relay), now);
            }
            // Frames that were under way when the pairing ended.
            Code::StalePairing | Code::NotPaired => {}
            Code::BadArgs | Code::BadEvent => {
                self.outputs.push_back(Output::Complain(Complaint::Server(refusal)));
            }
            _ => self.event(EndpointEvent::Refused(refusal)),
        }
    }

    pub(super) fn expire_requests(&mut self, now: Instant) {
        let due = self.requests.extract_if(.., |_, pending| pending.deadline <= now);
        for (_, Pending { call, .. }) in due.collect::<Vec<_>>() {
            self.answer(call, Answer::TimedOut);
        }
    }

    pub(super) fn close_requests(&mut self) {
        for Pending { call, .. } in std::mem::take(&mut self.requests).into_values() {
            self.answer(call, Answer::Closed);
        }
    }
}

/// Whether a payload is one that the server would not even read.
fn is_too_large(payload: &Value) -> bool {
    let text = payload.to_string();
    // Around it there are the fields of the request and the arguments of the event.
    text.len() > REGISTER_PAYLOAD_BYTES || wire::depth(&text) + 2 > JSON_DEPTH
}
