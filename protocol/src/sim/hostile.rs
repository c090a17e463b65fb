//! Connections that keep no rule: they send arbitrary messages to the server and to their partners.
//! No other client may notice, and their partners must withstand it.

use std::time::Duration;

use crate::{
    Args, Body, ClientMessage, Code, ConnId, Dialect, Frame, PairingId, Refusal, ServerMessage,
};
use fastrand::Rng;
use serde_json::{Value, json};

use crate::sim::{
    connection::{Connection, Down, Up},
    direct::network::description,
    event::Event,
    parties::{HOSTILE, Hostile, name_of},
    watch::Who,
    world::World,
};

impl World {
    pub(crate) fn hostile_act(&mut self, hostile: usize) {
        if !self.stormy {
            return;
        }
        let after = self.millis(2..50);
        self.after(after, Event::Hostile(hostile));
        self.counts.hostile += 1;
        let Some(conn) = self.hostiles[hostile].conn else {
            return self.hostile_connect(hostile);
        };
        match (self.hostiles[hostile].pairing, self.rng.u32(..100)) {
            (_, 0) => self.hostile_goes(hostile, conn),
            // It comes again while it is there, with a token that is right or was.
            (_, 1) => self.hostile_connect(hostile),
            (_, 2) => {
                self.cut(conn, false);
                self.hostiles[hostile].conn = None;
            }
            (Some(_), 3..10) | (None, 3..40) => {
                let message = self.wild_message(hostile);
                self.send_up(conn, Up::Message(message));
            }
            (Some(pairing), 10..15) if self.plan.direct > 0.0 => {
                let signal = wild_signal(&mut self.rng);
                self.send_up(conn, Up::Signal(pairing, signal));
            }
            (Some(_), 15..40) if self.hostiles[hostile].link.is_some() => {
                self.hostile_sends_direct(hostile);
            }
            (Some(pairing), 10..95) => {
                let state = &mut self.hostiles[hostile];
                let count = self.rng.usize(1..8);
                let frames = (0..count).map(|_| wild_frame(&mut self.rng, state)).collect();
                self.send_up(conn, Up::Frames(pairing, frames));
            }
            (None, 40..60) => {
                let target = self.rng.usize(..self.clients.len());
                let target = self.clients[target].name.parse().expect("a name is an id");
                let req = Some(self.rng.u64(..5));
                let message = ClientMessage::Register {
                    req,
                    target,
                    payload: None,
                    consent_time: None,
                    wait: None,
                };
                self.send_up(conn, Up::Message(message));
            }
            _ => {
                self.meddle(conn);
            }
        }
    }

    fn hostile_connect(&mut self, hostile: usize) {
        if self.is_down() {
            return;
        }
        let conn = self.new_conn();
        let id = name_of(hostile).parse().expect("an id");
        let direct = self.plan.direct > 0.0;
        let who = Who { number: HOSTILE + hostile, id, dialect: Dialect::V2, direct };
        let tokens = &self.hostiles[hostile].tokens;
        let shown =
            if tokens.is_empty() { None } else { Some(tokens[self.rng.usize(..tokens.len())]) };
        let tokens = (shown, self.fresh_token());
        if self.server.admit(conn, who, tokens, self.now, &mut self.oracle).is_ok() {
            self.connections.insert(conn, Connection::new(HOSTILE + hostile, self.now));
            self.hostiles[hostile].conn = Some(conn);
            self.after(Duration::from_millis(1), Event::Announce(conn));
        }
    }

    /// It goes for good, by its word or without one.
    pub(crate) fn hostile_goes(&mut self, hostile: usize, conn: ConnId) {
        if self.rng.bool() {
            self.send_up(conn, Up::Message(ClientMessage::Leave));
        }
        let after = self.millis(100..2_000);
        self.after(after, Event::ServerLoses(conn));
        self.hostiles[hostile].conn = None;
    }

    pub(crate) fn hostiles_go(&mut self) {
        for hostile in 0..self.hostiles.len() {
            if let Some(conn) = self.hostiles[hostile].conn {
                self.hostile_goes(hostile, conn);
            }
        }
    }

    pub(crate) fn hostile_hears(&mut self, hostile: usize, what: Down) {
        let state = &mut self.hostiles[hostile];
        match what {
            Down::Message(ServerMessage::Welcome(welcome)) => {
                state.tokens.extend(welcome.resume);
                state.pairing = welcome.pairing.map(|pairing| pairing.id);
            }
            Down::Message(ServerMessage::Register { req, .. }) => state.asked.push(req),
            Down::Message(ServerMessage::Registered { pairing, .. }) => {
                state.pairing = Some(pairing.id);
                (state.sent, state.seen) = (0, 0);
                if pairing.initiator && pairing.direct {
                    self.hostile_offers(hostile, pairing.id);
                }
            }
            Down::Signal(pairing, signal) if Some(pairing) == state.pairing => {
                self.hostile_answers(hostile, pairing, &signal);
            }
            // It goes on sending there for a while.
            Down::Message(ServerMessage::Disconnect { .. }) if self.rng.bool() => {
                state.pairing = None;
            }
            Down::Frames(pairing, frames) if Some(pairing) == state.pairing => {
                let seen = frames.iter().map(|frame| frame.seq).max();
                state.seen = state.seen.max(seen.unwrap_or_default());
            }
            _ => {}
        }
    }

    fn wild_message(&mut self, hostile: usize) -> ClientMessage {
        let asked = &self.hostiles[hostile].asked;
        let req = match asked.len() {
            1.. if self.rng.u8(..4) > 0 => asked[self.rng.usize(..asked.len())],
            _ => self.rng.u64(..40),
        };
        match self.rng.u8(..8) {
            0..4 => ClientMessage::Accept { req: Some(req) },
            4 => ClientMessage::Decline { req: Some(req), reason: Some("x".repeat(3_000)) },
            5 => ClientMessage::List { req: Some(req) },
            6 => ClientMessage::Ping { req: u64::MAX },
            _ if self.rng.bool() => ClientMessage::Unregister { req: Some(req) },
            _ => {
                let foreign = self.oracle.foreign(HOSTILE + hostile);
                let which = self.rng.usize(..foreign.len().max(1));
                let pairing = foreign.get(which).copied();
                ClientMessage::Released { pairing: pairing.unwrap_or(PairingId::new(0, 0)) }
            }
        }
    }

    /// A connection sends frames of pairings that are not its own and never were.
    pub(crate) fn meddle(&mut self, conn: ConnId) -> bool {
        let foreign = self.oracle.foreign(self.connections[&conn].client);
        if foreign.is_empty() {
            return false;
        }
        let pairing = foreign[self.rng.usize(..foreign.len())];
        // An honest client sends no signal before its welcome.
        let is_hostile = self.connections[&conn].client >= HOSTILE;
        if is_hostile && self.plan.direct > 0.0 && self.rng.bool() {
            let signal = wild_signal(&mut self.rng);
            self.send_up(conn, Up::Signal(pairing, signal));
        } else {
            let frame = wild_frame(&mut self.rng, &mut Hostile::default());
            self.send_up(conn, Up::Frames(pairing, vec![frame]));
        }
        true
    }
}

/// A signal that may be lawful or not.
fn wild_signal(rng: &mut Rng) -> Value {
    let attempt = match rng.u8(..4) {
        0 => Value::Null,
        1 => Value::from(u64::MAX),
        _ => Value::from(rng.u64(..20)),
    };
    let sdp = description(rng.u64(..5), rng.u64(..5));
    let why = ["silent", "closed", "changed", "novel"][rng.usize(..4)];
    match rng.u8(..6) {
        0 => json!({ "type": "offer", "sdp": sdp.as_str(), "attempt": attempt }),
        1 => json!({ "type": "answer", "sdp": sdp.as_str(), "attempt": attempt }),
        2 => json!({ "type": "renegotiate", "renegotiate": true, "why": why, "attempt": attempt }),
        3 => json!({ "type": "offer", "sdp": "v=0", "attempt": attempt }),
        4 => json!({ "candidate": "candidate:1", "attempt": attempt }),
        _ => attempt,
    }
}

/// A frame that may be lawful or not.
pub(crate) fn wild_frame(rng: &mut Rng, state: &mut Hostile) -> Frame {
    state.sent += 1;
    let seq = match rng.u8(..12) {
        0 => rng.u64(..600),
        1 => rng.u64(..),
        2 => 0,
        3 => u64::MAX,
        _ => state.sent,
    };
    let number = |rng: &mut Rng| match rng.u8(..8) {
        0 => rng.u64(..600),
        1 => u64::MAX,
        _ => state.seen,
    };
    let ttl = match rng.u8(..8) {
        0 => Some(Duration::ZERO),
        1 => Some(Duration::from_millis(u64::MAX)),
        _ => None,
    };
    let (ack, got) = (number(rng), number(rng));
    Frame { seq, ack, got: got.max(ack), ttl, body: wild_body(rng).into() }
}

fn wild_body(rng: &mut Rng) -> Body {
    let args = || -> Args { vec![Value::from(u64::MAX)].into() };
    match rng.u8(..12) {
        0..4 => {
            let event = match rng.u8(..5) {
                0 => "connect".to_owned(),
                1 => "P2P_WELCOME".to_owned(),
                2 => "e".repeat(300),
                _ => "call".to_owned(),
            };
            Body::Emit { event, args: args(), wants_reply: rng.bool() }
        }
        4..7 => {
            let to = if rng.bool() { rng.u64(..60) } else { rng.u64(..) };
            let codes = [Code::Unhandled, Code::Timeout, Code::HandlerFailed, Code::Closed];
            let code = codes[rng.usize(..codes.len())];
            let result = if rng.bool() { Ok(args()) } else { Err(Refusal::from(code)) };
            Body::Reply { to, result }
        }
        7 | 8 => {
            let texts = ["{\"t\":\"emit\",\"e\":\"call\",\"a\":[1", "]}", "{", "\\\u{0}", "null"];
            let text = match rng.u8(..3) {
                0 => "x".repeat(16 * 1024),
                _ => texts[rng.usize(..texts.len())].to_owned(),
            };
            Body::Part { text, last: rng.u8(..4) == 0 }
        }
        9 => Body::Drop,
        10 => Body::Cancel { to: if rng.bool() { rng.u64(..60) } else { rng.u64(..) } },
        _ => Body::Ack,
    }
}
