//! V1 clients: native acknowledgements, no session, and one partner at a time, which they remember
//! by its name.

use std::time::Duration;

use crate::{
    Args, ClientMessage, ConnId, Dialect, EndReason, Outcome, PairingId, PairingInfo,
    ServerMessage, peer::v1::NoAck, session::Delivery,
};

use crate::sim::{
    client::{Handled, Returns, SimClient},
    connection::{Connection, Down, State, Up},
    handlers::{args_of, number_in},
    oracle::{CallNo, ClientNo, Manner, Report, Rule, Verdict},
    parties::Legacy,
    watch::Who,
    world::{Event, World},
};

impl World {
    /// Returns the place of the v1 client that has this number.
    pub(crate) fn legacy_of(&self, number: ClientNo) -> Option<usize> {
        let legacy = number.checked_sub(self.clients.len())?;
        (legacy < self.legacies.len()).then_some(legacy)
    }

    fn number_of_legacy(&self, legacy: usize) -> ClientNo {
        self.clients.len() + legacy
    }

    pub(crate) fn legacy_act(&mut self, legacy: usize) {
        if !self.stormy {
            return;
        }
        let after = self.millis(1..110);
        self.after(after, Event::LegacyAct(legacy));
        let Some(conn) = self.legacies[legacy].conn else { return };
        match (self.legacies[legacy].partner, self.rng.u32(..2_000)) {
            (None, _) if self.legacies[legacy].asks => {}
            (None, 0..500) => {
                let target = self.rng.usize(..self.clients.len() + self.legacies.len());
                let target = SimClient::new(target).name.parse().expect("a name is an id");
                let req = self.next_legacy_req(legacy);
                self.legacies[legacy].asks = true;
                let message =
                    ClientMessage::Register { req, target, payload: None, consent_time: None };
                self.send_up(conn, Up::Message(message));
            }
            (Some(_), 0..3) => {
                let req = self.next_legacy_req(legacy);
                self.send_up(conn, Up::Message(ClientMessage::Unregister { req }));
            }
            (Some(_), _) if self.legacies[legacy].open.len() < 60 => {
                for _ in 0..self.rng.usize(1..4) {
                    let acknowledged = self.chance(0.8);
                    self.legacy_emit(legacy, acknowledged);
                }
            }
            _ => {}
        }
    }

    fn next_legacy_req(&mut self, legacy: usize) -> Option<u64> {
        self.legacies[legacy].last_req += 1;
        Some(self.legacies[legacy].last_req)
    }

    /// It emits something, as long as it is connected and has a partner.
    pub(crate) fn legacy_emit(&mut self, legacy: usize, acknowledged: bool) -> Option<CallNo> {
        let Legacy { conn: Some(conn), partner: Some((_, target)), .. } = self.legacies[legacy]
        else {
            return None;
        };
        // The server waits for 30 s, however often its partner is away.
        let manner = Manner { acknowledged, excused: acknowledged };
        let call = self.oracle.called(self.number_of_legacy(legacy), manner);
        if acknowledged {
            self.legacies[legacy].open.insert(call);
        }
        let call_of = acknowledged.then_some(call);
        self.counts.legacy += 1;
        self.send_up(conn, Up::Emit { target, args: args_of(call, 0), call: call_of });
        Some(call)
    }

    pub(crate) fn legacy_connect(&mut self, legacy: usize) {
        if self.is_down() {
            return self.legacy_connects_later(legacy);
        }
        let conn = self.new_conn();
        let number = self.number_of_legacy(legacy);
        let id = SimClient::new(number).name.parse().expect("a name is an id");
        let who = Who { number, id, dialect: Dialect::V1, direct: false };
        let tokens = (None, self.fresh_token());
        if self.server.admit(conn, who, tokens, self.now, &mut self.oracle).is_err() {
            return self.legacy_connects_later(legacy);
        }
        self.connections.insert(conn, Connection::new(number, self.now));
        self.legacies[legacy].conn = Some(conn);
        let after = self.delay();
        self.after(after, Event::Announce(conn));
    }

    fn legacy_connects_later(&mut self, legacy: usize) {
        let after = self.millis(100..1_000);
        self.after(after, Event::LegacyConnect(legacy));
    }

    /// Its connection is gone, and its pairing with it.
    pub(crate) fn legacy_loses(&mut self, legacy: usize, conn: ConnId) {
        if self.legacies[legacy].conn != Some(conn) {
            return;
        }
        let by_event = self.legacies[legacy].by_event;
        let before =
            std::mem::replace(&mut self.legacies[legacy], Legacy { by_event, ..<_>::default() });
        for call in before.open {
            self.oracle.reported(call, Report::Unknown);
        }
        if let Some((pairing, _)) = before.partner {
            let number = self.number_of_legacy(legacy);
            self.oracle.unpaired(number, pairing, EndReason::Disconnected);
        }
        if let Some(connection) = self.connections.get(&conn)
            && connection.state == State::Silent
        {
            self.cut(conn, false);
        }
        if !self.leaving {
            self.legacy_connects_later(legacy);
        }
    }

    pub(crate) fn legacy_hears(&mut self, legacy: usize, conn: ConnId, what: Down) {
        if self.legacies[legacy].conn != Some(conn) {
            return;
        }
        match what {
            Down::Message(message) => self.legacy_told(legacy, conn, message),
            Down::Emit(pairing, delivery) => self.legacy_runs(legacy, pairing, delivery),
            Down::Acknowledge(call, outcome) => {
                if self.legacies[legacy].open.remove(&call) {
                    let right = |args: &Args| number_in(args) == Some(call);
                    self.oracle.reported(
                        call,
                        match outcome {
                            Outcome::Replied(args, _) if right(&args) => Report::Value,
                            Outcome::Replied(..) => Report::WrongValue,
                            Outcome::Failed(_) => Report::Failed,
                            Outcome::NotExecuted(_) => Report::NotExecuted,
                            Outcome::Unknown(_) => Report::Unknown,
                        },
                    );
                }
            }
            Down::Frames(..) | Down::Signal(..) | Down::Garbled | Down::Unreadable(..) => {
                self.oracle.violate(Rule::NoStranger, "a v1 client gets frames");
            }
        }
    }

    fn legacy_told(&mut self, legacy: usize, conn: ConnId, message: ServerMessage) {
        match message {
            ServerMessage::Register { req, .. } => {
                let yes = self.legacies[legacy].partner.is_none() && self.chance(0.9);
                let req = (!self.legacies[legacy].by_event).then_some(req);
                let answer = match yes {
                    true => ClientMessage::Accept { req },
                    false => ClientMessage::Decline { req, reason: None },
                };
                self.send_up(conn, Up::Message(answer));
            }
            ServerMessage::Registered { req, pairing } => {
                if req.is_some() {
                    self.legacies[legacy].asks = false;
                }
                self.legacy_paired(legacy, &pairing);
            }
            ServerMessage::RegisterFailed { .. } => self.legacies[legacy].asks = false,
            ServerMessage::Disconnect { pairing, reason, .. } => {
                if self.legacies[legacy].partner.take_if(|(id, _)| *id == pairing).is_some() {
                    let number = self.number_of_legacy(legacy);
                    self.oracle.unpaired(number, pairing, reason);
                    self.oracle.told_why(number, pairing);
                }
                if reason == EndReason::Unregistered {
                    self.send_up(conn, Up::Message(ClientMessage::Released { pairing }));
                }
            }
            _ => {}
        }
    }

    fn legacy_paired(&mut self, legacy: usize, pairing: &PairingInfo) {
        if self.legacies[legacy].partner.is_some_and(|(id, _)| id == pairing.id) {
            return;
        }
        let partner = SimClient::number_of(pairing.partner.as_str()).unwrap_or(usize::MAX);
        self.legacies[legacy].partner = Some((pairing.id, partner));
        self.oracle.paired(self.number_of_legacy(legacy), partner, pairing.id);
    }

    fn legacy_runs(&mut self, legacy: usize, pairing: PairingId, delivery: Delivery) {
        let number = self.number_of_legacy(legacy);
        let Delivery { seq, args, wants_reply: reply, .. } = delivery;
        let Some(call) = number_in(&args) else {
            return self.oracle.violate(Rule::Intact, format!("{number} gets something else"));
        };
        let source = self.oracle.partner_of(number).map_or(usize::MAX, |(_, partner)| partner);
        self.counts.legacy += 1;
        self.oracle.executed(call, number, source, pairing);
        if reply {
            let fails = self.stormy && self.chance(0.02);
            let returns = if fails { Returns::Failure } else { Returns::Value(0) };
            let after = self.millis(0..20);
            let handled = Handled { pairing, seq, call, returns };
            self.after(after, Event::LegacyFinish(legacy, handled));
        }
    }

    pub(crate) fn legacy_finish(&mut self, legacy: usize, handled: Handled) {
        let Handled { pairing, seq, call, returns } = handled;
        let Some(conn) = self.legacies[legacy].conn else { return };
        let result = match returns {
            Returns::Failure => {
                self.oracle.returned(call, Verdict::Failed);
                Err(NoAck::Unreadable)
            }
            _ => {
                self.oracle.returned(call, Verdict::Value);
                Ok(args_of(call, 0))
            }
        };
        self.send_up(conn, Up::Acknowledge { pairing, seq, result });
    }

    pub(crate) fn legacies_leave(&mut self) {
        for legacy in 0..self.legacies.len() {
            if let Some(conn) = self.legacies[legacy].conn {
                self.after(Duration::ZERO, Event::ClientLoses(conn));
                self.after(Duration::from_millis(10), Event::ServerLoses(conn));
            }
        }
    }
}
