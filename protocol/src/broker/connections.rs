//! Connections: coming, going, being removed, and the list of them.

use std::time::Instant;

use super::{Broker, BrokerEvent, Client, ListPolicy, Output, Slot};
use crate::{ClientId, Code, ConnId, Dialect, EndReason, ReqId, ServerMessage, Welcome, wire};

impl Broker {
    pub(super) fn connected(&mut self, conn: ConnId, now: Instant) {
        let Some(id) = self.conns.get(&conn) else {
            return;
        };
        let id = id.clone();
        let Some(client) = self.clients.get_mut(&id) else {
            return;
        };
        if std::mem::replace(&mut client.connected, true) {
            return;
        }
        self.event(BrokerEvent::Connected(id.clone()));
        match self.clients[&id].dialect {
            Dialect::V1 => {
                if self.ghosts.recall(&id, now) {
                    self.send(conn, ServerMessage::Ghost);
                }
            }
            Dialect::V2 => {
                let welcome = Welcome {
                    protocol: wire::PROTOCOL,
                    client_id: id,
                    resume: None,
                    grace_ms: 0,
                    resumed: false,
                    limits: self.config.limits,
                    pairing: None,
                };
                self.send(conn, ServerMessage::Welcome(welcome));
            }
        }
    }

    pub(super) fn disconnected(&mut self, conn: ConnId, reason: EndReason, now: Instant) {
        let Some(id) = self.conns.remove(&conn) else {
            return;
        };
        self.drop_requests_of(&id);
        let Client { slot, dialect, ref questions, .. } = self.clients[&id];
        for number in questions {
            self.questions.remove(number);
        }
        if slot != Slot::Free && dialect == Dialect::V1 {
            self.ghosts.remember(id.clone(), now);
        }
        self.end_pairing_of(&id, reason, Some((conn, None)));
        self.finish_release_of(&id);
        if self.clients.remove(&id).is_some_and(|client| client.connected) {
            self.event(BrokerEvent::Disconnected(id));
        }
    }

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

    pub(super) fn kick(&mut self, id: &ClientId, now: Instant) {
        let Some(client) = self.clients.get(id) else {
            return;
        };
        let conn = client.conn;
        // It is told before it is cut off; its partner hears the same reason.
        self.take_back(id, Code::Forbidden);
        self.refuse_inbox_of(id, Code::Offline);
        self.end_pairing_of(id, EndReason::Kicked, None);
        self.disconnected(conn, EndReason::Kicked, now);
        self.outputs.push_back(Output::Close(conn));
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
        for (conn, id) in std::mem::take(&mut self.conns) {
            if self.clients.remove(&id).is_some_and(|client| client.connected) {
                self.event(BrokerEvent::Disconnected(id));
            }
            self.outputs.push_back(Output::Close(conn));
        }
    }
}
