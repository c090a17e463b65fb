//! Messages of the server, and their events.

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    ClientEntry, PairingInfo, Presence, ReqId, Welcome,
    client::{Request, request, target},
};
use crate::{
    ClientId, Code, EndReason, PairingId, Refusal,
    wire::{
        CLIENTS, DISCONNECT, ERROR, Event, PARTNER, PONG, REGISTER, REGISTER_FAILED,
        REGISTER_SUCCESS, WELCOME, WireError, bad_args, object,
    },
};

/// What the server tells a client, whatever dialect it speaks.
#[derive(Clone, Debug, PartialEq)]
pub enum ServerMessage {
    /// First of all.
    Welcome(Welcome),
    /// `source` wants to be paired with you.
    Register {
        /// The server's number for it.
        req: ReqId,
        /// Who asks.
        source: ClientId,
        /// What it says about it.
        payload: Option<Value>,
    },
    /// You are paired.
    Registered {
        /// At the source, its number.
        req: Option<ReqId>,
        /// With whom.
        pairing: PairingInfo,
    },
    /// Your registration failed.
    RegisterFailed {
        /// Its number.
        req: Option<ReqId>,
        /// Why.
        refusal: Refusal,
    },
    /// What you were asked is no longer wanted: your yes came too late.
    Withdrawn {
        /// The number under which it was asked, if it was named.
        req: Option<ReqId>,
        /// Why.
        code: Code,
    },
    /// Your pairing ended.
    Disconnect {
        /// Which one.
        pairing: PairingId,
        /// Why.
        reason: EndReason,
        /// At the end that asked for it, its number.
        req: Option<ReqId>,
    },
    /// Your `unregister` is done. Only a v1 client is told so apart from `Disconnect`.
    Unregistered {
        /// Its number.
        req: Option<ReqId>,
    },
    /// A pairing of yours ended while you were away. Only a v1 client is told so.
    Ghost,
    /// The connection of your partner went or came back.
    Partner {
        /// Which pairing.
        pairing: PairingId,
        /// What happened.
        state: Presence,
    },
    /// The clients there are.
    Clients {
        /// The number of the question.
        req: Option<ReqId>,
        /// In the order of their names.
        clients: Vec<ClientEntry>,
    },
    /// I am here.
    Pong {
        /// The number of the question.
        req: ReqId,
    },
    /// You are removed: the connection is closed, and you are not to come back by yourself.
    Farewell {
        /// Why.
        refusal: Refusal,
    },
    /// A signal was not forwarded. No frame was lost.
    SignalRefused {
        /// Why.
        refusal: Refusal,
        /// The pairing that it named, as far as it was read.
        pairing: Option<PairingId>,
    },
    /// Something was refused.
    Error {
        /// Why.
        refusal: Refusal,
        /// The number of the request, if it had one.
        req: Option<ReqId>,
        /// The pairing that the refused message named, if it named one.
        pairing: Option<PairingId>,
    },
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
            Self::Register { req, source, payload } => {
                let fields = with(json!({ "req": req }), "payload", payload.clone());
                (REGISTER, vec![json!(source), fields])
            }
            Self::Registered { req, pairing } => {
                (REGISTER_SUCCESS, vec![with(json!({ "pairing": pairing }), "req", *req)])
            }
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
            Self::Disconnect { pairing, reason, req } => {
                let fields = json!({ "pairing": pairing, "reason": reason });
                (DISCONNECT, vec![with(fields, "req", *req)])
            }
            Self::Partner { pairing, state } => {
                (PARTNER, vec![json!({ "pairing": pairing, "state": state })])
            }
            Self::Clients { req, clients } => {
                (CLIENTS, vec![with(json!({ "clients": clients }), "req", *req)])
            }
            Self::Pong { req } => (PONG, vec![json!({ "req": req })]),
            Self::Farewell { refusal: Refusal { code, message } } => {
                (ERROR, vec![json!({ "code": code, "message": message, "final": true })])
            }
            Self::SignalRefused { refusal: Refusal { code, message }, pairing } => {
                let fields = json!({ "code": code, "message": message, "signal": true });
                (ERROR, vec![with(fields, "pairing", pairing.map(|id| id.to_string()))])
            }
            Self::Error { refusal, req, pairing } => {
                let fields = json!({ "code": refusal.code, "message": refusal.message });
                let fields = with(fields, "req", *req);
                (ERROR, vec![with(fields, "pairing", pairing.map(|id| id.to_string()))])
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
    pairing: PairingInfo,
}

#[derive(Deserialize)]
struct RefusalFields {
    #[serde(default)]
    req: Option<ReqId>,
    #[serde(default)]
    asked: Option<ReqId>,
    #[serde(default)]
    pairing: Option<PairingId>,
    code: Code,
    #[serde(default)]
    message: String,
    #[serde(default, rename = "final")]
    is_final: bool,
    #[serde(default, rename = "signal")]
    is_signal: bool,
}

#[derive(Deserialize)]
struct DisconnectFields {
    pairing: PairingId,
    reason: EndReason,
    #[serde(default)]
    req: Option<ReqId>,
}

#[derive(Deserialize)]
struct PartnerFields {
    pairing: PairingId,
    state: Presence,
}

#[derive(Deserialize)]
struct ClientsFields {
    #[serde(default)]
    req: Option<ReqId>,
    clients: Vec<ClientEntry>,
}

fn first<T: DeserializeOwned>(args: Vec<Value>) -> Result<T, WireError> {
    let first = args.into_iter().next();
    object(first.ok_or_else(|| bad_args("arguments are missing"))?)
}

/// Reads what a v2 client hears; [`FRAME`](crate::wire::FRAME) and [`SIGNAL`](crate::wire::SIGNAL) go another way.
///
/// # Errors
///
/// A [`WireError`]: the server speaks another language.
pub fn server_message(event: &str, mut args: Vec<Value>) -> Result<ServerMessage, WireError> {
    match event {
        WELCOME => Ok(ServerMessage::Welcome(first(args)?)),
        REGISTER => {
            let Request { req, payload, .. } = request(&mut args, 2)?;
            let source = target(&args).map_err(|refusal| WireError { refusal, req: Some(req) })?;
            Ok(ServerMessage::Register { req, source, payload })
        }
        REGISTER_SUCCESS => {
            let RegisteredFields { req, pairing } = first(args)?;
            Ok(ServerMessage::Registered { req, pairing })
        }
        REGISTER_FAILED => {
            let RefusalFields { req, code, message, .. } = first(args)?;
            Ok(ServerMessage::RegisterFailed { req, refusal: Refusal::new(code, &message) })
        }
        DISCONNECT => {
            let DisconnectFields { pairing, reason, req } = first(args)?;
            Ok(ServerMessage::Disconnect { pairing, reason, req })
        }
        PARTNER => {
            let PartnerFields { pairing, state } = first(args)?;
            Ok(ServerMessage::Partner { pairing, state })
        }
        CLIENTS => {
            let ClientsFields { req, clients } = first(args)?;
            Ok(ServerMessage::Clients { req, clients })
        }
        PONG => Ok(ServerMessage::Pong { req: request(&mut args, 1)?.req }),
        ERROR => {
            let fields: RefusalFields = first(args)?;
            let RefusalFields { req, asked, pairing, code, message, is_final, is_signal } = fields;
            let refusal = Refusal::new(code, &message);
            Ok(if is_final {
                ServerMessage::Farewell { refusal }
            } else if asked.is_some() {
                ServerMessage::Withdrawn { req: asked, code }
            } else if is_signal {
                ServerMessage::SignalRefused { refusal, pairing }
            } else {
                ServerMessage::Error { refusal, req, pairing }
            })
        }
        _ => Err(Code::BadEvent.into()),
    }
}
