//! All clients at once: the list of them, and shutting down.

use super::{Broker, BrokerEvent, Client, ListPolicy, Output, presence::Presence};
use crate::{ClientId, Code, Dialect, EndReason, ReqId, ServerMessage};

impl Broker {
    pub(super) fn list(&mut self, id: &ClientId, req: Option<ReqId>) {
        let Client { conn, dialect, .. } = self.clients[id];
        let allowed = match self.config.list {
            ListPolicy::V1Only => dialect == Dialect::V1,
            ListPolicy::All => true,
            ListPolicy::Nobody => false,
        };
        let message = if allowed {
            ServerMessage::Clients { req, clients: self.clients() }
        } else {
            ServerMessage::Error { refusal: Code::Forbidden.into(), req, pairing: None }
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
            if client.presence != Presence::Arriving {
                self.event(BrokerEvent::Disconnected(id));
            }
            if self.conns.remove(&client.conn).is_some() {
                self.outputs.push_back(Output::Close(client.conn));
            }
        }
    }
}
