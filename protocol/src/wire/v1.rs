//! The arguments of v1 messages that the server writes or reads itself.

use serde::{Deserialize, Deserializer};
use serde_json::{Value, json, value::RawValue};

use super::REGISTER;
use crate::{ClientEntry, ClientId, ClientMessage, ClientState, Refusal, ReqId, limits};

/// The argument of `P2P_EMIT` and `P2P_EMIT_ACKNOWLEDGE`, whose fields may all be missing or of a wrong type.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct V1EmitFields<'a> {
    /// `null` is kept apart from a missing field.
    #[serde(borrow, default, deserialize_with = "present")]
    pub(crate) target_client_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(crate) event: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(crate) args: Option<&'a RawValue>,
}

fn present<'a, D: Deserializer<'a>>(from: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(from).map(Some)
}

/// Reads a v1 client's answer to a registration: the arguments of its event or of its
/// acknowledgement. `true` as the first is a yes; anything else, and no argument, is a no.
#[must_use]
pub fn v1_answer(args: &[Value], req: Option<ReqId>) -> ClientMessage {
    if args.first() == Some(&Value::Bool(true)) {
        ClientMessage::Accept { req }
    } else {
        ClientMessage::Decline { req, reason: None }
    }
}

/// Returns the argument of a v1 [`SERVER_ERROR`](super::SERVER_ERROR).
#[must_use]
pub fn v1_error(refusal: &Refusal) -> Value {
    Value::String(format!("Error: {} ({})", limits::cut(&refusal.message), refusal.code))
}

/// Returns the argument of the [`SERVER_ERROR`](super::SERVER_ERROR) for a registration that is refused. It names the
/// target, as far as that is known: a registration without an acknowledgement has nothing else by which its sender
/// knows it.
#[must_use]
pub fn v1_register_error(target: Option<&ClientId>, refusal: &Refusal) -> Value {
    let refusal = refusal.clone();
    v1_error(&match target {
        Some(target) => refusal.of(format_args!("{REGISTER} to {:?}", target.as_str())),
        None => refusal.of(REGISTER),
    })
}

/// Returns the argument that acknowledges a v1 emit that was refused or got no reply.
#[must_use]
pub fn v1_failed(code: &str, message: &str) -> Value {
    json!({ "error": { "code": code, "message": limits::cut(message) } })
}

/// Returns the argument that answers [`LIST_CLIENTS`](super::LIST_CLIENTS): the ids of the clients that
/// have a connection.
#[must_use]
pub fn v1_list(clients: &[ClientEntry]) -> Value {
    let connected = clients.iter().filter(|client| client.state != ClientState::Away);
    connected.map(|client| client.id.as_str()).collect()
}
