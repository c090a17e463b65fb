//! The sessions that the server keeps for v1 clients.

use std::{
    collections::{BTreeSet, VecDeque},
    time::Instant,
};

use super::acts::Act;
use crate::{
    ConnId, PairingId,
    peer::v1::{self, Bridge, Side},
    relay::SendFailure,
    sim::oracle::{CallNo, Oracle, Rule},
};

/// A bridge and the connections of its two sides.
#[derive(Debug)]
pub(super) struct Bridged {
    pub(super) bridge: Bridge,
    pub(super) first: ConnId,
    pub(super) second: ConnId,
}

impl Bridged {
    pub(super) const fn conn(&mut self, side: Side) -> &mut ConnId {
        match side {
            Side::First => &mut self.first,
            Side::Second => &mut self.second,
        }
    }

    /// Carries out the actions of the bridge of this pairing.
    pub(super) fn pump(
        &mut self,
        pairing: PairingId,
        full: &BTreeSet<ConnId>,
        acts: &mut VecDeque<Act>,
        now: Instant,
        oracle: &mut Oracle,
    ) {
        while let Some((side, output)) = self.bridge.poll_output() {
            let conn = *self.conn(side);
            match output {
                v1::Output::Send(frame) => {
                    acts.push_back(Act::Bridge(*self.conn(side.other()), pairing, frame));
                }
                v1::Output::Emit(delivery) => {
                    let sent = if full.contains(&conn) { Err(SendFailure::Full) } else { Ok(()) };
                    if sent.is_ok() {
                        acts.push_back(Act::Emit(conn, pairing, delivery.clone()));
                    }
                    self.bridge.handle(side, v1::Input::Emitted(delivery, sent), now);
                }
                v1::Output::Acknowledge(ack, outcome) => {
                    acts.push_back(Act::Acknowledge(conn, ack as CallNo, outcome));
                }
                // The client may acknowledge it all the same.
                v1::Output::Abandoned(_) | v1::Output::Undelivered => {}
                v1::Output::Complain(violation) => {
                    oracle.violate(Rule::Bounded, format!("a bridge complains: {violation}"));
                }
            }
        }
    }
}
