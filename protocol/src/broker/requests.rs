//! Registrations: asking, answering, crossing, expiring.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Broken, Broker, BrokerEvent, ClientRecord, Output, Slot, waiting::Request};
use crate::{
    ClientId, Code, Dialect, Refusal, ReqId, ServerMessage, TargetState,
    limits::{INBOX_REQUESTS, LATE_ANSWER_TIME, REPETITIONS, setting},
    planted::{self, Fault},
};

/// Forms of the target's consent.
#[derive(Clone, Copy, Debug)]
pub(super) enum Consent {
    /// It was asked under this number.
    Asked(ReqId),
    /// It asked the source, with a number of its own.
    Crossing(Option<ReqId>),
}

/// The fields of a registration.
pub(super) struct Registering {
    pub(super) req: Option<ReqId>,
    pub(super) target: ClientId,
    pub(super) payload: Option<Value>,
    /// The time that it may wait, if it says so.
    pub(super) consent_time: Option<Duration>,
    /// The time that it waits in line if the target is busy.
    pub(super) wait: Option<Duration>,
}

impl Broker {
    /// The one place that decides who may be paired with whom.
    fn may_pair(&mut self, source: &ClientId, target: &ClientId) -> Result<(), Code> {
        if source == target {
            return Err(Code::SelfTarget);
        }
        let state = self.state_of(target);
        if state == TargetState::Absent {
            return Err(Code::Offline);
        }
        if self.client_mut(source).is_none_or(|source| source.slot != Slot::Free) {
            return Err(Code::SourceBusy);
        }
        let is_here = self.clients.get(target).is_some_and(ClientRecord::is_present);
        let is_ignored = is_here && planted::is(Fault::PairTheBusy);
        if state == TargetState::Busy && !is_ignored {
            return Err(Code::TargetBusy);
        }
        Ok(())
    }

    pub(super) fn register(&mut self, source: &ClientId, registering: Registering, now: Instant) {
        let (req, target) = (registering.req, registering.target.clone());
        if let Some((id, partner)) = self.pairing_of(source)
            && *partner == target
        {
            // Both clients wanted it, and one of them was the slower: the wish is fulfilled.
            if let Some(pairing) = self.info(id, source)
                && let Some(conn) = self.client_mut(source).map(|source| source.conn)
            {
                self.send(conn, ServerMessage::Registered { req, pairing });
            }
            return;
        }
        if self.claim_place(source, &registering, now) {
            return;
        }
        let wait = registering.wait.filter(|_| !self.config.limits.line_time().is_zero());
        match self.may_pair(source, &target) {
            Err(Code::TargetBusy) if wait.is_some() => {}
            Err(code) => return self.answer_no(source, req, target, code.into()),
            Ok(()) => {}
        }
        let Some(&mut ClientRecord { asking: crossing, .. }) = self.client_mut(&target) else {
            return;
        };
        if let Some(crossing) = crossing
            && self.waiting.request(crossing).is_some_and(|request| request.target == *source)
        {
            if self.is_claimed(crossing) {
                self.event(BrokerEvent::Registered { source: source.clone(), target });
                return self.agree(crossing, Consent::Crossing(req), now);
            }
            // The target came back without its wish: it is asked, as if it had never had one.
            self.take_back(&target, Code::Cancelled);
        }
        if self.add_request(source, req, &target) {
            return;
        }
        if wait.is_none() && self.has_line(&target) && !self.is_reserved_for(&target, source) {
            return self.answer_no(source, req, target, Code::Congested.into());
        }
        if self.client_mut(source).is_none_or(|source| source.asking.is_some()) {
            return self.answer_no(source, req, target, Code::SourceBusy.into());
        }
        match wait {
            Some(wait) => self.enter_line(source, registering, wait, now),
            None => self.enter_inbox(source, registering, now),
        }
    }

    fn enter_inbox(&mut self, source: &ClientId, registering: Registering, now: Instant) {
        let Registering { req, target, payload, consent_time, .. } = registering;
        if self.client_mut(&target).is_none_or(|target| target.places_taken() >= INBOX_REQUESTS) {
            return self.answer_no(source, req, target, Code::Congested.into());
        }
        let consent_time = self.consent_time(consent_time);
        let number = self.next_number();
        let request = Request {
            source: source.clone(),
            reqs: vec![req],
            target: target.clone(),
            payload,
            asked: false,
            consent_time,
            deadline: now + consent_time,
            line: None,
        };
        self.waiting.insert(number, request);
        if let Some(client) = self.clients.get_mut(source) {
            client.asking = Some(number);
        }
        if let Some(client) = self.clients.get_mut(&target) {
            client.inbox.push_back(number);
        }
        self.event(BrokerEvent::Registered { source: source.clone(), target: target.clone() });
        self.ask(&target);
    }

    /// Returns the time for consent that counts, of that which a request asks for.
    pub(super) fn consent_time(&self, asked: Option<Duration>) -> Duration {
        let longest = self.config.limits.consent_time();
        setting(asked.unwrap_or(longest)).min(longest)
    }

    /// Returns the number of the next request.
    pub(super) fn next_number(&mut self) -> ReqId {
        self.last_req += 1;
        self.last_req
    }

    /// Returns whether a v1 client waits for the answer of this target. To register it again changes
    /// nothing.
    #[must_use]
    pub fn waits_for(&self, client: &ClientId, target: &ClientId) -> bool {
        self.request_of_v1(client).is_some_and(|request| request.target == *target)
    }

    fn request_of_v1(&self, client: &ClientId) -> Option<&Request> {
        let client = self.clients.get(client).filter(|client| client.dialect == Dialect::V1)?;
        self.waiting.request(client.asking?)
    }

    /// Lets a v1 client's registration join the one that waits for the same target. A stock client that
    /// repeats what is not acknowledged in time means the same request.
    fn add_request(&mut self, source: &ClientId, req: Option<ReqId>, target: &ClientId) -> bool {
        let asking = self.clients.get(source).filter(|client| client.dialect == Dialect::V1);
        let Some(number) = asking.and_then(|client| client.asking) else { return false };
        let Some(request) = self.waiting.request_mut(number) else { return false };
        let joins = request.target == *target && request.reqs.len() < REPETITIONS;
        if joins && !planted::is(Fault::ForgetRepetition) {
            request.reqs.push(req);
        }
        joins
    }

    /// Asks a target the requests that it has not been asked yet. A v1 client, which remembers one
    /// target only, accepts at once and does not say whom, is asked one at a time.
    pub(super) fn ask(&mut self, target: &ClientId) {
        let Some(client) = self.clients.get_mut(target) else {
            return;
        };
        let conn = client.conn;
        let one_at_a_time = client.dialect == Dialect::V1;
        if one_at_a_time && (!client.questions.is_empty() || client.slot != Slot::Free) {
            return;
        }
        for &number in &client.inbox {
            let Some(request) = self.waiting.request_mut(number).filter(|r| !r.asked) else {
                continue;
            };
            request.asked = true;
            let message = ServerMessage::Register {
                req: number,
                source: request.source.clone(),
                // One that may return to the line is asked again.
                payload: match request.line {
                    Some(_) => request.payload.clone(),
                    None => request.payload.take(),
                },
                consent_time: request.consent_time,
            };
            self.outputs.push_back(Output::Send(conn, message));
            client.questions.push(number);
            let is_named =
                !one_at_a_time || client.names_requests || planted::is(Fault::CloseQuestionEarly);
            let longer = if is_named { Duration::ZERO } else { LATE_ANSWER_TIME };
            self.waiting.open_question(number, longer);
            if one_at_a_time {
                return;
            }
        }
    }

    /// Notes that a client has answered, or is no longer expected to answer.
    pub(super) fn close_question(&mut self, target: &ClientId, number: ReqId) {
        if let Some(client) = self.clients.get_mut(target)
            && let Some(at) = client.questions.iter().position(|question| *question == number)
        {
            client.questions.remove(at);
            self.waiting.close_question(number);
        }
    }

    /// Notes that a client may have accepted unknown to the server. A v1 client believes itself paired then.
    pub(super) fn doubt(&mut self, target: &ClientId) {
        if let Some(client) = self.clients.get_mut(target) {
            client.in_doubt |= client.dialect == Dialect::V1;
        }
    }

    /// Returns the registration that `target` answers, if it still waits: the one that it names, or
    /// else the one that it was asked first.
    pub(super) fn answered(&mut self, target: &ClientId, req: Option<ReqId>) -> Option<ReqId> {
        let client = self.clients.get_mut(target)?;
        let number = match req {
            Some(number) => {
                client.names_requests = true;
                number
            }
            None if client.names_requests => return None,
            None => *client.questions.first()?,
        };
        self.close_question(target, number);
        self.waiting
            .request(number)
            .is_some_and(|request| request.asked && request.target == *target)
            .then_some(number)
    }

    pub(super) fn accept(&mut self, target: &ClientId, req: Option<ReqId>, now: Instant) {
        match self.answered(target, req) {
            Some(number) => self.agree(number, Consent::Asked(number), now),
            None => {
                self.withdrawn(target, req, Code::Timeout);
                self.ask(target);
            }
        }
    }

    pub(super) fn decline(&mut self, target: &ClientId, req: Option<ReqId>, why: Option<&str>) {
        let Some(number) = self.answered(target, req) else {
            return self.ask(target);
        };
        let refusal = match why {
            Some(why) => Refusal::new(Code::Declined, why),
            None => Code::Declined.into(),
        };
        self.refuse(number, refusal);
    }

    /// Informs a target that its consent came too late. A v1 client now believes itself paired, and is
    /// informed only if it is not.
    pub(super) fn withdrawn(&mut self, target: &ClientId, req: Option<ReqId>, code: Code) {
        let Some(client) = self.clients.get_mut(target) else {
            return;
        };
        client.in_doubt |= client.dialect == Dialect::V1;
        if client.dialect == Dialect::V2 || client.slot == Slot::Free {
            let conn = client.conn;
            self.send(conn, ServerMessage::Withdrawn { req, code });
        }
    }

    /// Holds both clients of an agreement while the pairing is granted, if both are still free.
    fn agree(&mut self, number: ReqId, consent: Consent, now: Instant) {
        let Some(Request { source, target, .. }) = self.waiting.request(number) else {
            return self.complain(Broken::NoRequest(number));
        };
        let (source, target) = (source.clone(), target.clone());
        if let Err(code) = self.may_pair(&source, &target) {
            self.refuse_without_asking_on(number, code.into());
            match consent {
                Consent::Asked(req) => self.withdrawn(&target, Some(req), code),
                Consent::Crossing(req) => self.answer_no(&target, req, source, code.into()),
            }
            // After that: a v1 client must forget this one before it is asked the next.
            return self.ask(&target);
        }
        let Some(request) = self.take_request(number) else {
            return;
        };
        self.hold(request, consent, now);
    }

    /// Removes a request from all places where it is noted.
    pub(super) fn take_request(&mut self, number: ReqId) -> Option<Request> {
        let request = self.waiting.remove(number)?;
        if let Some(source) = self.clients.get_mut(&request.source) {
            source.asking = None;
        }
        if let Some(target) = self.clients.get_mut(&request.target) {
            target.inbox.retain(|other| *other != number);
            target.line.retain(|other| *other != number);
        }
        Some(request)
    }
}
