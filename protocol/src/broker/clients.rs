//! All clients at once: the list of them, and the end of the server.

use std::time::{Duration, Instant};

use super::{Broker, BrokerEvent, ClientRecord, ListPolicy, Output, Slot, attendance::Attendance};
use crate::{
    ClientEntry, ClientId, ClientState, Code, Dialect, EndReason, ReqId, ServerMessage,
    limits::LISTED_CLIENTS,
};

/// The rate of all lists of a server together, in clients that they name.
#[derive(Debug, Default)]
pub(super) struct ListRate {
    /// The time at which all that was listed is paid for, at [`LISTED_CLIENTS`] a second.
    paid_at: Option<Instant>,
}

impl ListRate {
    /// Counts a list of so many clients, and returns whether it may be made.
    fn admits(&mut self, clients: usize, now: Instant) -> bool {
        let from = self.paid_at.map_or(now, |at| at.max(now));
        // A second's worth may come at once; a longer list is the only one.
        if from > now + Duration::from_secs(1) {
            return false;
        }
        let seconds = clients as f64 / f64::from(LISTED_CLIENTS);
        self.paid_at = Some(from + Duration::from_secs_f64(seconds));
        true
    }
}

impl Broker {
    /// Returns all clients, in the order of their names.
    #[must_use]
    pub fn clients(&self) -> Vec<ClientEntry> {
        let visible =
            self.clients.iter().filter(|(_, client)| client.attendance != Attendance::Arriving);
        visible
            .map(|(id, client)| ClientEntry {
                id: id.clone(),
                state: match (client.attendance, client.slot) {
                    (Attendance::Away { .. } | Attendance::Returning, _) => ClientState::Away,
                    (_, Slot::Free | Slot::Granting(_)) => ClientState::Free,
                    (_, Slot::Paired(_)) => ClientState::Paired,
                },
            })
            .collect()
    }

    pub(super) fn list(&mut self, id: &ClientId, req: Option<ReqId>, now: Instant) {
        let Some(&mut ClientRecord { conn, dialect, .. }) = self.client_mut(id) else { return };
        let allowed = match self.config.list {
            ListPolicy::V1Only => dialect == Dialect::V1,
            ListPolicy::All => true,
            ListPolicy::Nobody => false,
        };
        let refusal = if !allowed {
            Some(Code::Forbidden)
        } else if !self.list_rate.admits(self.clients.len(), now) {
            Some(Code::Quota)
        } else {
            None
        };
        let message = match refusal {
            None => ServerMessage::Clients { req, clients: self.clients() },
            Some(code) => ServerMessage::Error { refusal: code.into(), req, pairing: None },
        };
        self.send(conn, message);
    }

    pub(super) fn shut_down(&mut self) {
        self.closing = true;
        while let Some((&number, _)) = self.requests.first_key_value() {
            self.refuse_without_asking_on(number, Code::ShuttingDown.into());
        }
        self.questions.clear();
        while let Some((&id, _)) = self.grants.first_key_value() {
            self.cancel_grant(id, Code::ShuttingDown);
        }
        while let Some((&id, _)) = self.pairings.first_key_value() {
            self.end_pairing(id, EndReason::ShuttingDown, None);
        }
        while let Some((&number, _)) = self.releases.first_key_value() {
            self.finish_release(number);
        }
        self.away.clear();
        for (id, client) in std::mem::take(&mut self.clients) {
            if client.attendance != Attendance::Arriving {
                self.event(BrokerEvent::Disconnected(id));
            }
            if self.conns.remove(&client.conn).is_some() {
                self.outputs.push_back(Output::HangUp(client.conn));
            }
        }
    }
}
