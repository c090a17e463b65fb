//! The attendance of a client: losing its connection, being away, and coming back to its session.

use std::time::{Duration, Instant};

use super::{Broker, BrokerEvent, ClientRecord, Hello, Output, Slot, record::Attendance};
use crate::{
    ClientId, Code, ConnId, Dialect, EndReason, Presence as PartnerState, ServerMessage, Welcome,
    limits::TOLD_TIME,
    planted::{self, Fault},
};

impl Broker {
    pub(super) fn connected(&mut self, conn: ConnId, now: Instant) {
        let Some(id) = self.conns.get(&conn).cloned() else {
            return;
        };
        let Some(client) = self.clients.get_mut(&id) else {
            return;
        };
        match client.attendance {
            Attendance::Arriving => {
                client.attendance = Attendance::Present;
                self.arrived(conn, id, now);
            }
            Attendance::Returning => {
                client.attendance = Attendance::Present;
                self.returned(conn, id);
            }
            Attendance::Present | Attendance::Away { .. } => {}
        }
    }

    fn arrived(&mut self, conn: ConnId, id: ClientId, now: Instant) {
        self.event(BrokerEvent::Connected(id.clone()));
        let Some(dialect) = self.client_mut(&id).map(|client| client.dialect) else { return };
        match dialect {
            Dialect::V1 => {
                if self.departed_v1.recall(&id, now) && !planted::is(Fault::ForgetDeparted) {
                    self.send(conn, ServerMessage::EndedWhileAway);
                    if let Some(client) = self.client_mut(&id) {
                        client.told_until = Some(now + TOLD_TIME);
                    }
                }
            }
            Dialect::V2 => self.welcome(conn, id, false),
        }
    }

    /// Gives a returned client its place again. Its partner's messages are routed to the new
    /// connection from now on.
    fn returned(&mut self, conn: ConnId, id: ClientId) {
        self.event(BrokerEvent::Back(id.clone()));
        let pairing = self.pairing_of(&id).map(|(pairing, partner)| (pairing, partner.clone()));
        let Some((pairing, partner)) = pairing else {
            return self.welcome_back(conn, &id);
        };
        let Some(&mut ClientRecord { conn: partner_conn, attendance, .. }) =
            self.client_mut(&partner)
        else {
            return self.welcome_back(conn, &id);
        };
        let is_there = attendance == Attendance::Present;
        if is_there {
            self.connect_routes(pairing, [&id, &partner]);
        }
        self.welcome_back(conn, &id);
        // Each client sends its window again at this, after its welcome.
        if is_there && !planted::is(Fault::ForgetBack) {
            let message = ServerMessage::Partner { pairing, state: PartnerState::Back };
            self.send(partner_conn, message);
        }
        if !is_there {
            let message = ServerMessage::Partner { pairing, state: PartnerState::Away };
            self.send(conn, message);
        }
    }

    fn welcome_back(&mut self, conn: ConnId, id: &ClientId) {
        self.connect_rooms(id);
        self.welcome(conn, id.clone(), true);
        self.tell_rooms_back(conn, id);
    }

    fn welcome(&mut self, conn: ConnId, id: ClientId, resumed: bool) {
        let Some(&mut ClientRecord { protocol, slot, tokens, ended, .. }) = self.client_mut(&id)
        else {
            return;
        };
        let grace = self.config.grace;
        let rooms = self.rooms_as_seen_by(&id);
        let pairing = match slot {
            Slot::Paired(pairing) => self.info(pairing, &id),
            Slot::Free | Slot::Granting(_) => None,
        };
        let welcome = Welcome {
            protocol,
            resume: (!grace.is_zero()).then_some(tokens.present),
            grace_ms: u64::try_from(grace.as_millis()).unwrap_or(u64::MAX),
            resumed,
            limits: self.config.limits,
            pairing,
            ended: ended.filter(|_| resumed && !planted::is(Fault::ForgetReason)),
            rooms,
            client_id: id,
        };
        self.send(conn, ServerMessage::Welcome(welcome));
    }

    pub(super) fn disconnected(&mut self, conn: ConnId, now: Instant) {
        let Some(id) = self.conns.remove(&conn) else {
            return;
        };
        if self.may_return(&id) {
            self.lose(&id, now);
            self.start_grace(id, now);
        } else {
            self.remove(&id, EndReason::Disconnected, now);
        }
    }

    /// Returns whether the place of a client that lost its connection is kept. A client that is neither
    /// paired nor in a line has nothing to come back to.
    fn may_return(&mut self, id: &ClientId) -> bool {
        let is_in_line = self.waits_in_line(id);
        let keeps = self.config.grace > Duration::ZERO;
        let Some(client) = self.client_mut(id) else { return false };
        let was_here = client.attendance != Attendance::Arriving;
        let has_place = matches!(client.slot, Slot::Paired(_))
            || !client.rooms.is_empty()
            || is_in_line
            || client.attendance == Attendance::Returning;
        was_here && has_place && client.dialect == Dialect::V2 && keeps
    }

    fn start_grace(&mut self, id: ClientId, now: Instant) {
        let grace = self.config.grace;
        let until = now + if planted::is(Fault::EndTooEarly) { grace / 4 } else { grace };
        if let Some(client) = self.clients.get_mut(&id) {
            client.attendance = Attendance::Away { until };
            self.away.insert((until, id));
        }
    }

    /// Notes that the connection of a client that may come back is gone. Its requests are taken back,
    /// and its partner is informed.
    fn lose(&mut self, id: &ClientId, now: Instant) {
        let Some(&mut ClientRecord { attendance: Attendance::Present, slot, .. }) =
            self.client_mut(id)
        else {
            return;
        };
        self.watches.forget(id);
        self.keep_place(id, now);
        self.return_inbox_to_line(id);
        self.forget_requests_of(id);
        if let Slot::Granting(_) = slot {
            self.end_pairing_of(id, EndReason::Disconnected, None);
        }
        if let Some(client) = self.clients.get_mut(id) {
            client.attendance = Attendance::Away { until: now };
            client.reserved = None;
        }
        self.event(BrokerEvent::Away(id.clone()));
        self.tell_rooms_away(id);
        let pairing = self.pairing_of(id).map(|(pairing, partner)| (pairing, partner.clone()));
        if let Some((pairing, partner)) = pairing
            && let Some(conn) = self.client_mut(&partner).map(|partner| partner.conn)
        {
            let message = ServerMessage::Partner { pairing, state: PartnerState::Away };
            self.send(conn, message);
        }
    }

    /// Gives the place of a client to a connection that showed the right token. The connection before
    /// may be gone or only look as if it stood.
    pub(super) fn succeed(&mut self, conn: ConnId, hello: Hello, now: Instant) {
        let Hello { client: id, protocol, direct, .. } = hello;
        let Some(old) = self.client_mut(&id).map(|client| client.conn) else { return };
        if self.conns.remove(&old).is_some() {
            self.lose(&id, now);
            self.outputs.push_back(Output::Close(old));
            if planted::is(Fault::CompareWithoutIncarnation) {
                self.conns.insert(old, id.clone());
            }
        }
        if let Some(client) = self.clients.get_mut(&id) {
            if let Attendance::Away { until } = client.attendance {
                self.away.remove(&(until, id.clone()));
            }
            client.conn = conn;
            client.protocol = protocol;
            client.direct = direct;
            client.attendance = Attendance::Returning;
        }
        self.conns.insert(conn, id);
    }

    /// Removes a client for good. Its pairing ends for this reason, and its connection is closed if it
    /// still stands.
    pub(super) fn remove(&mut self, id: &ClientId, reason: EndReason, now: Instant) {
        let Some(client) = self.clients.get(id) else {
            return;
        };
        let ClientRecord { conn, attendance, .. } = *client;
        // It may have said yes to what it was asked last.
        let may_have_missed =
            client.told_until.is_some_and(|until| now < until) && !planted::is(Fault::ForgetTold);
        let has_questions = client.dialect == Dialect::V1 && !client.questions.is_empty();
        let in_doubt = client.in_doubt || has_questions || may_have_missed;
        let connected = self.conns.contains_key(&conn);
        let leaves = reason == EndReason::Disconnected;
        if connected && !leaves {
            // It is informed before it is cut off; its partner gets the same reason.
            self.refuse_requests_of(id);
            self.end_pairing_of(id, reason, None);
            let code = match reason {
                EndReason::Replaced => Code::DuplicateId,
                _ => Code::Forbidden,
            };
            self.send(conn, ServerMessage::Farewell { refusal: code.into() });
        }
        self.conns.remove(&conn);
        self.watches.forget(id);
        self.take_back(id, Code::Cancelled);
        self.refuse_line_of(id, Code::Offline);
        self.forget_requests_of(id);
        if in_doubt {
            self.departed_v1.remember(id.clone(), now);
        }
        self.end_pairing_of(id, reason, Some((conn, None)));
        self.leave_rooms(id, reason);
        self.finish_release_of(id);
        if let Attendance::Away { until } = attendance {
            self.away.remove(&(until, id.clone()));
        }
        self.clients.remove(id);
        if attendance != Attendance::Arriving {
            self.event(BrokerEvent::Disconnected(id.clone()));
        }
        if connected {
            self.outputs.push_back(Output::Close(conn));
        }
    }
}
