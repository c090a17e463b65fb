//! The payloads of v1 that the server spells itself.

use serde_json::{Value, json};

use crate::{ClientMessage, Refusal, ReqId, limits};

/// What a v1 client says about the registrations of others, as arguments of the event that it
/// answers with or of its acknowledgement.
///
/// `true` is yes; anything else, and nothing at all, is no.
#[must_use]
pub fn v1_answer(args: &[Value], req: Option<ReqId>) -> ClientMessage {
    if args.first() == Some(&Value::Bool(true)) {
        ClientMessage::Accept { req }
    } else {
        ClientMessage::Decline { req, reason: None }
    }
}

/// The text of a v1 [`SERVER_ERROR`].
#[must_use]
pub fn v1_error(refusal: &Refusal) -> Value {
    Value::String(format!("Error: {} ({})", limits::cut(&refusal.message), refusal.code))
}

/// The arguments of the acknowledgement of a v1 emit that was refused or got no reply.
#[must_use]
pub fn v1_failed(code: &str, message: &str) -> Value {
    json!({ "error": { "code": code, "message": limits::cut(message) } })
}
