//! What a v1 client is sent: the server's messages, refusals and acknowledgements in its dialect.

use serde_json::Value;
use socketio_p2p_protocol::{
    EndReason, ReqId, ServerMessage,
    limits::{DEPARTED_V1_TIME, RELEASE_TIMEOUT},
    relay::{RefusedV1, SendFailure},
    wire::{DISCONNECT, REGISTER, SERVER_ERROR, UNREGISTER, v1_error, v1_list, v1_register_error},
};

use crate::{
    inbound::answers::Asked,
    outbound::{
        arguments::Arguments,
        socket::{Acknowledged, Outlet},
    },
};

/// Sends a message to a v1 client in its dialect. If it is a question, returns it with its acknowledgement, which may
/// never come.
pub(crate) fn tell(
    outlet: &dyn Outlet,
    message: &ServerMessage,
) -> Result<Option<(Asked, Acknowledged)>, SendFailure> {
    let emit = |event, args: &[Value]| outlet.emit(event, Arguments::Values(args));
    match message {
        ServerMessage::Register { req, source, consent_time, .. } => {
            let args = [Value::from(source.as_str())];
            // If its yes comes too late, the client must be informed.
            let time = *consent_time + DEPARTED_V1_TIME;
            let ack = outlet.emit_with_ack(REGISTER, Arguments::Values(&args), time)?;
            return Ok(Some((Asked::Register(*req), ack)));
        }
        ServerMessage::Registered { req, .. } => ack(outlet, *req, &[Value::Bool(true)])?,
        ServerMessage::RegisterFailed { req, target, refusal } => {
            emit(SERVER_ERROR, &[v1_register_error(target.as_ref(), refusal)])?;
            ack(outlet, *req, &[Value::Bool(false)])?;
        }
        ServerMessage::Disconnect { pairing, reason: EndReason::Unregistered, .. } => {
            let ack = outlet.emit_with_ack(UNREGISTER, Arguments::Values(&[]), RELEASE_TIMEOUT)?;
            return Ok(Some((Asked::Unregister(*pairing), ack)));
        }
        ServerMessage::Disconnect { .. }
        | ServerMessage::Withdrawn { .. }
        | ServerMessage::EndedWhileAway => emit(DISCONNECT, &[])?,
        ServerMessage::Unregistered { req } => ack(outlet, *req, &[])?,
        ServerMessage::Clients { req, clients } => {
            ack(outlet, *req, &[v1_list(clients)])?;
        }
        ServerMessage::Error { refusal, req, .. } => {
            emit(SERVER_ERROR, &[v1_error(refusal)])?;
            ack(outlet, *req, &[Value::Array(Vec::new())])?;
        }
        // The session that is kept for the client takes note of its partner.
        ServerMessage::Partner { .. }
        | ServerMessage::Welcome(_)
        | ServerMessage::Target { .. }
        | ServerMessage::Line { .. }
        | ServerMessage::Joined { .. }
        | ServerMessage::Member { .. }
        | ServerMessage::Exited { .. }
        | ServerMessage::Pong { .. }
        | ServerMessage::SignalRefused { .. }
        | ServerMessage::Farewell { .. } => {}
    }
    Ok(None)
}

/// Tells a v1 client that an event of it is refused, and why.
pub(crate) fn refuse(
    outlet: &dyn Outlet,
    req: Option<ReqId>,
    refused: &RefusedV1,
) -> Result<(), SendFailure> {
    let RefusedV1 { error, answer, .. } = refused;
    outlet.emit(SERVER_ERROR, Arguments::Values(std::slice::from_ref(error)))?;
    ack(outlet, req, std::slice::from_ref(answer))
}

/// Acknowledges an event of a v1 client, if the client asked for it.
pub(crate) fn ack(
    outlet: &dyn Outlet,
    req: Option<ReqId>,
    args: &[Value],
) -> Result<(), SendFailure> {
    ack_with(outlet, req, Arguments::Values(args))
}

pub(super) fn ack_with(
    outlet: &dyn Outlet,
    req: Option<ReqId>,
    args: Arguments<'_>,
) -> Result<(), SendFailure> {
    match req.map(i64::try_from) {
        Some(Ok(id)) => outlet.ack(id, args),
        // Ids of acknowledgements come from the client as `i64`.
        Some(Err(_)) | None => Ok(()),
    }
}
