//! Registrations: asking, answering, crossing, expiring.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Broken, Broker, BrokerEvent, ClientRecord, Output, Slot, waiting::Request};
use crate::{
    ClientId, Code, ConnId, Dialect, Refusal, ReqId, ServerMessage, TargetState,
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
}

impl Broker {
    /// The one place that decides who may be paired with whom.
    fn may_pair(&mut self, source: &ClientId, target: &ClientId) -> Result<(), Code> {
        if source == target {
            return Err(Code::SelfTarget);
        }
        let state = self.target_state(target);
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

    pub(super) fn register(
        &mut self,
        source: &ClientId,
        Registering { req, target, payload, consent_time }: Registering,
        now: Instant,
    ) {
        if let Some((id, partner)) = self.pairing_of(source)
            && *partner == target
        {
            // Both ends wanted it, and one of them was the slower: the wish is fulfilled.
            if let Some(pairing) = self.info(id, source)
                && let Some(conn) = self.client_mut(source).map(|source| source.conn)
            {
                self.send(conn, ServerMessage::Registered { req, pairing });
            }
            return;
        }
        if let Err(code) = self.may_pair(source, &target) {
            return self.answer_no(source, req, target, code.into());
        }
        let Some(&mut ClientRecord { asking: crossing, .. }) = self.client_mut(&target) else {
            return;
        };
        if let Some(crossing) = crossing
            && self.waiting.request(crossing).is_some_and(|request| request.target == *source)
        {
            self.event(BrokerEvent::Registered { source: source.clone(), target });
            return self.agree(crossing, Consent::Crossing(req), now);
        }
        if self.join(source, req, &target) {
            return;
        }
        if self.client_mut(source).is_none_or(|source| source.asking.is_some()) {
            return self.answer_no(source, req, target, Code::SourceBusy.into());
        }
        if self.client_mut(&target).is_none_or(|target| target.places_taken() >= INBOX_REQUESTS) {
            return self.answer_no(source, req, target, Code::Congested.into());
        }
        let longest = self.config.limits.consent_time();
        let consent_time = setting(consent_time.unwrap_or(longest)).min(longest);
        self.last_req += 1;
        let number = self.last_req;
        let request = Request {
            source: source.clone(),
            reqs: vec![req],
            target: target.clone(),
            payload,
            asked: false,
            consent_time,
            deadline: now + consent_time,
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
    fn join(&mut self, source: &ClientId, req: Option<ReqId>, target: &ClientId) -> bool {
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
                payload: request.payload.take(),
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

    /// Notes that a client may have said yes without anybody knowing. A v1 client believes itself paired then.
    pub(super) fn doubt(&mut self, target: &ClientId) {
        if let Some(client) = self.clients.get_mut(target) {
            client.in_doubt |= client.dialect == Dialect::V1;
        }
    }

    /// Returns the registration that `target` answers, if it still waits: the one that it names, or
    /// else the one that it was asked first.
    fn answered(&mut self, target: &ClientId, req: Option<ReqId>) -> Option<ReqId> {
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

    /// Tells a target that its consent came too late. A v1 client now believes itself paired, and is
    /// told only if it is not.
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

    /// Holds both ends of an agreement while the pairing is granted, if both are still free.
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
    fn take_request(&mut self, number: ReqId) -> Option<Request> {
        let request = self.waiting.remove(number)?;
        if let Some(source) = self.clients.get_mut(&request.source) {
            source.asking = None;
        }
        if let Some(target) = self.clients.get_mut(&request.target) {
            target.inbox.retain(|other| *other != number);
        }
        Some(request)
    }

    /// Refuses a waiting request, and asks its target the next one.
    pub(super) fn refuse(&mut self, number: ReqId, refusal: Refusal) {
        if let Some(target) = self.refuse_without_asking_on(number, refusal) {
            self.ask(&target);
        }
    }

    pub(super) fn refuse_without_asking_on(
        &mut self,
        number: ReqId,
        refusal: Refusal,
    ) -> Option<ClientId> {
        let Request { source, reqs, target, .. } = self.take_request(number)?;
        self.answer_all_no(&source, &reqs, target.clone(), refusal);
        Some(target)
    }

    pub(super) fn forbidden(
        &mut self,
        conn: ConnId,
        req: Option<ReqId>,
        target: ClientId,
        now: Instant,
    ) {
        self.connected(conn, now);
        if let Some(source) = self.conns.get(&conn).cloned() {
            self.answer_no(&source, req, target, Code::Forbidden.into());
        }
    }

    /// Refuses a client's own request and those of others when it is paired.
    pub(super) fn settle_requests_of(&mut self, id: &ClientId) {
        self.take_back(id, Code::SourceBusy);
        self.refuse_inbox_of(id, Code::TargetBusy);
    }

    /// Forgets a client's own request, those of others, and its open questions, when its connection is
    /// gone.
    pub(super) fn forget_requests_of(&mut self, id: &ClientId) {
        self.take_back(id, Code::Cancelled);
        self.refuse_inbox_of(id, Code::Offline);
        let client = self.clients.get_mut(id);
        for number in client.map(|client| std::mem::take(&mut client.questions)).unwrap_or_default()
        {
            self.waiting.close_question(number);
        }
    }

    /// Refuses a client's own request and those of others when it is removed. The client is told.
    pub(super) fn refuse_requests_of(&mut self, id: &ClientId) {
        self.take_back(id, Code::Forbidden);
        self.refuse_inbox_of(id, Code::Offline);
    }

    /// Takes back the request of a client that no longer wants it, if one waits.
    pub(super) fn take_back(&mut self, id: &ClientId, code: Code) {
        if let Some(number) = self.client_mut(id).and_then(|client| client.asking) {
            self.refuse(number, code.into());
        }
    }

    pub(super) fn refuse_inbox_of(&mut self, id: &ClientId, code: Code) {
        while let Some(number) =
            self.client_mut(id).and_then(|client| client.inbox.front().copied())
        {
            if self.refuse_without_asking_on(number, code.into()).is_none() {
                // Nothing took it out of the inbox: do it here, or this never ends.
                self.complain(Broken::NoRequest(number));
                if let Some(client) = self.clients.get_mut(id) {
                    client.inbox.retain(|other| *other != number);
                }
            }
        }
    }

    /// Refuses a registration, and reports that to the application.
    pub(super) fn answer_no(
        &mut self,
        source: &ClientId,
        req: Option<ReqId>,
        target: ClientId,
        refusal: Refusal,
    ) {
        self.answer_all_no(source, &[req], target, refusal);
    }

    pub(super) fn answer_all_no(
        &mut self,
        source: &ClientId,
        reqs: &[Option<ReqId>],
        target: ClientId,
        refusal: Refusal,
    ) {
        let Some(conn) = self.client_mut(source).map(|source| source.conn) else { return };
        let code = refusal.code;
        for &req in reqs {
            let refusal = refusal.clone();
            self.send(conn, ServerMessage::RegisterFailed { req, refusal });
        }
        self.event(BrokerEvent::Refused { source: source.clone(), target, code });
    }
}
