//! Agreements whose grant is outstanding: holding both clients, committing them, or giving up.

use std::time::Instant;

use super::{
    Broker, BrokerEvent, Output, Slot, pairings::Pairing, requests::Consent, waiting::Request,
};
use crate::{ClientId, Code, Dialect, PairingId, ReqId, ServerMessage, limits::GRANT_TIMEOUT};

/// An agreement of two clients that waits for its grant. Both are held meanwhile.
#[derive(Debug)]
pub(super) struct Grant {
    request: Request,
    consent: Consent,
    pub(super) deadline: Instant,
}

impl Broker {
    /// Holds both clients and asks for the grant.
    pub(super) fn hold(&mut self, request: Request, consent: Consent, now: Instant) {
        self.last_serial += 1;
        let id = PairingId::new(self.config.node, self.last_serial);
        let (source, target) = (request.source.clone(), request.target.clone());
        self.set_slots(&source, &target, Slot::Granting(id));
        let deadline = now + GRANT_TIMEOUT;
        self.grants.insert(id, Grant { request, consent, deadline });
        self.outputs.push_back(Output::Grant { pairing: id, source, target });
    }

    fn set_slots(&mut self, source: &ClientId, target: &ClientId, slot: Slot) {
        for end in [source, target] {
            if let Some(client) = self.clients.get_mut(end) {
                client.slot = slot;
                client.reserved = None;
                client.in_doubt = client.dialect == Dialect::V1;
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
        let Request { source, target, reqs, .. } = request;
        self.set_slots(&source, &target, Slot::Paired(id));
        self.pairings.insert(id, Pairing { source: source.clone(), target: target.clone() });

        self.connect_routes(id, [&source, &target]);
        let target_req = match consent {
            Consent::Asked(_) => None,
            Consent::Crossing(req) => req,
        };
        // Who asked for the end of an earlier pairing is answered before it is in another.
        self.finish_release_of(&source);
        self.finish_release_of(&target);
        for req in reqs {
            self.tell_registered(id, &source, req);
        }
        self.tell_registered(id, &target, target_req);
        self.event(BrokerEvent::Paired {
            pairing: id,
            source: source.clone(),
            target: target.clone(),
        });
        self.settle_requests_of(&source);
        self.settle_requests_of(&target);
    }

    fn tell_registered(&mut self, id: PairingId, end: &ClientId, req: Option<ReqId>) {
        if let Some(pairing) = self.info(id, end)
            && let Some(conn) = self.client_mut(end).map(|client| client.conn)
        {
            self.send(conn, ServerMessage::Registered { req, pairing });
        }
    }

    /// Gives up a pairing that was being granted. Both clients are answered.
    pub(super) fn cancel_grant(&mut self, id: PairingId, code: Code) {
        let Some(Grant { request, consent, .. }) = self.grants.remove(&id) else {
            return;
        };
        let Request { source, target, reqs, .. } = request;
        self.set_slots(&source, &target, Slot::Free);
        self.answer_all_no(&source, &reqs, target.clone(), code.into());
        match consent {
            Consent::Asked(req) => self.withdrawn(&target, Some(req), code),
            Consent::Crossing(req) => self.answer_no(&target, req, source.clone(), code.into()),
        }
        self.ask(&source);
        self.ask(&target);
    }
}
