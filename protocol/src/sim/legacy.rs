//! V1 clients: native acknowledgements, no session, and one partner at a time, which the page remembers
//! by its name whatever becomes of the connection.

mod consent;
pub(crate) mod event;
mod page;

use std::{collections::BTreeSet, time::Duration};

use self::{consent::Asking, event::LegacyEvent};
use crate::{
    Args, ClientMessage, ConnId, Dialect, EndReason, Outcome, PairingId, peer::v1::NoAck,
    session::Delivery,
};

use crate::sim::{
    client::{Handled, Returns, SimClient},
    connection::{Connection, Down, State, Up},
    event::Event,
    handlers::{args_of, number_in},
    oracle::{CallNo, ClientNo, Manner, Report, Rule, Verdict},
    watch::Who,
    world::World,
};

/// A v1 client.
#[derive(Debug, Default)]
pub(crate) struct Legacy {
    pub(crate) conn: Option<ConnId>,
    /// The pairing that the server has for it, and the partner.
    pub(crate) partner: Option<(PairingId, ClientNo)>,
    /// The client that its page takes for its partner. The page outlives the connection.
    pub(crate) believes: Option<ClientNo>,
    /// Calls without an acknowledgement.
    pub(crate) open: BTreeSet<CallNo>,
    asking: Option<Asking>,
    last_req: u64,
    /// Clients to which it said yes on this connection.
    consents: BTreeSet<ClientNo>,
    /// Set if it answers by events, as old ones do.
    by_event: bool,
    /// The id of the acknowledgement for which its last answer by event waits, if it has `retries`.
    unheard: Option<u64>,
}

impl Legacy {
    pub(crate) fn new(number: usize) -> Self {
        Self { by_event: number % 2 == 1, ..Self::default() }
    }

    /// Returns true while it waits for the answer to its registration.
    pub(crate) const fn asks(&self) -> bool {
        self.asking.is_some()
    }

    fn next_req(&mut self) -> u64 {
        self.last_req += 1;
        self.last_req
    }
}

impl World {
    /// Returns the place of the v1 client that has this number.
    pub(crate) fn legacy_of(&self, number: ClientNo) -> Option<usize> {
        let legacy = number.checked_sub(self.clients.len())?;
        (legacy < self.legacies.len()).then_some(legacy)
    }

    fn number_of_legacy(&self, legacy: usize) -> ClientNo {
        self.clients.len() + legacy
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

    fn legacy_connect(&mut self, legacy: usize) {
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
        self.after(after, Event::Legacy(legacy, LegacyEvent::Connect));
    }

    /// Its connection is gone, and its pairing with it. Its page does not notice.
    pub(crate) fn legacy_loses(&mut self, legacy: usize, conn: ConnId) {
        if self.legacies[legacy].conn != Some(conn) {
            return;
        }
        let Legacy { by_event, believes, last_req, .. } = self.legacies[legacy];
        let after = Legacy { by_event, believes, last_req, ..Legacy::default() };
        let before = std::mem::replace(&mut self.legacies[legacy], after);
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
            Down::Heard(ack) => drop(self.legacies[legacy].unheard.take_if(|of| *of == ack)),
            Down::Acknowledge(call, outcome) => {
                if !self.legacies[legacy].open.remove(&call) {
                    let what = format!("{call} of a v1 client is answered twice");
                    return self.oracle.violate(Rule::ReportedOnce, what);
                }
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
            Down::Frames(..) | Down::Signal(..) | Down::Garbled | Down::Unreadable(..) => {
                self.oracle.violate(Rule::NoStranger, "a v1 client gets frames");
            }
        }
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
        if !reply {
            return;
        }
        // Some handlers never acknowledge, or when nobody waits any more.
        let (after, returns) = match self.rng.u32(..100) {
            _ if !self.stormy => (self.millis(0..20), Returns::Value(0)),
            0..2 => return self.oracle.excuse(call),
            2..4 => {
                self.oracle.excuse(call);
                (self.millis(500..45_000), Returns::Value(0))
            }
            4..6 => (self.millis(0..20), Returns::Failure),
            _ => (self.millis(0..20), Returns::Value(0)),
        };
        let handled = Handled { pairing, seq, call, returns };
        self.after(after, Event::Legacy(legacy, LegacyEvent::Finish(handled)));
    }

    fn legacy_finish(&mut self, legacy: usize, handled: Handled) {
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

    fn legacy_unregisters(&mut self, legacy: usize, conn: ConnId) {
        self.legacies[legacy].believes = None;
        let req = Some(self.legacies[legacy].next_req());
        self.send_up(conn, Up::Message(ClientMessage::Unregister { req }));
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
