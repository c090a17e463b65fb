//! The end of a pairing at a v1 client's wish: it is answered once its v1 partner knows of the end.

use std::time::Instant;

use super::{Broker, ClientRecord, Slot};
use crate::{
    ClientId, Code, Dialect, EndReason, PairingId, ReqId, ServerMessage, limits::RELEASE_TIMEOUT,
};

/// The request of a v1 client that ended its pairing, and waits until its v1 partner knows.
#[derive(Debug)]
pub(super) struct Release {
    pairing: PairingId,
    /// The v1 partner, who has to confirm.
    partner: ClientId,
    initiator: ClientId,
    req: Option<ReqId>,
    pub(super) deadline: Instant,
}

impl Broker {
    pub(super) fn unregister(&mut self, id: &ClientId, req: Option<ReqId>, now: Instant) {
        let Some(&mut ClientRecord { conn, dialect, .. }) = self.client_mut(id) else { return };
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
        if self.client_mut(partner).is_none_or(|partner| partner.dialect == Dialect::V2) {
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

    /// Notes that a v1 client knows of the end of a pairing.
    pub(super) fn released(&mut self, pairing: PairingId, id: &ClientId) {
        if let Some(client) = self.clients.get_mut(id)
            && client.slot == Slot::Free
            && client.ended.is_some_and(|ended| ended.pairing == pairing)
        {
            client.in_doubt = false;
            client.told_until = None;
        }
        if let Some(number) = self.client_mut(id).and_then(|client| client.release)
            && let Some(release) = self.releases.get(&number)
            && release.pairing == pairing
            && release.partner == *id
        {
            self.finish_release(number);
        }
    }

    /// Finishes the release that a client is in, when it is paired anew or gone.
    pub(super) fn finish_release_of(&mut self, id: &ClientId) {
        if let Some(number) = self.client_mut(id).and_then(|client| client.release) {
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
