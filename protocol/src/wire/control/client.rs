//! Messages of clients, and their events.

use serde::Deserialize;
use serde_json::{Value, json};

use super::ReqId;
use crate::{
    ClientId, Code, PairingId, Refusal,
    limits::REGISTER_PAYLOAD_BYTES,
    wire::{
        Event, LEAVE, LIST, PING, REGISTER, REGISTER_FAILED, REGISTER_SUCCESS, UNREGISTER,
        WireError, bad_args, object,
    },
};

/// What a client asks of the server, whatever dialect it speaks.
#[derive(Clone, Debug, PartialEq)]
pub enum ClientMessage {
    /// Pair me with `target`.
    Register {
        /// Absent if a v1 client did not ask for an acknowledgement.
        req: Option<ReqId>,
        /// Whom it wants.
        target: ClientId,
        /// For the target's decision.
        payload: Option<Value>,
    },
    /// Yes to the registration `req`; a v1 client that answers by event does not say to which.
    Accept {
        /// The number under which it was asked.
        req: Option<ReqId>,
    },
    /// No to the registration `req`.
    Decline {
        /// The number under which it was asked.
        req: Option<ReqId>,
        /// Why, for people.
        reason: Option<String>,
    },
    /// End my pairing, and take back my request if one waits.
    Unregister {
        /// Absent if a v1 client did not ask for an acknowledgement.
        req: Option<ReqId>,
    },
    /// A v1 client knows now that its pairing ended.
    Released {
        /// The pairing.
        pairing: PairingId,
    },
    /// I go, and do not come back: my pairing ends at once.
    Leave,
    /// Who is there?
    List {
        /// Absent if a v1 client did not ask for an acknowledgement.
        req: Option<ReqId>,
    },
    /// Are you there?
    Ping {
        /// Comes back in the answer.
        req: ReqId,
    },
}

/// The last argument of a v2 request.
#[derive(Deserialize)]
pub(super) struct Request {
    pub(super) req: ReqId,
    #[serde(default)]
    pub(super) payload: Option<Value>,
    #[serde(default)]
    reason: Option<String>,
}

pub(super) fn request(args: &mut Vec<Value>, count: usize) -> Result<Request, WireError> {
    if args.len() < count {
        return Err(bad_args("arguments are missing"));
    }
    args.truncate(count);
    let fields = args.pop().unwrap_or_default();
    let req = fields.get("req").and_then(Value::as_u64);
    object(fields).map_err(|error| WireError { req, ..error })
}

/// The first argument of a registration.
///
/// # Errors
///
/// [`Code::BadArgs`] if it is missing or no client id.
pub fn target(args: &[Value]) -> Result<ClientId, Refusal> {
    let Some(Value::String(target)) = args.first() else {
        return Err(Refusal::new(Code::BadArgs, "the target's client id is not a string"));
    };
    target
        .parse()
        .map_err(|error: crate::ClientIdError| Refusal::new(Code::BadArgs, &error.to_string()))
}

/// Reads what a v2 client sends; [`FRAME`](crate::wire::FRAME) and [`SIGNAL`](crate::wire::SIGNAL) go another way.
///
/// # Errors
///
/// A [`WireError`] that says what to answer.
pub fn client_message(event: &str, mut args: Vec<Value>) -> Result<ClientMessage, WireError> {
    match event {
        REGISTER => {
            let Request { req, payload, .. } = request(&mut args, 2)?;
            let refuse = |refusal| WireError { refusal, req: Some(req) };
            if payload
                .as_ref()
                .is_some_and(|payload| payload.to_string().len() > REGISTER_PAYLOAD_BYTES)
            {
                return Err(refuse(Code::TooLarge.into()));
            }
            let target = target(&args).map_err(refuse)?;
            Ok(ClientMessage::Register { req: Some(req), target, payload })
        }
        REGISTER_SUCCESS => Ok(ClientMessage::Accept { req: Some(request(&mut args, 1)?.req) }),
        REGISTER_FAILED => {
            let Request { req, reason, .. } = request(&mut args, 1)?;
            Ok(ClientMessage::Decline { req: Some(req), reason })
        }
        UNREGISTER => Ok(ClientMessage::Unregister { req: Some(request(&mut args, 1)?.req) }),
        LIST => Ok(ClientMessage::List { req: Some(request(&mut args, 1)?.req) }),
        // Who has nothing to say has said it all with the name.
        LEAVE => Ok(ClientMessage::Leave),
        PING => Ok(ClientMessage::Ping { req: request(&mut args, 1)?.req }),
        _ => Err(Code::BadEvent.into()),
    }
}

impl ClientMessage {
    /// As a v2 client sends it; none for what only a v1 client says.
    #[must_use]
    pub fn to_event(&self) -> Option<Event> {
        let event = match self {
            Self::Register { req, target, payload: None } => {
                (REGISTER, vec![json!(target), json!({ "req": req })])
            }
            Self::Register { req, target, payload } => {
                (REGISTER, vec![json!(target), json!({ "req": req, "payload": payload })])
            }
            Self::Accept { req } => (REGISTER_SUCCESS, vec![json!({ "req": req })]),
            Self::Decline { req, reason: None } => (REGISTER_FAILED, vec![json!({ "req": req })]),
            Self::Decline { req, reason } => {
                (REGISTER_FAILED, vec![json!({ "req": req, "reason": reason })])
            }
            Self::Unregister { req } => (UNREGISTER, vec![json!({ "req": req })]),
            Self::List { req } => (LIST, vec![json!({ "req": req })]),
            Self::Ping { req } => (PING, vec![json!({ "req": req })]),
            Self::Leave => (LEAVE, vec![json!({})]),
            Self::Released { .. } => return None,
        };
        Some(event)
    }
}
