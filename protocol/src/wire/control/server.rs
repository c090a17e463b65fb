//! Messages of the server, and their events.

use std::time::Duration;

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    ClientEntry, PairingInfo, Presence, ReqId, RoomState, TargetState, Welcome,
    client::{RequestFields, number, source},
    fields::{millis, with},
    room_fields::{ExitedFields, JoinedFields, MemberFields},
};
use crate::{
    ClientId, Code, EndReason, PairingId, Refusal, RoomName,
    limits::{CONSENT_TIME, CONSENT_TIME_MAX, setting},
    wire::{
        CLIENTS, DISCONNECT, ERROR, EXITED, JOINED, LINE, MEMBER, PARTNER, PONG, REGISTER,
        REGISTER_FAILED, REGISTER_SUCCESS, TARGET, WELCOME, WireError, WireEvent, bad_args, object,
    },
};

/// A message of the server to a client, in either dialect.
#[derive(Clone, Debug, PartialEq)]
pub enum ServerMessage {
    /// First message to a v2 client.
    Welcome(Welcome),
    /// Question for consent to a registration.
    Register {
        /// The server's number for the question.
        req: ReqId,
        /// The id of the source.
        source: ClientId,
        /// Data for the decision.
        payload: Option<Value>,
        /// Time for the decision.
        consent_time: Duration,
    },
    /// Confirmation of a pairing.
    Registered {
        /// Number of the request, at the source.
        req: Option<ReqId>,
        /// The pairing.
        pairing: PairingInfo,
    },
    /// Refusal of a registration.
    RegisterFailed {
        /// Number of the request.
        req: Option<ReqId>,
        /// The target, as far as it is known: a v1 client may have asked without a number. A v2 client has the
        /// number, and does not get it.
        target: Option<ClientId>,
        /// The reason.
        refusal: Refusal,
    },
    /// Answer to a consent that came too late.
    Withdrawn {
        /// Number of the question, if the consent named one.
        req: Option<ReqId>,
        /// The reason.
        code: Code,
    },
    /// End of the pairing.
    Disconnect {
        /// The pairing.
        pairing: PairingId,
        /// The reason.
        reason: EndReason,
        /// Number of the request, at the end that asked for it.
        req: Option<ReqId>,
    },
    /// Answer to an `unregister`, to a v1 client. A v2 client gets `Disconnect` instead.
    Unregistered {
        /// Number of the request.
        req: Option<ReqId>,
    },
    /// News to a v1 client that its pairing ended while it was away.
    EndedWhileAway,
    /// State of the partner's connection.
    Partner {
        /// The pairing.
        pairing: PairingId,
        /// The state.
        state: Presence,
    },
    /// List of clients.
    Clients {
        /// Number of the request.
        req: Option<ReqId>,
        /// The clients, in the order of their ids.
        clients: Vec<ClientEntry>,
    },
    /// State of a target that the client watches.
    Target {
        /// Number of the watch.
        req: ReqId,
        /// The state.
        state: TargetState,
    },
    /// Place of a registration in the line of its target.
    Line {
        /// Number of the registration.
        req: ReqId,
        /// The place, from 1; 0 once the target is asked.
        place: usize,
    },
    /// The client is a member of a room.
    Joined {
        /// Number of the request.
        req: ReqId,
        /// The room, and the pairings with its other members.
        state: RoomState,
    },
    /// A room has a new member.
    Member {
        /// The name of the room.
        room: RoomName,
        /// The pairing with the new member.
        pairing: PairingInfo,
    },
    /// The client is no longer a member of a room. All of its pairings in the room have ended.
    Exited {
        /// Number of the request, if the client asked for it.
        req: Option<ReqId>,
        /// The name of the room.
        room: RoomName,
        /// The reason.
        reason: EndReason,
    },
    /// Answer to a heartbeat.
    Pong {
        /// Number of the heartbeat.
        req: ReqId,
    },
    /// Removal of the client: the connection is closed, and the client is not to come back by
    /// itself.
    Farewell {
        /// The reason.
        refusal: Refusal,
    },
    /// Refusal of a signal. No frame was lost.
    SignalRefused {
        /// The reason.
        refusal: Refusal,
        /// The pairing that the signal named, if it could be read.
        pairing: Option<PairingId>,
    },
    /// Refusal of anything else.
    Error {
        /// The reason.
        refusal: Refusal,
        /// Number of the request, if it had one.
        req: Option<ReqId>,
        /// The pairing that the refused message named, if any.
        pairing: Option<PairingId>,
    },
}

impl ServerMessage {
    /// Returns the event for a v2 client; `None` for a message that only v1 has.
    #[must_use]
    pub fn to_event(&self) -> Option<WireEvent> {
        let (event, mut args) = match self {
            Self::Welcome(welcome) => (WELCOME, vec![welcome.to_value()]),
            Self::Register { req, source, payload, consent_time } => {
                let fields = json!({ "req": req, "consentMs": millis(*consent_time) });
                let fields = with(fields, "payload", payload.clone());
                (REGISTER, vec![json!(source), fields])
            }
            Self::Registered { req, pairing } => {
                (REGISTER_SUCCESS, vec![with(json!({ "pairing": pairing }), "req", *req)])
            }
            Self::RegisterFailed { req, refusal, .. } => {
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
                // Not `req`: that would be a number of the client.
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
            Self::Target { req, state } => (TARGET, vec![json!({ "req": req, "state": state })]),
            Self::Line { req, place } => (LINE, vec![json!({ "req": req, "place": place })]),
            Self::Joined { req, state: RoomState { room, members } } => {
                (JOINED, vec![json!({ "req": req, "room": room, "members": members })])
            }
            Self::Member { room, pairing } => {
                (MEMBER, vec![json!({ "room": room, "pairing": pairing })])
            }
            Self::Exited { req, room, reason } => {
                let fields = json!({ "room": room, "reason": reason });
                (EXITED, vec![with(fields, "req", *req)])
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
            Self::Unregistered { .. } | Self::EndedWhileAway => return None,
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
struct RegisterFailedFields {
    #[serde(default)]
    req: Option<ReqId>,
    code: Code,
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
struct ErrorFields {
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
struct TargetFields {
    req: ReqId,
    state: TargetState,
}

#[derive(Deserialize)]
struct LineFields {
    req: ReqId,
    place: usize,
}

#[derive(Deserialize)]
struct ClientsFields {
    #[serde(default)]
    req: Option<ReqId>,
    clients: Vec<Value>,
}

fn first<T: DeserializeOwned>(args: Vec<Value>) -> Result<T, WireError> {
    let first = args.into_iter().next();
    object(first.ok_or_else(|| bad_args("arguments are missing"))?)
}

/// Reads a message of the server to a v2 client, but for [`FRAME`](crate::wire::FRAME) and
/// [`SIGNAL`](crate::wire::SIGNAL).
///
/// # Errors
///
/// A [`WireError`] with [`Code::UnsupportedProtocol`] for a welcome in a version that this crate does
/// not speak, [`Code::BadEvent`] for an unknown event, or else [`Code::BadArgs`].
pub fn server_message(event: &str, mut args: Vec<Value>) -> Result<ServerMessage, WireError> {
    match event {
        WELCOME => {
            let fields = args.into_iter().next();
            let fields = fields.ok_or_else(|| bad_args("arguments are missing"))?;
            Ok(ServerMessage::Welcome(Welcome::read(fields)?))
        }
        REGISTER => {
            let mut fields = RequestFields::take(&mut args, 2)?;
            let (req, payload) = (fields.req, fields.remove("payload"));
            let consent_time = fields.remove_time("consentMs")?.unwrap_or(CONSENT_TIME);
            let consent_time = setting(consent_time).min(CONSENT_TIME_MAX);
            let source = source(&args).map_err(|refusal| WireError { refusal, req: Some(req) })?;
            Ok(ServerMessage::Register { req, source, payload, consent_time })
        }
        REGISTER_SUCCESS => {
            let RegisteredFields { req, pairing } = first(args)?;
            Ok(ServerMessage::Registered { req, pairing })
        }
        REGISTER_FAILED => {
            let RegisterFailedFields { req, code, message } = first(args)?;
            let refusal = Refusal::new(code, &message);
            Ok(ServerMessage::RegisterFailed { req, target: None, refusal })
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
            // An entry that this version cannot read is left out; the others are of use.
            let clients = clients.into_iter().filter_map(|entry| object(entry).ok()).collect();
            Ok(ServerMessage::Clients { req, clients })
        }
        TARGET => {
            let TargetFields { req, state } = first(args)?;
            Ok(ServerMessage::Target { req, state })
        }
        LINE => {
            let LineFields { req, place } = first(args)?;
            Ok(ServerMessage::Line { req, place })
        }
        JOINED => {
            let JoinedFields { req, state } = first(args)?;
            Ok(ServerMessage::Joined { req, state })
        }
        MEMBER => {
            let MemberFields { room, pairing } = first(args)?;
            Ok(ServerMessage::Member { room, pairing })
        }
        EXITED => {
            let ExitedFields { room, reason, req } = first(args)?;
            Ok(ServerMessage::Exited { req, room, reason })
        }
        PONG => Ok(ServerMessage::Pong { req: number(&mut args)? }),
        ERROR => {
            let fields: ErrorFields = first(args)?;
            let ErrorFields { req, asked, pairing, code, message, is_final, is_signal } = fields;
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
