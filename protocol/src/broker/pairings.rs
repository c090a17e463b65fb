//! Pairings: their routes, what each client learns of them, and their end.

use super::{Broker, BrokerEvent, ClientRecord, Output, Partner, Slot};
use crate::{
    ClientId, Code, ConnId, Dialect, EndReason, EndedPairing, PairingId, PairingInfo, ReqId,
    ServerMessage,
    broker::Broken,
    planted::{self, Fault},
};

#[derive(Debug)]
pub(super) struct Pairing {
    pub(super) source: ClientId,
    pub(super) target: ClientId,
}

impl Pairing {
    pub(super) fn partner_of(&self, client: &ClientId) -> &ClientId {
        if *client == self.source { &self.target } else { &self.source }
    }
}

impl Broker {
    /// Routes the messages of either client to the other's present connection from now on.
    pub(super) fn connect_routes(&mut self, pairing: PairingId, [first, second]: [&ClientId; 2]) {
        let direct = self.allow_direct(first, second);
        for (end, other) in [(first, second), (second, first)] {
            let Some(from) = self.client_mut(end).map(|client| client.conn) else { continue };
            let Some(&mut ClientRecord { conn, dialect, .. }) = self.client_mut(other) else {
                continue;
            };
            let partner = Partner { pairing, client: other.clone(), conn, dialect, direct };
            self.outputs.push_back(Output::Route(from, partner));
        }
    }

    /// Returns the pairing as the client `end` sees it.
    pub(super) fn info(&mut self, id: PairingId, end: &ClientId) -> Option<PairingInfo> {
        let Some(pairing) = self.pairings.get(&id) else {
            self.complain(Broken::NoPairing(id));
            return None;
        };
        let partner = pairing.partner_of(end).clone();
        let initiator = *end == pairing.source;
        let direct = self.allow_direct(end, &partner);
        let partner_protocol = self.client_mut(&partner)?.protocol;
        Some(PairingInfo { id, initiator, partner_protocol, direct, partner })
    }

    /// The one place that decides whether two clients may try a direct path.
    pub(super) fn allow_direct(&self, first: &ClientId, second: &ClientId) -> bool {
        [first, second].into_iter().all(|end| {
            let client = self.clients.get(end);
            client.is_some_and(|client| client.dialect == Dialect::V2 && client.direct)
        })
    }

    pub(super) fn unpair(&mut self, id: &ClientId) {
        if self.pairing_of(id).is_some() {
            self.end_pairing_of(id, EndReason::Kicked, None);
        }
    }

    /// Ends the pairing that a client is in, granted or not.
    ///
    /// `asker` is the connection that wants it, or was lost, and the number of its request. A
    /// lost connection gets no message.
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
            let is_asker_v1 = asker.is_some_and(|(asker, _)| asker == conn);
            client.in_doubt = client.dialect == Dialect::V1 && !is_asker_v1;
            client.told_until.take_if(|_| is_asker_v1);
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
}
