//! The page of a v1 client: what it does by itself, and what it believes.

use std::time::Duration;

use super::{
    Legacy,
    event::{LegacyEvent, LegacyQuestion},
};
use crate::{ClientMessage, ConnId, EndReason, PairingInfo, ServerMessage};

use crate::sim::{
    client::SimClient,
    connection::Up,
    event::Event,
    oracle::{ClientNo, Rule},
    world::World,
};

impl World {
    pub(crate) fn legacy_event(&mut self, legacy: usize, event: LegacyEvent) {
        let is_on = |conn: &ConnId| self.legacies[legacy].conn == Some(*conn);
        match event {
            LegacyEvent::Connect => self.legacy_connect(legacy),
            LegacyEvent::Act => self.legacy_act(legacy),
            LegacyEvent::Finish(handled) => self.legacy_finish(legacy, handled),
            LegacyEvent::Decide(conn, question) if is_on(&conn) => {
                self.legacy_decides(legacy, conn, question);
            }
            LegacyEvent::Repeat(conn, target) if is_on(&conn) => {
                self.legacy_repeats(legacy, conn, target);
            }
            LegacyEvent::TakeBack(conn, target)
                if is_on(&conn) && self.legacies[legacy].asks_for(target) =>
            {
                self.legacies[legacy].give_up();
                self.legacy_unregisters(legacy, conn);
            }
            LegacyEvent::Resend(conn, yes, ack)
                if is_on(&conn) && self.legacies[legacy].unheard == Some(ack) =>
            {
                self.legacy_answers_by_event(legacy, conn, yes);
            }
            LegacyEvent::Release(conn, pairing) if is_on(&conn) => {
                self.send_up(conn, Up::Message(ClientMessage::Released { pairing }));
            }
            // That was on an earlier connection, or is done.
            _ => {}
        }
    }

    fn legacy_act(&mut self, legacy: usize) {
        if !self.stormy {
            return;
        }
        let after = self.millis(1..110);
        self.after(after, Event::Legacy(legacy, LegacyEvent::Act));
        let Legacy { conn: Some(conn), partner, believes, .. } = self.legacies[legacy] else {
            return;
        };
        let is_paired = partner.is_some() && partner.map(|(_, partner)| partner) == believes;
        match self.rng.u32(..2_000) {
            0..500 if believes.is_none() && !self.legacies[legacy].asks() => {
                let target = self.rng.usize(..self.clients.len() + self.legacies.len());
                self.legacy_registers(legacy, conn, target);
            }
            0..3 if believes.is_some() => self.legacy_unregisters(legacy, conn),
            3 if is_paired => self.legacy_bursts(legacy),
            _ if is_paired && self.legacies[legacy].open.len() < 60 => {
                for _ in 0..self.rng.usize(1..4) {
                    let acknowledged = self.chance(0.8);
                    self.legacy_emit(legacy, acknowledged);
                }
            }
            _ => {}
        }
    }

    /// It emits in one loop, as much as several windows, or more than the server takes at once.
    fn legacy_bursts(&mut self, legacy: usize) {
        let acknowledged = self.rng.bool();
        for _ in 0..self.rng.usize(200..2_000) {
            self.legacy_emit(legacy, acknowledged);
        }
    }

    pub(super) fn legacy_told(&mut self, legacy: usize, conn: ConnId, message: ServerMessage) {
        match message {
            ServerMessage::Register { req, source, .. } => {
                let source = SimClient::number_of(source.as_str()).unwrap_or(ClientNo::MAX);
                self.legacy_asked(legacy, conn, LegacyQuestion { req, source });
            }
            ServerMessage::Registered { req, pairing } => {
                self.legacy_paired(legacy, &pairing);
                self.legacy_answered(legacy, req, true);
            }
            ServerMessage::RegisterFailed { req, .. } => self.legacy_answered(legacy, req, false),
            ServerMessage::Disconnect { pairing, reason, .. } => {
                self.legacies[legacy].believes = None;
                if self.legacies[legacy].partner.take_if(|(id, _)| *id == pairing).is_some() {
                    let number = self.number_of_legacy(legacy);
                    self.oracle.unpaired(number, pairing, reason);
                    self.oracle.told_why(number, pairing);
                }
                // Some acknowledge late, and some never.
                if reason == EndReason::Unregistered && !(self.stormy && self.chance(0.03)) {
                    let is_late = self.stormy && self.chance(0.05);
                    let after = if is_late { self.millis(0..5_000) } else { Duration::ZERO };
                    self.after(after, Event::Legacy(legacy, LegacyEvent::Release(conn, pairing)));
                }
            }
            ServerMessage::Withdrawn { .. } | ServerMessage::EndedWhileAway => {
                self.legacies[legacy].believes = None;
            }
            _ => {}
        }
    }

    /// The server has paired it. It has asked for that, or has consented.
    fn legacy_paired(&mut self, legacy: usize, pairing: &PairingInfo) {
        if self.legacies[legacy].partner.is_some_and(|(id, _)| id == pairing.id) {
            return;
        }
        let partner = SimClient::number_of(pairing.partner.as_str()).unwrap_or(usize::MAX);
        let number = self.number_of_legacy(legacy);
        if !self.legacies[legacy].wants(partner) {
            let what = format!("v1 client {number} did not agree to {partner}");
            self.oracle.violate(Rule::Consent, what);
        }
        self.legacies[legacy].partner = Some((pairing.id, partner));
        self.oracle.paired(number, partner, pairing.id);
    }

    /// Checks that each page believes what is true, now that nothing is under way.
    pub(crate) fn check_beliefs(&mut self) {
        for legacy in 0..self.legacies.len() {
            let number = self.number_of_legacy(legacy);
            let partner = self.oracle.partner_of(number).map(|(_, partner)| partner);
            let Legacy { believes, conn, .. } = self.legacies[legacy];
            if conn.is_some() && believes != partner {
                let what = format!("v1 client {number} believes in {believes:?}, not {partner:?}");
                self.oracle.violate(Rule::Belief, what);
            }
        }
    }
}
