//! The part of the server that has to do with v1 clients.

use std::time::Instant;

use super::{Routed, Server, acts::Act, bridged::Bridged};
use crate::{
    Args, Cause, ClientMessage, Code, ConnId, Outcome, PairingId, Partner,
    peer::v1::{self, Bridge, NoAck, Side},
    relay::{self, V1Emit},
    sim::{
        client::SimClient,
        oracle::{CallNo, ClientNo, Oracle, Rule},
    },
    wire::{REGISTER_FAILED, REGISTER_SUCCESS},
};

impl Server {
    /// Keeps a session for a peer that speaks v1, if there is one. Returns the side of the bridge that
    /// this connection has.
    pub(super) fn bridge(&mut self, conn: ConnId, partner: &Partner, now: Instant) -> Option<Side> {
        let ends = [self.dialect(conn)?, partner.dialect];
        if !Bridge::is_needed(ends) {
            return None;
        }
        let other = self.routes.get(&partner.conn);
        let other = other.filter(|routed| routed.route.pairing() == partner.pairing);
        if let Some(side) = other.and_then(|routed| routed.side)
            && let Some(bridged) = self.bridges.get_mut(&partner.pairing)
        {
            *bridged.conn(side.other()) = conn;
            return Some(side.other());
        }
        let bridge = Bridge::new(ends, now);
        let bridged = Bridged { bridge, first: conn, second: partner.conn };
        self.bridges.insert(partner.pairing, bridged);
        Some(Side::First)
    }

    /// Carries out the requests that need not wait any longer.
    pub(super) fn release(&mut self, now: Instant, oracle: &mut Oracle) {
        while let Some((conn, request)) = self.next_request(now) {
            self.carry_out_request(conn, request, now, oracle);
        }
        self.held.retain(|_, held| !held.is_empty());
    }

    fn next_request(&mut self, now: Instant) -> Option<(ConnId, ClientMessage)> {
        self.held.iter_mut().find_map(|(conn, held)| {
            let routed = self.routes.get(conn);
            let ends = routed.and_then(|routed| Some((routed.route.pairing(), routed.side?)));
            let bridged = ends.and_then(|(pairing, side)| {
                Some((&mut self.bridges.get_mut(&pairing)?.bridge, side))
            });
            let is_unconfirmed =
                bridged.as_ref().is_some_and(|(bridge, side)| bridge.is_unconfirmed(*side));
            let request = held.pop(is_unconfirmed, now);
            if request.is_none()
                && !held.is_empty()
                && let Some((bridge, side)) = bridged
            {
                bridge.leave(side);
            }
            Some((*conn, request?))
        })
    }

    /// Handles an event of the v1 client on this connection, which may be paired anew.
    pub(super) fn handle_v1(
        &mut self,
        conn: ConnId,
        pairing: PairingId,
        input: v1::Input,
        now: Instant,
        oracle: &mut Oracle,
    ) {
        if let Some(routed) = self.routes.get(&conn)
            && let Some(side) = routed.side
            && let Some(bridged) = self.bridges.get_mut(&pairing)
            && *bridged.conn(side) == conn
        {
            bridged.bridge.handle(side, input, now);
            bridged.pump(pairing, &self.full, &mut self.acts, now, oracle);
        }
    }

    /// A v1 client emits something: to its partner, or not at all.
    pub(crate) fn emit(
        &mut self,
        from: ConnId,
        target: ClientNo,
        (args, call): (Args, Option<CallNo>),
        now: Instant,
        oracle: &mut Oracle,
    ) {
        let emit = V1Emit { target: SimClient::new(target).name, event: "call".to_owned(), args };
        let refused = match self.try_emit(from, emit, call, now) {
            Ok(pairing) => {
                if let Some(bridged) = self.bridges.get_mut(&pairing) {
                    bridged.pump(pairing, &self.full, &mut self.acts, now, oracle);
                }
                return;
            }
            Err(code) => code,
        };
        if relay::is_offence(refused) {
            oracle.violate(Rule::Bounded, format!("{from} gets a strike: {refused}"));
        }
        if let Some(call) = call {
            let outcome = Outcome::NotExecuted(Cause::Code(refused));
            self.acts.push_back(Act::Acknowledge(from, call, outcome));
        }
    }

    fn try_emit(
        &mut self,
        from: ConnId,
        emit: V1Emit,
        call: Option<CallNo>,
        now: Instant,
    ) -> Result<PairingId, Code> {
        let routed = self.routes.get(&from);
        let route = emit.admit(routed.map(|routed| &routed.route), |_| true);
        let pairing = route.map_err(|refusal| refusal.code)?.pairing();
        let side = routed.and_then(|routed| routed.side).ok_or(Code::NotPaired)?;
        let bridged = self.bridges.get_mut(&pairing).ok_or(Code::NotPaired)?;
        let ack = call.map(|call| call as u64);
        bridged.bridge.emit(side, emit.event, emit.args, ack, now)?;
        Ok(pairing)
    }

    /// A v1 client acknowledges an event of a pairing, which may be over.
    pub(crate) fn acknowledged(
        &mut self,
        from: ConnId,
        pairing: PairingId,
        (seq, result): (u64, Result<Args, NoAck>),
        now: Instant,
        oracle: &mut Oracle,
    ) {
        self.handle_v1(from, pairing, v1::Input::Acknowledged(seq, result), now, oracle);
        self.release(now, oracle);
    }

    /// A v1 client answers by an event.
    pub(crate) fn answered_by_event(
        &mut self,
        from: ConnId,
        yes: bool,
        ack: Option<u64>,
        now: Instant,
        oracle: &mut Oracle,
    ) {
        let event = if yes { REGISTER_SUCCESS } else { REGISTER_FAILED };
        if let Some(ack) = ack.filter(|_| relay::is_acknowledged_at_once(event)) {
            self.acts.push_back(Act::Hear(from, ack));
        }
        let answer = match yes {
            true => ClientMessage::Accept { req: None },
            false => ClientMessage::Decline { req: None, reason: None },
        };
        self.request(from, answer, now, oracle);
    }

    /// Returns whether so much of a v1 client waits that nothing is read from it.
    pub(crate) fn is_held_back(&self, conn: ConnId) -> bool {
        let Some(Routed { route, side: Some(side), .. }) = self.routes.get(&conn) else {
            return false;
        };
        let bridged = self.bridges.get(&route.pairing());
        bridged.is_some_and(|bridged| bridged.bridge.is_full(*side))
    }

    /// The queue of a v1 client is full, or has room again.
    pub(crate) fn pause(&mut self, conn: ConnId, paused: bool) {
        if paused {
            self.full.insert(conn);
        } else {
            self.full.remove(&conn);
        }
    }

    /// The queue of a v1 client's partner is full.
    pub(crate) fn refuse_bridged(&mut self, to: ConnId, pairing: PairingId, now: Instant) {
        if let Some(side) = self.routes.get(&to).and_then(|routed| routed.side)
            && let Some(bridged) = self.bridges.get_mut(&pairing)
        {
            bridged.bridge.handle(side.other(), v1::Input::Refused, now);
        }
    }
}
