//! Names of events, and control messages as events: the only file with the wire's strings.

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    ClientId, ClientMessage, Code, Refusal, ReqId, ServerMessage,
    limits::{self, EVENT_NAME_BYTES, REGISTER_PAYLOAD_BYTES},
};

/// Version of the v2 dialect.
pub const PROTOCOL: u8 = 2;

/// Key of the client's name, in the query and in the CONNECT auth.
pub const CLIENT_ID: &str = "clientId";
/// Key of the dialect's number there.
pub const P2P: &str = "p2p";
/// Key, in the CONNECT auth, of whether a v2 client takes attachments.
pub const BINARY: &str = "binary";

/// What all events of the plugin begin with.
pub const PREFIX: &str = "P2P_";
/// v2: the server speaks first.
pub const WELCOME: &str = "P2P_WELCOME";
/// Both dialects: a source asks, a target is asked.
pub const REGISTER: &str = "P2P_REGISTER";
/// Both dialects: yes. v2 from the server: paired.
pub const REGISTER_SUCCESS: &str = "P2P_REGISTER_SUCCESS";
/// Both dialects: no.
pub const REGISTER_FAILED: &str = "P2P_REGISTER_FAILED";
/// Both dialects: end it; v1 from the server: it ended.
pub const UNREGISTER: &str = "P2P_UNREGISTER";
/// Both dialects: it ended.
pub const DISCONNECT: &str = "P2P_DISCONNECT";
/// v2: the partner's connection went or came back.
pub const PARTNER: &str = "P2P_PARTNER";
/// v2: frames of a session.
pub const FRAME: &str = "P2P_FRAME";
/// v2: a step of a WebRTC negotiation.
pub const SIGNAL: &str = "P2P_SIGNAL";
/// v2: who is there?
pub const LIST: &str = "P2P_LIST";
/// v2: these are there.
pub const CLIENTS: &str = "P2P_CLIENTS";
/// v2: are you there?
pub const PING: &str = "P2P_PING";
/// v2: I am.
pub const PONG: &str = "P2P_PONG";
/// v2: something was refused.
pub const ERROR: &str = "P2P_ERROR";
/// v1: relay an event.
pub const EMIT: &str = "P2P_EMIT";
/// v1: relay an event and its acknowledgement.
pub const EMIT_ACKNOWLEDGE: &str = "P2P_EMIT_ACKNOWLEDGE";
/// v1: who is there?
pub const LIST_CLIENTS: &str = "LIST_CLIENTS";
/// v1: something was refused.
pub const SERVER_ERROR: &str = "SERVER_ERROR";

/// What a v2 client hears from the server.
pub const TO_CLIENT: [&str; 11] = [
    WELCOME,
    REGISTER,
    REGISTER_SUCCESS,
    REGISTER_FAILED,
    DISCONNECT,
    PARTNER,
    FRAME,
    SIGNAL,
    CLIENTS,
    PONG,
    ERROR,
];

/// Names that Socket.IO keeps for itself: relayed, they would look like its own.
const RESERVED: [&str; 6] = [
    "connect",
    "connect_error",
    "disconnect",
    "disconnecting",
    "newListener",
    "removeListener",
];

/// Whether an emit may carry this event.
///
/// # Errors
///
/// [`Code::BadEvent`] if it is reserved, one of the plugin's own, or too long.
pub fn check_event(event: &str) -> Result<(), Code> {
    let reserved = RESERVED.contains(&event) || event.starts_with(PREFIX);
    if reserved || event.len() > EVENT_NAME_BYTES {
        Err(Code::BadEvent)
    } else {
        Ok(())
    }
}

/// How deep arrays and objects are nested in a text that is JSON.
#[must_use]
pub fn depth(json: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut bytes = json.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => {
                while let Some(byte) = bytes.next() {
                    match byte {
                        b'"' => break,
                        b'\\' => _ = bytes.next(),
                        _ => {}
                    }
                }
            }
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// A message as a Socket.IO event: its name and its arguments.
pub type Event = (&'static str, Vec<Value>);

/// Why an event is no message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WireError {
    /// What to answer.
    pub refusal: Refusal,
    /// The number of the request, if one could be read.
    pub req: Option<ReqId>,
}

impl From<Code> for WireError {
    fn from(code: Code) -> Self {
        Self {
            refusal: code.into(),
            req: None,
        }
    }
}

fn bad_args(message: &str) -> WireError {
    WireError {
        refusal: Refusal::new(Code::BadArgs, message),
        req: None,
    }
}

/// The last argument of a v2 request.
#[derive(Deserialize)]
struct Request {
    req: ReqId,
    #[serde(default)]
    payload: Option<Value>,
    #[serde(default)]
    reason: Option<String>,
}

fn request(args: &mut Vec<Value>, count: usize) -> Result<Request, WireError> {
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
        return Err(Refusal::new(
            Code::BadArgs,
            "the target's client id is not a string",
        ));
    };
    target
        .parse()
        .map_err(|error: crate::ClientIdError| Refusal::new(Code::BadArgs, &error.to_string()))
}

/// Reads what a v2 client sends; [`FRAME`] and [`SIGNAL`] go another way.
///
/// # Errors
///
/// A [`WireError`] that says what to answer.
pub fn client_message(event: &str, mut args: Vec<Value>) -> Result<ClientMessage, WireError> {
    match event {
        REGISTER => {
            let Request { req, payload, .. } = request(&mut args, 2)?;
            let refuse = |refusal| WireError {
                refusal,
                req: Some(req),
            };
            if payload
                .as_ref()
                .is_some_and(|payload| payload.to_string().len() > REGISTER_PAYLOAD_BYTES)
            {
                return Err(refuse(Code::TooLarge.into()));
            }
            let target = target(&args).map_err(refuse)?;
            Ok(ClientMessage::Register {
                req: Some(req),
                target,
                payload,
            })
        }
        REGISTER_SUCCESS => Ok(ClientMessage::Accept {
            req: Some(request(&mut args, 1)?.req),
        }),
        REGISTER_FAILED => {
            let Request { req, reason, .. } = request(&mut args, 1)?;
            Ok(ClientMessage::Decline {
                req: Some(req),
                reason,
            })
        }
        UNREGISTER => Ok(ClientMessage::Unregister {
            req: Some(request(&mut args, 1)?.req),
        }),
        LIST => Ok(ClientMessage::List {
            req: Some(request(&mut args, 1)?.req),
        }),
        PING => Ok(ClientMessage::Ping {
            req: request(&mut args, 1)?.req,
        }),
        _ => Err(Code::BadEvent.into()),
    }
}

impl ClientMessage {
    /// As a v2 client sends it; none for what only a v1 client says.
    #[must_use]
    pub fn to_event(&self) -> Option<Event> {
        let event = match self {
            Self::Register {
                req,
                target,
                payload: None,
            } => (REGISTER, vec![json!(target), json!({ "req": req })]),
            Self::Register {
                req,
                target,
                payload,
            } => (
                REGISTER,
                vec![json!(target), json!({ "req": req, "payload": payload })],
            ),
            Self::Accept { req } => (REGISTER_SUCCESS, vec![json!({ "req": req })]),
            Self::Decline { req, reason: None } => (REGISTER_FAILED, vec![json!({ "req": req })]),
            Self::Decline { req, reason } => (
                REGISTER_FAILED,
                vec![json!({ "req": req, "reason": reason })],
            ),
            Self::Unregister { req } => (UNREGISTER, vec![json!({ "req": req })]),
            Self::List { req } => (LIST, vec![json!({ "req": req })]),
            Self::Ping { req } => (PING, vec![json!({ "req": req })]),
            Self::Released { .. } => return None,
        };
        Some(event)
    }
}

/// `fields`, and `key` if there is a value for it.
fn with(mut fields: Value, key: &str, value: Option<impl Into<Value>>) -> Value {
    if let Some(value) = value {
        fields[key] = value.into();
    }
    fields
}

impl ServerMessage {
    /// As a v2 client hears it; none for what only a v1 client is told.
    #[must_use]
    pub fn to_event(&self) -> Option<Event> {
        let (event, mut args) = match self {
            Self::Welcome(welcome) => (WELCOME, vec![json!(welcome)]),
            Self::Register {
                req,
                source,
                payload,
            } => {
                let fields = with(json!({ "req": req }), "payload", payload.clone());
                (REGISTER, vec![json!(source), fields])
            }
            Self::Registered { req, pairing } => (
                REGISTER_SUCCESS,
                vec![with(json!({ "pairing": pairing }), "req", *req)],
            ),
            Self::RegisterFailed { req, refusal } => {
                let fields = json!({
                    "code": refusal.code,
                    "message": refusal.message,
                    "retryable": refusal.code.is_retryable(),
                });
                (REGISTER_FAILED, vec![with(fields, "req", *req)])
            }
            Self::Withdrawn { req, code } => {
                let fields =
                    json!({ "code": code, "message": "that request is no longer pending" });
                // Not `req`: that would be a number of the client's own.
                (ERROR, vec![with(fields, "asked", *req)])
            }
            Self::Disconnect {
                pairing,
                reason,
                req,
            } => {
                let fields = json!({ "pairing": pairing, "reason": reason });
                (DISCONNECT, vec![with(fields, "req", *req)])
            }
            Self::Partner { pairing, state } => {
                (PARTNER, vec![json!({ "pairing": pairing, "state": state })])
            }
            Self::Clients { req, clients } => (
                CLIENTS,
                vec![with(json!({ "clients": clients }), "req", *req)],
            ),
            Self::Pong { req } => (PONG, vec![json!({ "req": req })]),
            Self::Error {
                refusal,
                req,
                pairing,
            } => {
                let fields = json!({ "code": refusal.code, "message": refusal.message });
                let fields = with(fields, "req", *req);
                (
                    ERROR,
                    vec![with(fields, "pairing", pairing.map(|id| id.to_string()))],
                )
            }
            Self::Unregistered { .. } | Self::Ghost => return None,
        };
        args.shrink_to_fit();
        Some((event, args))
    }
}

#[derive(Deserialize)]
struct RegisteredFields {
    #[serde(default)]
    req: Option<ReqId>,
    pairing: crate::PairingInfo,
}

#[derive(Deserialize)]
struct RefusalFields {
    #[serde(default)]
    req: Option<ReqId>,
    #[serde(default)]
    asked: Option<ReqId>,
    #[serde(default)]
    pairing: Option<crate::PairingId>,
    code: Code,
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
struct DisconnectFields {
    pairing: crate::PairingId,
    reason: crate::EndReason,
    #[serde(default)]
    req: Option<ReqId>,
}

#[derive(Deserialize)]
struct PartnerFields {
    pairing: crate::PairingId,
    state: crate::Presence,
}

#[derive(Deserialize)]
struct ClientsFields {
    #[serde(default)]
    req: Option<ReqId>,
    clients: Vec<crate::ClientEntry>,
}

fn first<T: DeserializeOwned>(args: Vec<Value>) -> Result<T, WireError> {
    let first = args.into_iter().next();
    object(first.ok_or_else(|| bad_args("arguments are missing"))?)
}

/// Reads an object. Serde would take an array for the fields in their order as well.
fn object<T: DeserializeOwned>(value: Value) -> Result<T, WireError> {
    if !value.is_object() {
        return Err(bad_args("an argument is not an object"));
    }
    serde_json::from_value(value).map_err(|error| bad_args(&error.to_string()))
}

/// Reads what a v2 client hears; [`FRAME`] and [`SIGNAL`] go another way.
///
/// # Errors
///
/// A [`WireError`]: the server speaks another language.
pub fn server_message(event: &str, mut args: Vec<Value>) -> Result<ServerMessage, WireError> {
    match event {
        WELCOME => Ok(ServerMessage::Welcome(first(args)?)),
        REGISTER => {
            let Request { req, payload, .. } = request(&mut args, 2)?;
            let source = target(&args).map_err(|refusal| WireError {
                refusal,
                req: Some(req),
            })?;
            Ok(ServerMessage::Register {
                req,
                source,
                payload,
            })
        }
        REGISTER_SUCCESS => {
            let RegisteredFields { req, pairing } = first(args)?;
            Ok(ServerMessage::Registered { req, pairing })
        }
        REGISTER_FAILED => {
            let RefusalFields {
                req, code, message, ..
            } = first(args)?;
            Ok(ServerMessage::RegisterFailed {
                req,
                refusal: Refusal::new(code, &message),
            })
        }
        DISCONNECT => {
            let DisconnectFields {
                pairing,
                reason,
                req,
            } = first(args)?;
            Ok(ServerMessage::Disconnect {
                pairing,
                reason,
                req,
            })
        }
        PARTNER => {
            let PartnerFields { pairing, state } = first(args)?;
            Ok(ServerMessage::Partner { pairing, state })
        }
        CLIENTS => {
            let ClientsFields { req, clients } = first(args)?;
            Ok(ServerMessage::Clients { req, clients })
        }
        PONG => Ok(ServerMessage::Pong {
            req: request(&mut args, 1)?.req,
        }),
        ERROR => {
            let RefusalFields {
                req,
                asked,
                pairing,
                code,
                message,
            } = first(args)?;
            if asked.is_some() {
                return Ok(ServerMessage::Withdrawn { req: asked, code });
            }
            Ok(ServerMessage::Error {
                refusal: Refusal::new(code, &message),
                req,
                pairing,
            })
        }
        _ => Err(Code::BadEvent.into()),
    }
}

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
    Value::String(format!(
        "Error: {} ({})",
        limits::cut(&refusal.message),
        refusal.code
    ))
}

/// The arguments of the acknowledgement of a v1 emit that was refused or got no reply.
#[must_use]
pub fn v1_failed(code: &str, message: &str) -> Value {
    json!({ "error": { "code": code, "message": limits::cut(message) } })
}
