//! Events of v1 clients for their partners: `P2P_EMIT` and `P2P_EMIT_ACKNOWLEDGE`.

use std::sync::Arc;

use bytes::Bytes;
use socketio_p2p_protocol::{
    Code, Refusal, ReqId,
    relay::{RefusedV1, SendFailure, V1Emit},
};

use crate::{
    connection::{Connection, Way},
    observe::logged,
    step::Shared,
    v1,
};

/// Relays an event of a v1 client, and its partner's acknowledgement if the client `waits` for it.
pub(crate) fn emit(
    shared: &Arc<Shared>,
    from: &Connection,
    text: &str,
    attachments: Vec<Bytes>,
    req: Option<ReqId>,
    waits: bool,
) {
    let for_partner = req.filter(|_| waits);
    match relay(shared, from, text, attachments, for_partner) {
        Err(refusal) => refuse(shared, from, req, &RefusedV1::emit(text, &refusal)),
        // `P2P_EMIT` asks for nothing. A client that asks all the same need not wait.
        Ok(()) if !waits => log_unanswered(from, v1::ack(&*from.outlet, req, &[])),
        Ok(()) => {}
    }
}

/// Tells a v1 client that its event is refused, and why.
pub(crate) fn refuse(
    shared: &Arc<Shared>,
    from: &Connection,
    req: Option<ReqId>,
    refused: &RefusedV1,
) {
    log_unanswered(from, v1::refuse(&*from.outlet, req, refused));
    shared.refused(from, refused.code);
}

fn log_unanswered(from: &Connection, answered: Result<(), SendFailure>) {
    if let Err(failure) = answered {
        logged(
            || tracing::debug!(client = %from.client, ?failure, "sending an answer to a v1 client failed"),
        );
    }
}

fn relay(
    shared: &Shared,
    from: &Connection,
    text: &str,
    attachments: Vec<Bytes>,
    ack: Option<ReqId>,
) -> Result<(), Refusal> {
    let emit = V1Emit::read(text, attachments)?;
    let route = super::route_to_partner(shared, from);
    let route = emit.admit(route, |route| route.partner.outlet.takes_attachments())?;
    match &route.way {
        Way::Bridged(bridge, side) => Ok(bridge.emit(*side, emit.event, emit.args, ack)?),
        // A pairing with a v1 client has a bridge.
        Way::Straight => Err(Code::NotPaired.into()),
    }
}
