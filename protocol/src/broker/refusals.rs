//! Refusals of registrations, and whatever ends them before their target has answered.

use std::time::Instant;

use super::{Broken, Broker, BrokerEvent, waiting::Request};
use crate::{ClientId, Code, ConnId, Refusal, ReqId, ServerMessage};

impl Broker {
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
        self.return_inbox_to_line(id);
        self.refuse_inbox_of(id, Code::TargetBusy);
    }

    /// Forgets a client's own request, those of others, and its open questions, when its connection is
    /// gone. A place in line is another matter.
    pub(super) fn forget_requests_of(&mut self, id: &ClientId) {
        if !self.waits_in_line(id) {
            self.take_back(id, Code::Cancelled);
        }
        self.refuse_inbox_of(id, Code::Offline);
        let client = self.clients.get_mut(id);
        for number in client.map(|client| std::mem::take(&mut client.questions)).unwrap_or_default()
        {
            self.waiting.close_question(number);
        }
    }

    /// Refuses a client's own request and those of others when it is removed. The client is informed.
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
            let (target, refusal) = (Some(target.clone()), refusal.clone());
            self.send(conn, ServerMessage::RegisterFailed { req, target, refusal });
        }
        self.event(BrokerEvent::Refused { source: source.clone(), target, code });
    }
}
