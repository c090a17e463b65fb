//! The server's messages, and the answers to what the server asks.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::{
    Answer, Client, ClientEvent, Complaint, ConnectFailure, Output, QuestionId,
    connection::ConnectionState,
};
use crate::{
    ClientId, ClientMessage, Code, PairingId, Refusal, ReqId, ServerMessage,
    limits::QUESTIONS,
    peer::{self, ServerEvent},
    planted::{self, Fault},
};

impl Client {
    pub(super) fn received(&mut self, message: ServerMessage, now: Instant) {
        let may_come_first = matches!(
            message,
            ServerMessage::Welcome(_)
                | ServerMessage::Error { .. }
                | ServerMessage::Farewell { .. }
        );
        if self.state != ConnectionState::Ready && !may_come_first {
            let refusal =
                Refusal::new(Code::BadEvent, "the server sent a message before its welcome");
            let complaint = Complaint::Server(refusal);
            return self.outputs.push_back(Output::Complain(complaint));
        }
        match message {
            ServerMessage::Welcome(welcome) => self.welcome(welcome, now),
            // The server answers it when this client leaves.
            ServerMessage::Register { .. } if self.ending.closes() => {}
            ServerMessage::Register { req, source, payload, consent_time } => {
                match self.forgotten_peer() {
                    Some(key) => self.asked_while_forgotten(key, req, &source),
                    None => self.ask(req, source, payload, consent_time),
                }
            }
            ServerMessage::Registered { req, pairing } => {
                self.take_reassertion(req);
                let is_unwanted = self.is_withdrawn(req);
                self.paired(pairing.clone(), now);
                self.resolve(req, Answer::Registered(pairing));
                if is_unwanted {
                    self.end_unwanted();
                }
            }
            ServerMessage::RegisterFailed { req, refusal, .. } => {
                match self.take_reassertion(req) {
                    Some(key) => {
                        let event = ServerEvent::NotGranted(refusal.code);
                        self.peer(key, peer::Input::Server(event), now);
                    }
                    None => {
                        self.resolve(req, Answer::Refused(refusal));
                    }
                }
            }
            ServerMessage::Disconnect { pairing, reason, req } => {
                if let Some(key) = self.knows_as(pairing) {
                    let input = match self.rooms.has(key) {
                        true => peer::Input::Ended(reason), // It is not reasserted.
                        false => peer::Input::Server(ServerEvent::Ended(reason)),
                    };
                    self.peer(key, input, now);
                }
                self.resolve(req, Answer::Unregistered);
            }
            ServerMessage::Partner { pairing, state } => {
                if let Some(key) = self.knows_as(pairing) {
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
                self.event(if self.is_connecting() {
                    ClientEvent::ConnectError(ConnectFailure::Refused(refusal))
                } else {
                    ClientEvent::Refused(refusal)
                });
                self.close(now);
            }
            ServerMessage::Joined { req, state } => self.joined(req, state, now),
            ServerMessage::Member { room, pairing } => self.told_member(room, pairing, now),
            ServerMessage::Exited { room, reason, .. } => self.told_exited(&room, reason, now),
            ServerMessage::Line { req, place } => self.told_place(req, place),
            ServerMessage::Target { req, state } => self.told_target(req, state),
            ServerMessage::Pong { req } => self.measured(req, now),
            ServerMessage::Withdrawn { .. }
            | ServerMessage::Unregistered { .. }
            | ServerMessage::EndedWhileAway => {}
        }
    }

    fn refused(
        &mut self,
        refusal: Refusal,
        req: Option<ReqId>,
        pairing: Option<PairingId>,
        now: Instant,
    ) {
        if let Some(key) = self.take_reassertion(req) {
            let event = ServerEvent::NotGranted(refusal.code);
            return self.peer(key, peer::Input::Server(event), now);
        }
        if self.watch_refused(req, &refusal) || self.join_refused(req, &refusal, now) {
            return;
        }
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
            // Frames that were under way when the pairing ended.
            (Code::StalePairing | Code::NotPaired, _) => {}
            // The relay dropped frames: they stay in the window and are sent again.
            (code, Some(key)) if code.is_retryable() => {
                self.peer(key, peer::Input::RelayRefused, now);
            }
            (Code::Other(_), Some(key)) => {
                self.outputs.push_back(Output::Complain(Complaint::Refused(refusal)));
                self.peer(key, peer::Input::RelayRefused, now);
            }
            // It will never relay them, and whatever follows waits for them.
            (_, Some(key)) => {
                self.event(ClientEvent::Refused(refusal));
                self.peer(key, peer::Input::Undeliverable, now);
            }
            (Code::BadArgs | Code::BadEvent, None) => {
                self.outputs.push_back(Output::Complain(Complaint::Refused(refusal)));
            }
            (_, None) => self.event(ClientEvent::Refused(refusal)),
        }
    }

    /// Reports a signal that was refused. The attempt that needs it fails, and is tried again.
    fn signal_refused(&mut self, refusal: Refusal) {
        // One that was under way when the pairing ended is not missed.
        if !matches!(refusal.code, Code::StalePairing | Code::NotPaired) {
            self.outputs.push_back(Output::Complain(Complaint::Refused(refusal)));
        }
    }

    /// Answers a request that a server makes which has forgotten this client's pairing.
    fn asked_while_forgotten(&mut self, key: PairingId, req: ReqId, source: &ClientId) {
        let Some(partner) = self.partner_of(key).cloned() else { return };
        self.send(match partner == *source {
            true => ClientMessage::Accept { req: Some(req) },
            false => ClientMessage::Reserve { req, partner },
        });
    }

    /// Returns the peer whose reassertion has this number, which was answered.
    fn take_reassertion(&mut self, req: Option<ReqId>) -> Option<PairingId> {
        self.reassertions.remove(&req?)
    }

    /// Asks the application for its consent. The number is the client's own: the application may
    /// still think about a question of an earlier connection.
    fn ask(
        &mut self,
        asked: ReqId,
        source: ClientId,
        payload: Option<Value>,
        consent_time: Duration,
    ) {
        if self.questions.len() == QUESTIONS {
            self.questions.pop_front();
        }
        self.last_question += 1;
        let own = self.last_question;
        let question = if planted::is(Fault::AnswerFormerServer) { asked } else { own };
        self.questions.push_back((question, asked));
        self.outputs.push_back(Output::Ask { question, source, payload, consent_time });
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
}
