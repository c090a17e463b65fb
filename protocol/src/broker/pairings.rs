//! Pairings: holding, granting, committing, ending, and telling a v1 partner so.

use std::time::Instant;

use super::{
    Broker, BrokerEvent, Client, Consent, Grant, Output, Pairing, Partner, Release, Request, Slot,
};
use crate::{
    ClientId, Code, ConnId, Dialect, EndReason, EndedPairing, PairingId, PairingInfo, ReqId,
    ServerMessage,
    limits::{REGISTER_TIMEOUT, RELEASE_TIMEOUT},
    planted::{self, Fault},
};

impl Pairing {
    pub(super) fn partner_of(&self, client: &ClientId) -> &ClientId {
        if *client == self.source { &self.target } else { &self.source }
    }
}

impl Broker {
    /// Holds both ends and asks for the grant.
    pub(super) fn hold(&mut self, request: Request, consent: Consent, now: Instant) {
        self.last_serial += 1;
        let id = PairingId::new(self.config.node, self.last_serial);
        let (source, target) = (request.source.clone(), request.target.clone());
        self.set_slots(&source, &target, Slot::Granting(id));
        let deadline = now + REGISTER_TIMEOUT;
        self.grants.insert(id, Grant { request, consent, deadline });
        self.outputs.push_back(Output::Grant { pairing: id, source, target });
    }

    fn set_slots(&mut self, source: &ClientId, target: &ClientId, slot: Slot) {
        for end in [source, target] {
            if let Some(client) = self.clients.get_mut(end) {
                client.slot = slot;
            }
        }
    }

    pub(super) fn granted(&mut self, id: PairingId, verdict: Result<(), Code>) {
        if let Err(code) = verdict {
            return self.cancel_grant(id, code);
        }
        let Some(Grant { request, consent, .. }) = self.grants.remove(&id) else {
            return;
        };
        let Request { source, target, req: source_req, .. } = request;
        self.set_slots(&source, &target, Slot::Paired(id));
        self.pairings.insert(id, Pairing { source: source.clone(), target: target.clone() });

        self.connect_routes(id, [&source, &target]);
        let target_req = match consent {
            Consent::Asked(_) => None,
            Consent::Crossing(req) => req,
        };
        for (end, req) in [(&source, source_req), (&target, target_req)] {
            let conn = self.clients[end].conn;
            let pairing = self.info(id, end);
            self.send(conn, ServerMessage::Registered { req, pairing });
        }
        self.event(BrokerEvent::Paired {
            pairing: id,
            source: source.clone(),
            target: target.clone(),
        });
        self.finish_release_of(&source);
        self.finish_release_of(&target);
        self.settle_requests_of(&source);
        self.settle_requests_of(&target);
    }

    /// From now on what either end says goes to the other's present connection.
    pub(super) fn connect_routes(&mut self, pairing: PairingId, [first, second]: [&ClientId; 2]) {
        for (end, other) in [(first, second), (second, first)] {
            let Client { conn, dialect, .. } = self.clients[other];
            let direct = self.allow_direct(end, other);
            let partner = Partner { pairing, client: other.clone(), conn, dialect, direct };
            self.outputs.push_back(Output::Route(self.clients[end].conn, partner));
        }
    }

    /// The pairing as `end` sees it.
    pub(super) fn info(&self, id: PairingId, end: &ClientId) -> PairingInfo {
        let pairing = &self.pairings[&id];
        let partner = pairing.partner_of(end).clone();
        PairingInfo {
            id,
            initiator: *end == pairing.source,
            partner_protocol: self.clients[&partner].dialect.number(),
            direct: self.allow_direct(end, &partner),
            partner,
        }
    }

    /// The one place that decides whether two clients may try a direct path.
    fn allow_direct(&self, first: &ClientId, second: &ClientId) -> bool {
        [first, second].iter().all(|end| {
            let client = &self.clients[*end];
            client.dialect == Dialect::V2 && client.direct
        })
    }

    /// Gives up a pairing that was being granted; both ends are answered.
    pub(super) fn cancel_grant(&mut self, id: PairingId, code: Code) {
        let Some(Grant { request, consent, .. }) = self.grants.remove(&id) else {
            return;
        };
        let Request { source, target, req, .. } = request;
        self.set_slots(&source, &target, Slot::Free);
        self.answer_no(&source, req, target.clone(), code.into());
        match consent {
            Consent::Asked(req) => self.withdrawn(&target, Some(req), code),
            Consent::Crossing(req) => self.answer_no(&target, req, source.clone(), code.into()),
        }
        self.ask(&source);
        self.ask(&target);
    }

    pub(super) fn unpair(&mut self, id: &ClientId) {
        if self.pairing_of(id).is_some() {
            self.end_pairing_of(id, EndReason::Kicked, None);
        }
    }

    /// Ends the pairing that a client is in, granted or not.
    ///
    /// `asker` is the connection that wants it, or was lost, and the number of its request. A
    /// lost connection is sent nothing.
    pub(super) fn end_pairing_of(
        &mut self,
        id: &ClientId,
        reason: EndReason,
        asker: Option<(ConnId, Option<ReqId>)>,
    ) -> Option<(PairingId, Pairing)> {
        match self.clients.get(id)?.slot {
            Slot::Free => None,
            Slot::Granting(pairing) => {
                let code = match reason {
                    EndReason::Unregistered => Code::Cancelled,
                    _ => Code::Offline,
                };
                self.cancel_grant(pairing, code);
                None
            }
            Slot::Paired(pairing) => Some((pairing, self.end_pairing(pairing, reason, asker)?)),
        }
    }

    pub(super) fn end_pairing(
        &mut self,
        id: PairingId,
        reason: EndReason,
        asker: Option<(ConnId, Option<ReqId>)>,
    ) -> Option<Pairing> {
        let pairing = self.pairings.remove(&id)?;
        for end in [&pairing.source, &pairing.target] {
            let Some(client) = self.clients.get_mut(end) else {
                continue;
            };
            if planted::is(Fault::ForgetPartner) && *end == pairing.target {
                continue;
            }
            client.slot = Slot::Free;
            client.ended = Some(EndedPairing { pairing: id, reason });
            let conn = client.conn;
            if client.is_present() {
                self.outputs.push_back(Output::Unroute(conn, reason));
            }
            let (is_asker, req) = match asker {
                Some((asker, req)) if asker == conn => (true, req),
                _ => (false, None),
            };
            if !is_asker || reason == EndReason::Unregistered {
                self.send(conn, ServerMessage::Disconnect { pairing: id, reason, req });
                if planted::is(Fault::TellTwice) {
                    self.send(conn, ServerMessage::Disconnect { pairing: id, reason, req });
                }
            }
        }
        self.event(BrokerEvent::Unpaired {
            pairing: id,
            source: pairing.source.clone(),
            target: pairing.target.clone(),
            reason,
        });
        Some(pairing)
    }

    pub(super) fn unregister(&mut self, id: &ClientId, req: Option<ReqId>, now: Instant) {
        let Client { conn, dialect, .. } = self.clients[id];
        self.take_back(id, Code::Cancelled);
        let Some((ended, pairing)) =
            self.end_pairing_of(id, EndReason::Unregistered, Some((conn, req)))
        else {
            let message = match dialect {
                Dialect::V1 => ServerMessage::Unregistered { req },
                Dialect::V2 => {
                    ServerMessage::Error { refusal: Code::NotPaired.into(), req, pairing: None }
                }
            };
            return self.send(conn, message);
        };
        if dialect == Dialect::V2 {
            return; // The end of its pairing, with its number, was the answer.
        }
        let partner = pairing.partner_of(id);
        if self.clients[partner].dialect == Dialect::V2 {
            return self.send(conn, ServerMessage::Unregistered { req });
        }
        // A v1 client may register anew as soon as it is answered: its partner must be free then.
        self.last_release += 1;
        let number = self.last_release;
        let release = Release {
            pairing: ended,
            partner: partner.clone(),
            initiator: id.clone(),
            req,
            deadline: now + RELEASE_TIMEOUT,
        };
        self.releases.insert(number, release);
        for end in [id, partner] {
            if let Some(client) = self.clients.get_mut(end) {
                client.release = Some(number);
            }
        }
    }

    /// A v1 client confirmed that it knows of the end of a pairing.
    pub(super) fn released(&mut self, pairing: PairingId, id: &ClientId) {
        if let Some(number) = self.clients[id].release
            && let Some(release) = self.releases.get(&number)
            && release.pairing == pairing
            && release.partner == *id
        {
            self.finish_release(number);
        }
    }

    /// The release that a client is in, when it is paired anew or gone.
    pub(super) fn finish_release_of(&mut self, id: &ClientId) {
        if let Some(number) = self.clients[id].release {
            self.finish_release(number);
        }
    }

    pub(super) fn finish_release(&mut self, number: u64) {
        let Some(release) = self.releases.remove(&number) else {
            return;
        };
        for end in [&release.initiator, &release.partner] {
            if let Some(client) = self.clients.get_mut(end) {
                client.release = None;
            }
        }
        if let Some(initiator) = self.clients.get(&release.initiator) {
            let conn = initiator.conn;
            self.send(conn, ServerMessage::Unregistered { req: release.req });
        }
    }
}
