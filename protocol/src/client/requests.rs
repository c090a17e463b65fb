//! Requests to the server, and the application's commands.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Answer, Client, ClientEvent, Command, connection::ConnectionState};
use crate::{
    ClientId, ClientMessage, Code, EndReason, PairingInfo, ReqId,
    limits::{JSON_DEPTH, REGISTER_PAYLOAD_BYTES, REQUEST_TIMEOUT, VERDICT_SLACK, setting},
    peer::{self, Peer},
    session::CallId,
    wire,
};

/// A request that waits for its answer, or for a connection on which it can be asked.
#[derive(Debug)]
pub(super) struct PendingRequest {
    call: CallId,
    request: ServerRequest,
    pub(super) deadline: Instant,
    /// True once the caller no longer waits, and the server was informed.
    is_cancelled: bool,
}

impl PendingRequest {
    /// Returns true if this is a registration that may wait in line.
    fn may_wait(&self) -> bool {
        matches!(&self.request, ServerRequest::Register(asked) if asked.wait_until.is_some())
    }
}

/// A request to the server. Each is idempotent: it may be sent again on another connection.
#[derive(Clone, Debug)]
enum ServerRequest {
    Register(Registration),
    Unregister,
    List,
}

#[derive(Clone, Debug)]
struct Registration {
    target: ClientId,
    payload: Option<Value>,
    consent_time: Option<Duration>,
    /// The time until which it waits in line.
    wait_until: Option<Instant>,
}

impl ServerRequest {
    fn message(self, req: ReqId, now: Instant) -> ClientMessage {
        let req = Some(req);
        match self {
            Self::Register(Registration { target, payload, consent_time, wait_until }) => {
                let wait = wait_until.map(|until| until.saturating_duration_since(now));
                let wait = wait.filter(|wait| !wait.is_zero());
                ClientMessage::Register { req, target, payload, consent_time, wait }
            }
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
        self.send(request.clone().message(req, self.now));
        let is_cancelled = false;
        self.requests.insert(req, PendingRequest { call, request, deadline, is_cancelled });
    }

    /// Sends the requests again that were not answered on an earlier connection, unless the welcome
    /// answers them.
    pub(super) fn ask_again(&mut self, now: Instant) {
        for PendingRequest { call, request, deadline, is_cancelled } in
            std::mem::take(&mut self.requests).into_values()
        {
            match request {
                ServerRequest::Register(asked) if is_cancelled => {
                    if self.pairing_with(&asked.target).is_some() {
                        self.end_unwanted();
                    }
                }
                ServerRequest::Register(asked) => match self.pairing_with(&asked.target) {
                    Some(info) => self.answer(call, Answer::Registered(info)),
                    None => self.register(call, asked, deadline),
                },
                ServerRequest::Unregister if self.exclusive_peer().is_none() => {
                    self.answer(call, Answer::Unregistered);
                }
                ServerRequest::Unregister => self.end_pairing(call, deadline, now),
                ServerRequest::List => self.request(call, ServerRequest::List, deadline),
            }
        }
        self.watch_again();
    }

    fn pairing_with(&self, partner: &ClientId) -> Option<PairingInfo> {
        let pairing = self.exclusive_peer().map(Peer::pairing);
        pairing.filter(|info| info.partner == *partner).cloned()
    }

    /// Registers a target. While the server has forgotten a pairing, the answer is the one that the
    /// server would give if it had not.
    fn register(&mut self, call: CallId, registration: Registration, deadline: Instant) {
        if self.forgotten_peer().is_none() {
            return self.request(call, ServerRequest::Register(registration), deadline);
        }
        let answer = match self.pairing_with(&registration.target) {
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
            Command::Register { call, target, payload, consent_time, wait, deadline } => {
                let deadline = deadline.unwrap_or_else(|| {
                    let longest = self.limits.consent_time();
                    let consent_time = consent_time.unwrap_or(longest).min(longest);
                    let wait =
                        wait.map_or(Duration::ZERO, |wait| wait.min(self.limits.line_time()));
                    now + wait + consent_time + VERDICT_SLACK
                });
                let wait_until = wait.map(|wait| now + setting(wait));
                let asked = Registration { target, payload, consent_time, wait_until };
                self.register(call, asked, deadline);
            }
            Command::Unregister { call, deadline } => self.end_pairing(call, deadline, now),
            Command::List { call, deadline } => self.request(call, ServerRequest::List, deadline),
            Command::Watch { call, target, deadline } => self.watch(call, target, deadline),
            Command::Join { call, room, most, upgrades, deadline } => {
                self.join((call, deadline), room, most, upgrades);
            }
            Command::Exit { call, room, deadline } => self.exit((call, deadline), room, now),
            Command::Upgrade(room) => self.upgrade_room(&room, now),
            Command::Emit { call, pairing, event, args, options } => {
                let input = peer::Input::Emit { call, event, args, options };
                self.emit((call, pairing), input, now);
            }
            Command::Cancel(call) => {
                self.cancel_request(call);
                self.ending.cancel(call);
                self.cancel_watch(call);
                self.cancel_join(call);
                self.every_peer(&peer::Input::Cancelled(call), now);
            }
            Command::NetworkChanged => {
                self.every_peer(&peer::Input::NetworkChanged, now);
                self.network_changed(now);
            }
            Command::Close => self.begin_to_close(now),
        }
    }

    /// Answers the request with this number. Returns true if it waited.
    pub(super) fn resolve(&mut self, req: Option<ReqId>, answer: Answer) -> bool {
        let pending = req.and_then(|req| self.requests.remove(&req));
        let waited = pending.is_some();
        if let Some(PendingRequest { call, is_cancelled: false, .. }) = pending {
            self.answer(call, answer);
        }
        waited
    }

    pub(super) fn expire_requests(&mut self, now: Instant) {
        let due = self.requests.extract_if(.., |_, pending| pending.deadline <= now);
        for (req, pending) in due.collect::<Vec<_>>() {
            if !pending.is_cancelled {
                self.answer(pending.call, Answer::TimedOut);
                self.withdraw(req, pending);
            }
        }
    }

    /// Forgets a request whose caller no longer waits. A registration is taken back.
    fn cancel_request(&mut self, call: CallId) {
        let of_call = |pending: &PendingRequest| pending.call == call && !pending.is_cancelled;
        let found = self.requests.extract_if(.., |_, pending| of_call(pending)).next();
        if let Some((req, pending)) = found {
            self.withdraw(req, pending);
        }
    }

    /// Takes a registration back. Until the server has answered, it may grant it nevertheless: then the pairing is
    /// ended.
    fn withdraw(&mut self, req: ReqId, pending: PendingRequest) {
        let ServerRequest::Register(asked) = &pending.request else { return };
        // It would only have returned a pairing that stays.
        let is_paired = self.pairing_with(&asked.target).is_some();
        if self.state == ConnectionState::Ready && !is_paired {
            self.send(ClientMessage::Cancel { req });
            let deadline = self.now + REQUEST_TIMEOUT;
            self.requests.insert(req, PendingRequest { deadline, is_cancelled: true, ..pending });
        }
    }

    /// Returns true if this is the number of a registration that was taken back.
    pub(super) fn is_withdrawn(&self, req: Option<ReqId>) -> bool {
        req.and_then(|req| self.requests.get(&req)).is_some_and(|pending| pending.is_cancelled)
    }

    /// Ends a pairing that was granted after its registration was taken back.
    pub(super) fn end_unwanted(&mut self) {
        let req = Some(self.next_req());
        self.send(ClientMessage::Unregister { req });
    }

    /// Returns true if the server may keep a place in line for this client.
    pub(super) fn waits_in_line(&self) -> bool {
        self.requests.values().any(|pending| pending.may_wait() && !pending.is_cancelled)
    }

    /// Reports the place of a registration in the line of its target.
    pub(super) fn told_place(&mut self, req: ReqId, place: usize) {
        let pending = self.requests.get(&req).filter(|pending| !pending.is_cancelled);
        if let Some(PendingRequest { request: ServerRequest::Register(asked), .. }) = pending {
            let target = asked.target.clone();
            self.event(ClientEvent::InLine { target, place });
        }
    }

    pub(super) fn close_requests(&mut self) {
        let held = self.ending.take_unregister().into_iter().map(|(call, _)| call);
        let asked = std::mem::take(&mut self.requests).into_values();
        let asked = asked.filter(|asked| !asked.is_cancelled).map(|asked| asked.call);
        let mut calls: Vec<_> = held.chain(asked).collect();
        calls.sort_unstable(); // As they were made.
        for call in calls {
            self.answer(call, Answer::Closed);
        }
        self.close_watches();
        self.close_joins();
    }
}

/// Returns true if the server would not even read a payload.
fn is_too_large(payload: &Value) -> bool {
    let text = payload.to_string();
    // Around it there are the fields of the request and the arguments of the event.
    text.len() > REGISTER_PAYLOAD_BYTES || wire::depth(&text) + 2 > JSON_DEPTH
}
