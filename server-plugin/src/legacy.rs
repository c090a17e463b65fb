//! The dialect of the JavaScript library: what its clients are told, and what they say.

use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use socketio_p2p_protocol::{
    Args, ClientMessage, Code, Dialect, EndReason, Refusal, ServerMessage,
    limits::{JSON_DEPTH, REGISTER_TIMEOUT, RELAYED_FRAME_BYTES, RELEASE_TIMEOUT},
    wire::{
        self, DISCONNECT, REGISTER, SERVER_ERROR, UNREGISTER, check_event, v1_answer, v1_error,
        v1_failed,
    },
};

use crate::{
    connection::Connection,
    relay::{self, Way},
    server::Shared,
    socket::{Arguments, NoAck, SendFailure},
};

/// Tells a v1 client something.
pub(crate) fn send(
    shared: &Arc<Shared>,
    to: &Arc<Connection>,
    message: &ServerMessage,
) -> Result<(), SendFailure> {
    let emit = |event, args: &[Value]| to.outlet.emit(event, Arguments::Values(args));
    match message {
        ServerMessage::Register { req, source, .. } => {
            let args = [Value::from(source.as_str())];
            let ack =
                to.outlet.emit_with_ack(REGISTER, Arguments::Values(&args), REGISTER_TIMEOUT)?;
            let (shared, conn, req) = (shared.clone(), to.id, *req);
            shared.clone().spawn(async move {
                // A client that answers by event lets this time out.
                if let Ok(args) = ack.await {
                    shared.received(conn, v1_answer(&read_answer(&args), Some(req)));
                }
            });
            Ok(())
        }
        ServerMessage::Registered { req, .. } => ack(to, *req, &[Value::Bool(true)]),
        ServerMessage::RegisterFailed { req, refusal } => {
            emit(SERVER_ERROR, &[v1_error(refusal)])?;
            ack(to, *req, &[Value::Bool(false)])
        }
        ServerMessage::Disconnect { pairing, reason: EndReason::Unregistered, .. } => {
            let ack =
                to.outlet.emit_with_ack(UNREGISTER, Arguments::Values(&[]), RELEASE_TIMEOUT)?;
            let (shared, conn, pairing) = (shared.clone(), to.id, *pairing);
            shared.clone().spawn(async move {
                if !matches!(ack.await, Err(NoAck::Missing | NoAck::Gone)) {
                    shared.received(conn, ClientMessage::Released { pairing });
                }
            });
            Ok(())
        }
        ServerMessage::Disconnect { .. }
        | ServerMessage::Withdrawn { .. }
        | ServerMessage::Ghost => emit(DISCONNECT, &[]),
        ServerMessage::Unregistered { req } => ack(to, *req, &[]),
        ServerMessage::Clients { req, clients } => {
            let ids = clients.iter().map(|client| client.id.as_str().into()).collect();
            ack(to, *req, &[Value::Array(ids)])
        }
        ServerMessage::Error { refusal, req, .. } => {
            emit(SERVER_ERROR, &[v1_error(refusal)])?;
            ack(to, *req, &[Value::Array(Vec::new())])
        }
        ServerMessage::Partner { state, .. } => {
            // It is not told: the session that is kept for it takes note.
            if let Some(route) = to.route()
                && let Way::Bridged(bridge, side) = &route.way
            {
                bridge.partner_is(shared, *side, *state);
            }
            Ok(())
        }
        ServerMessage::Welcome(_)
        | ServerMessage::Pong { .. }
        | ServerMessage::SignalRefused { .. }
        | ServerMessage::Farewell { .. } => Ok(()),
    }
}

/// What a v1 client says of a registration: nothing, if it cannot be read.
fn read_answer(args: &Args) -> Vec<Value> {
    match wire::depth(args.as_json()) {
        0..=JSON_DEPTH => args.parse().unwrap_or_default(),
        _ => Vec::new(),
    }
}

fn ack(to: &Connection, req: Option<u64>, args: &[Value]) -> Result<(), SendFailure> {
    match req.map(i64::try_from) {
        Some(Ok(id)) => to.outlet.ack(id, Arguments::Values(args)),
        _ => Ok(()),
    }
}

/// Tells a v1 client that waits for an acknowledgement that there is none, and why.
pub(crate) fn ack_failed(to: &Connection, req: Option<u64>, refusal: &Refusal) {
    let failed = [v1_failed(refusal.code.as_str(), &refusal.message)];
    // If its queue is full, it does not read, and gets no answer either.
    ack(to, req, &failed).ok();
}

/// The argument of `P2P_EMIT` and `P2P_EMIT_ACKNOWLEDGE`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Emit<'a> {
    target_client_id: String,
    event: String,
    #[serde(borrow)]
    args: &'a RawValue,
}

/// Relays an event of a v1 client, and its partner's acknowledgement if it `waits` for that.
pub(crate) fn emit(
    shared: &Arc<Shared>,
    from: &Connection,
    text: &str,
    attachments: Vec<Bytes>,
    req: Option<u64>,
    waits: bool,
) {
    let for_partner = req.filter(|_| waits);
    match relay(shared, from, text, attachments, for_partner) {
        Err(refusal) => refuse(shared, from, req, &refusal),
        // The relayed event itself asks for nothing: whoever asks all the same need not wait.
        Ok(()) if !waits => log_unanswered(from, ack(from, req, &[])),
        Ok(()) => {}
    }
}

/// Tells a v1 client that its event is not relayed, and why.
pub(crate) fn refuse(shared: &Arc<Shared>, from: &Connection, req: Option<u64>, refusal: &Refusal) {
    let args = [v1_error(refusal)];
    let told = from.outlet.emit(SERVER_ERROR, Arguments::Values(&args));
    if told.is_ok() {
        ack_failed(from, req, refusal);
    }
    log_unanswered(from, told);
    shared.refused(from, refusal.code);
}

fn log_unanswered(from: &Connection, answered: Result<(), SendFailure>) {
    if let Err(failure) = answered {
        tracing::debug!(client = %from.client, ?failure, "not answered");
    }
}

fn relay(
    shared: &Arc<Shared>,
    from: &Connection,
    text: &str,
    attachments: Vec<Bytes>,
    req: Option<u64>,
) -> Result<(), Refusal> {
    let size = text.len() + attachments.iter().map(Bytes::len).sum::<usize>() * 4 / 3;
    if size > RELAYED_FRAME_BYTES || wire::depth(text) > JSON_DEPTH {
        return Err(Code::TooLarge.into());
    }
    let bad_args = |error: &dyn ToString| Refusal::new(Code::BadArgs, &error.to_string());
    let packet: Vec<&RawValue> = serde_json::from_str(text).map_err(|error| bad_args(&error))?;
    let emit = packet.get(1).ok_or_else(|| bad_args(&"arguments are missing"))?;
    let Emit { target_client_id, event, args } =
        serde_json::from_str(emit.get()).map_err(|error| bad_args(&error))?;
    let args = Args::new(args.to_owned(), attachments).map_err(|error| bad_args(&error))?;
    check_event(&event)?;

    let route = relay::route(shared, from).ok_or(Code::NotPaired)?;
    if route.partner.client.as_str() != target_client_id {
        return Err(Code::NotPaired.into());
    }
    if !args.blobs().is_empty() && !route.partner.outlet.takes_attachments() {
        return Err(Refusal::new(Code::BadArgs, "the partner's transport takes no attachments"));
    }
    if route.partner.dialect == Dialect::V2 {
        // A string of JavaScript may hold half a pair of surrogates. The parser of a Rust client
        // would drop the whole frame, and the session wait for it for ever.
        args.parse::<Vec<Value>>().map_err(|error| bad_args(&error))?;
    }
    if let Way::Bridged(bridge, side) = &route.way {
        bridge.emit(shared, *side, event, args, req)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_that_is_nested_too_deep_is_none() {
        let read = |json: &str| read_answer(&Args::from_text(json.to_owned(), Vec::new()).unwrap());

        assert_eq!(read("[true,7]"), [json!(true), json!(7)]);
        assert!(read(r#"[{"$serde_json::private::RawValue":"true"}]"#).is_empty());
        let deep = "[".repeat(JSON_DEPTH + 1) + &"]".repeat(JSON_DEPTH + 1);
        assert!(read(&deep).is_empty());
    }
}
