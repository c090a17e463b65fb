//! Requests to the server, and the server's messages.

use std::time::Instant;

use serde_json::Value;

use super::{
    Answer, Client, ClientEvent, Command, Complaint, Output, QuestionId,
    connection::ConnectionState,
};
use crate::{
    ClientId, ClientMessage, Code, EndReason, PairingId, PairingInfo, Refusal, ReqId,
    ServerMessage,
    limits::{JSON_DEPTH, QUESTIONS, REGISTER_PAYLOAD_BYTES},
    peer::{self, Peer, ServerEvent},
    planted::{self, Fault},
    session::CallId,
    wire,
};

/// A request that waits for its answer, or for a connection on which it can be asked.
#[derive(Debug)]
pub(super) struct PendingRequest {
    call: CallId,
    request: ServerRequest,
    pub(super) deadline: Instant,
}

/// A request to the server. Each is idempotent: it may be sent again on another connection.
#[derive(Clone, Debug)]
enum ServerRequest {
    Register { target: ClientId, payload: Option<Value> },
    Unregister,
    List,
}

impl ServerRequest {
    fn message(self, req: ReqId) -> ClientMessage {
        let req = Some(req);
        match self {
            Self::Register { target, payload } => ClientMessage::Register { req, target, payload },
            Self::Unregister => ClientMessage::Unregister { req },
            Self::List => ClientMessage::List { req },
        }
    }
}

impl Client {
    pub(super) fn next_req(&mut self) -> ReqId {
        self.last_req += 1;
        self.last_req
    }

    fn request(&mut self, call: CallId, request: ServerRequest, deadline: Instant) {
        if !self.welcomed {
            return self.answer(call, Answer::Closed);
        }
        let req = self.next_req();
        self.send(request.clone().message(req));
        self.requests.insert(req, PendingRequest { call, request, deadline });
    }

    /// Sends the requests again that were not answered on an earlier connection, unless the welcome
    /// answers them.
    pub(super) fn ask_again(&mut self, now: Instant) {
        for PendingRequest { call, request, deadline } in
            std::mem::take(&mut self.requests).into_values()
        {
            match request {
                ServerRequest::Register { target, payload } => match self.pairing_with(&target) {
                    Some(info) => self.answer(call, Answer::Registered(info)),
                    None => self.register(call, target, payload, deadline),
                },
                ServerRequest::Unregister if self.peers.is_empty() => {
                    self.answer(call, Answer::Unregistered);
                }
                ServerRequest::Unregister => self.end_pairing(call, deadline, now),
                ServerRequest::List => self.request(call, ServerRequest::List, deadline),
            }
        }
    }

    fn pairing_with(&self, partner: &ClientId) -> Option<PairingInfo> {
        let pairings = self.peers.values().map(Peer::pairing);
        pairings.into_iter().find(|info| info.partner == *partner).cloned()
    }

    /// Registers a target. While the server has forgotten a pairing, the answer is the one that the
    /// server would give if it had not.
    fn register(
        &mut self,
        call: CallId,
        target: ClientId,
        payload: Option<Value>,
        deadline: Instant,
    ) {
        if self.forgotten_peer().is_none() {
            return self.request(call, ServerRequest::Register { target, payload }, deadline);
        }
        let answer = match self.pairing_with(&target) {
            Some(info) => Answer::Registered(info),
            None => Answer::Refused(Code::SourceBusy.into()),
        };
        self.answer(call, answer);
    }

    pub(super) fn unregister(&mut self, call: CallId, deadline: Instant, now: Instant) {
        match self.forgotten_peer() {
            Some(key) => {
                self.peer(key, peer::Input::Parted(EndReason::Unregistered), now);
                self.answer(call, Answer::Unregistered);
            }
            None => self.request(call, ServerRequest::Unregister, deadline),
        }
    }

    pub(super) fn command(&mut self, command: Command, now: Instant) {
        if self.ending.closes() && !matches!(command, Command::Cancel(_)) {
            return self.refuse_closed(command);
        }
        match command {
            Command::Register { call, payload: Some(payload), .. } if is_too_large(&payload) => {
                self.answer(call, Answer::Refused(Code::TooLarge.into()));
            }
            Command::Register { call, target, payload, deadline } => {
                self.register(call, target, payload, deadline);
            }
            Command::Unregister { call, deadline } => self.end_pairing(call, deadline, now),
            Command::List { call, deadline } => self.request(call, ServerRequest::List, deadline),
            Command::Emit { call, pairing, event, args, options } => {
                let input = peer::Input::Emit { call, event, args, options };
                self.emit((call, pairing), input, now);
            }
            Command::Cancel(call) => {
                self.requests.retain(|_, pending| pending.call != call);
                self.ending.cancel(call);
                self.every_peer(&peer::Input::Cancelled(call), now);
            }
            Command::NetworkChanged => {
                self.every_peer(&peer::Input::NetworkChanged, now);
                self.ask_for_life(now);
            }
            Command::Close => self.begin_to_close(now),
        }
    }

    /// Answers the request with this number. Returns true if it waited.
    fn resolve(&mut self, req: Option<ReqId>, answer: Answer) -> bool {
        let pending = req.and_then(|req| self.requests.remove(&req));
        let waited = pending.is_some();
        if let Some(PendingRequest { call, .. }) = pending {
            self.answer(call, answer);
        }
        waited
    }

    /// Asks the application for its consent. The number is the client's own: a server that was
    /// restarted uses its numbers again, and the application may still think about an earlier question.
    fn ask(&mut self, asked: ReqId, source: ClientId, payload: Option<Value>) {
        if self.questions.len() == QUESTIONS {
            self.questions.pop_front();
        }
        self.last_question += 1;
        let own = self.last_question;
        let question = if planted::is(Fault::AnswerFormerServer) { asked } else { own };
        self.questions.push_back((question, asked));
        self.outputs.push_back(Output::Ask { question, source, payload });
    }

    /// Sends the application's answer, unless this server did not ask.
    pub(super) fn answer_question(
        &mut self,
        question: QuestionId,
        verdict: Result<(), Option<String>>,
    ) {
        let at = self.questions.iter().position(|(own, _)| *own == question);
        let Some((_, asked)) = at.and_then(|at| self.questions.remove(at)) else { return };
        self.send(match verdict {
            Ok(()) => ClientMessage::Accept { req: Some(asked) },
            Err(reason) => ClientMessage::Decline { req: Some(asked), reason },
        });
    }

    pub(super) fn received(&mut self, message: ServerMessage, now: Instant) {
        let may_come_first = matches!(
            message,
            ServerMessage::Welcome(_)
                | ServerMessage::Error { .. }
                | ServerMessage::Farewell { .. }
        );
        if self.state != ConnectionState::Ready && !may_come_first {
            let refusal =
                Refusal::new(Code::BadEvent, "the server did not speak its welcome first");
            let complaint = Complaint::Server(refusal);
            return self.outputs.push_back(Output::Complain(complaint));
        }
        match message {
            ServerMessage::Welcome(welcome) => self.welcome(welcome, now),
            // The server answers it when this client leaves.
            ServerMessage::Register { .. } if self.ending.closes() => {}
            ServerMessage::Register { req, source, payload } => match self.forgotten_peer() {
                Some(key) => self.asked_while_forgotten(key, req, &source),
                None => self.ask(req, source, payload),
            },
            ServerMessage::Registered { req, pairing } => {
                self.take_reassertion(req);
                self.paired(pairing.clone(), now);
                self.resolve(req, Answer::Registered(pairing));
            }
            ServerMessage::RegisterFailed { req, refusal } => match self.take_reassertion(req) {
                Some(key) => {
                    let event = ServerEvent::NotGranted(refusal.code);
                    self.peer(key, peer::Input::Server(event), now);
                }
                None => {
                    self.resolve(req, Answer::Refused(refusal));
                }
            },
            ServerMessage::Disconnect { pairing, reason, req } => {
                if let Some(key) = self.knows_as(pairing) {
                    self.peer(key, peer::Input::Server(ServerEvent::Ended(reason)), now);
                }
                self.resolve(req, Answer::Unregistered);
            }
            ServerMessage::Partner { pairing, state } => {
                if let Some(key) = self.peer_named(pairing) {
                    self.peer(key, peer::Input::Server(ServerEvent::Partner(state)), now);
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
                self.event(ClientEvent::Refused(refusal));
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
            // A pairing that does not exist counts as ended.
            let answer = match refusal.code {
                Code::NotPaired => Answer::Unregistered,
                _ => Answer::Refused(refusal),
            };
            self.resolve(req, answer);
            return;
        }
        let key = pairing.and_then(|pairing| self.peer_named(pairing));
        match (refusal.code, key) {
            // The relay dropped frames: they stay in the window and are sent again.
            (Code::Congested | Code::RateLimited | Code::Offline, Some(key)) => {
                self.peer(key, peer::Input::RelayRefused, now);
            }
            (Code::Other(_), Some(key)) => {
                self.outputs.push_back(Output::Complain(Complaint::Server(refusal)));
                self.peer(key, peer::Input::RelayRefused, now);
            }
            // Frames that were under way when the pairing ended.
            (Code::StalePairing | Code::NotPaired, _) => {}
            (Code::BadArgs | Code::BadEvent, _) => {
                self.outputs.push_back(Output::Complain(Complaint::Server(refusal)));
            }
            _ => self.event(ClientEvent::Refused(refusal)),
        }
    }

    /// Reports a signal that was refused. The attempt that needs it fails, and is tried again.
    fn signal_refused(&mut self, refusal: Refusal) {
        // One that was under way when the pairing ended is not missed.
        if !matches!(refusal.code, Code::StalePairing | Code::NotPaired) {
            self.outputs.push_back(Output::Complain(Complaint::Server(refusal)));
        }
    }

    /// Answers a request that a server makes which has forgotten this client's pairing.
    fn asked_while_forgotten(&mut self, key: PairingId, req: ReqId, source: &ClientId) {
        let is_partner = self.partner_of(key) == Some(source);
        self.send(if is_partner {
            ClientMessage::Accept { req: Some(req) }
        } else {
            ClientMessage::Decline { req: Some(req), reason: Some("paired".to_owned()) }
        });
    }

    /// Returns the peer whose reassertion has this number, which was answered.
    fn take_reassertion(&mut self, req: Option<ReqId>) -> Option<PairingId> {
        self.reassertions.remove(&req?)
    }

    pub(super) fn expire_requests(&mut self, now: Instant) {
        let due = self.requests.extract_if(.., |_, pending| pending.deadline <= now);
        for (_, PendingRequest { call, .. }) in due.collect::<Vec<_>>() {
            self.answer(call, Answer::TimedOut);
        }
    }

    pub(super) fn close_requests(&mut self) {
        let held = self.ending.take_unregister().into_iter().map(|(call, _)| call);
        let asked = std::mem::take(&mut self.requests).into_values().map(|asked| asked.call);
        for call in held.chain(asked) {
            self.answer(call, Answer::Closed);
        }
    }
}

/// Returns true if the server would not even read a payload.
fn is_too_large(payload: &Value) -> bool {
    let text = payload.to_string();
    // Around it there are the fields of the request and the arguments of the event.
    text.len() > REGISTER_PAYLOAD_BYTES || wire::depth(&text) + 2 > JSON_DEPTH
}
