//! All clients at once: the list of them, and the end of the server.

use std::time::{Duration, Instant};

use super::{
    Broker, BrokerEvent, ClientRecord, LineNews, ListPolicy, Listing, Output, WatchedTargets,
    record::Attendance,
};
use crate::{
    ClientEntry, ClientId, Code, Dialect, EndReason, Refusal, ReqId, ServerMessage,
    limits::LISTED_CLIENTS, wire::LIST_CLIENTS,
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
    ///
    /// It takes time in proportion to their number: where a lock is held, use [`Self::listing`].
    #[must_use]
    pub fn clients(&self) -> Vec<ClientEntry> {
        self.listing().entries()
    }

    /// Returns the list of clients at this moment, at little cost.
    #[must_use]
    pub fn listing(&self) -> Listing {
        self.clients.listing()
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
        if let Some(code) = refusal {
            let refusal = Refusal::from(code);
            let refusal = match dialect {
                Dialect::V1 => refusal.of(LIST_CLIENTS),
                Dialect::V2 => refusal,
            };
            return self.send(conn, ServerMessage::Error { refusal, req, pairing: None });
        }
        self.settle(now); // The caller itself may have arrived with this message.
        if self.reaches(conn) {
            self.outputs.push_back(Output::List(conn, req, self.listing()));
        }
    }

    pub(super) fn shut_down(&mut self) {
        self.closing = true;
        while let Some(number) = self.waiting.first() {
            self.refuse_without_asking_on(number, Code::ShuttingDown.into());
        }
        self.waiting.close_questions();
        while let Some((&id, _)) = self.grants.first_key_value() {
            self.cancel_grant(id, Code::ShuttingDown);
        }
        while let Some((&id, _)) = self.pairings.first_key_value() {
            self.end_pairing(id, EndReason::ShuttingDown, None);
        }
        self.close_rooms();
        while let Some((&number, _)) = self.releases.first_key_value() {
            self.finish_release(number);
        }
        self.away.clear();
        self.watches = WatchedTargets::default();
        self.line_news = LineNews::default();
        for (id, client) in self.clients.take() {
            if client.attendance != Attendance::Arriving {
                self.event(BrokerEvent::Disconnected(id));
            }
            if self.conns.remove(&client.conn).is_some() {
                self.outputs.push_back(Output::HangUp(client.conn));
            }
        }
    }
}
