//! Messages of clients, and their events.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{
    ReqId,
    fields::{millis, with},
};
use crate::{
    ClientId, Code, PairingId, Refusal, RoomName,
    limits::REGISTER_PAYLOAD_BYTES,
    wire::{
        CANCEL, EXIT, JOIN, LEAVE, LIST, PING, REGISTER, REGISTER_FAILED, REGISTER_SUCCESS,
        UNREGISTER, WATCH, WireError, WireEvent, bad_args,
    },
};

/// A message of a client to the server, in either dialect.
#[derive(Clone, Debug, PartialEq)]
pub enum ClientMessage {
    /// Request to be paired with `target`.
    Register {
        /// Number of the request; `None` if a v1 client asked for no acknowledgement.
        req: Option<ReqId>,
        /// The id of the target.
        target: ClientId,
        /// Data for the target's decision.
        payload: Option<Value>,
        /// Time for the target's decision; `None` for as long as the server allows.
        consent_time: Option<Duration>,
        /// Time to wait in line if the target is busy; `None` to be refused then.
        wait: Option<Duration>,
    },
    /// Consent to a registration.
    Accept {
        /// Number of the question; `None` if a v1 client answered by event.
        req: Option<ReqId>,
    },
    /// Refusal of a registration.
    Decline {
        /// Number of the question; `None` if a v1 client answered by event.
        req: Option<ReqId>,
        /// Reason, for people.
        reason: Option<String>,
    },
    /// Refusal of a registration by a client whose pairing the server has forgotten: it is the partner's.
    Reserve {
        /// Number of the question.
        req: ReqId,
        /// The partner, whose registration is to be let through.
        partner: ClientId,
    },
    /// Request to end the pairing. It also withdraws a request that waits.
    Unregister {
        /// Number of the request; `None` if a v1 client asked for no acknowledgement.
        req: Option<ReqId>,
    },
    /// Confirmation of a v1 client that its pairing ended.
    Released {
        /// The pairing.
        pairing: PairingId,
    },
    /// Announcement that the client does not come back: its pairing ends at once.
    Leave,
    /// Request for the list of clients.
    List {
        /// Number of the request; `None` if a v1 client asked for no acknowledgement.
        req: Option<ReqId>,
    },
    /// Heartbeat.
    Ping {
        /// Number that the answer repeats.
        req: ReqId,
    },
    /// Request for the state of a target, now and after each change.
    Watch {
        /// Number of the watch.
        req: ReqId,
        /// The id of the target.
        target: ClientId,
    },
    /// Request to be a member of a room.
    Join {
        /// Number of the request.
        req: ReqId,
        /// The name of the room.
        room: RoomName,
        /// The most members, this client included; `None` for as many as the server allows.
        most: Option<usize>,
    },
    /// Request to be a member of a room no longer.
    Exit {
        /// Number of the request.
        req: ReqId,
        /// The name of the room.
        room: RoomName,
    },
    /// End of a watch, or withdrawal of a registration that waits.
    Cancel {
        /// Number of the watch or the registration.
        req: ReqId,
    },
}

/// The last argument of a v2 request, and its number. Each message reads no other fields than its
/// own: those of another version may have any name and any value.
pub(super) struct RequestFields {
    pub(super) req: ReqId,
    fields: Map<String, Value>,
}

impl RequestFields {
    /// Takes the fields out of the last of so many arguments.
    pub(super) fn take(args: &mut Vec<Value>, count: usize) -> Result<Self, WireError> {
        if args.len() < count {
            return Err(bad_args("arguments are missing"));
        }
        args.truncate(count);
        let Some(Value::Object(fields)) = args.pop() else {
            return Err(bad_args("the last argument is not an object"));
        };
        let req = fields.get("req").and_then(Value::as_u64);
        let req = req.ok_or_else(|| {
            bad_args("req, the number of the request, is missing or is not a whole number")
        })?;
        Ok(Self { req, fields })
    }

    /// Takes a field; `None` if it is missing or null.
    pub(super) fn remove(&mut self, field: &str) -> Option<Value> {
        self.fields.remove(field).filter(|value| !value.is_null())
    }

    /// Takes a time in milliseconds; `None` if it is missing or null.
    pub(super) fn remove_time(&mut self, field: &str) -> Result<Option<Duration>, WireError> {
        let Some(value) = self.remove(field) else { return Ok(None) };
        match value.as_u64() {
            Some(millis) => Ok(Some(Duration::from_millis(millis))),
            None => Err(WireError {
                req: Some(self.req),
                ..bad_args(&format!("{field} is not a whole number of milliseconds"))
            }),
        }
    }

    /// Takes a text for people; `None` if it is missing or no text.
    fn remove_text(&mut self, field: &str) -> Option<String> {
        match self.remove(field)? {
            Value::String(text) => Some(text),
            _ => None,
        }
    }
}

/// Reads the number of a request that has no other fields.
pub(super) fn number(args: &mut Vec<Value>) -> Result<ReqId, WireError> {
    RequestFields::take(args, 1).map(|fields| fields.req)
}

/// Reads the target, the first argument of a registration.
///
/// # Errors
///
/// [`Code::BadArgs`] if it is missing or not a client id.
pub fn target(args: &[Value]) -> Result<ClientId, Refusal> {
    match args.first() {
        // A client may connect with a number as its id, too.
        Some(Value::Number(target)) => id(&target.to_string()),
        _ => source(args),
    }
}

/// Returns whether a JSON value is a number, which an id may be.
pub(crate) fn is_number(json: &str) -> bool {
    json.starts_with(|first: char| first.is_ascii_digit() || first == '-')
}

/// Reads the id of the client that asks, which the server writes: a string.
pub(super) fn source(args: &[Value]) -> Result<ClientId, Refusal> {
    match args.first() {
        Some(Value::String(source)) => id(source),
        _ => Err(Refusal::new(Code::BadArgs, "the client id is not a string")),
    }
}

/// Reads the name of a room, the first argument of a request about it.
fn room(args: &[Value]) -> Result<RoomName, Refusal> {
    let refusal = |why: &str| Refusal::new(Code::BadArgs, why);
    let Some(Value::String(room)) = args.first() else {
        return Err(refusal("the name of the room is not a string"));
    };
    room.parse().map_err(|error: crate::RoomNameError| refusal(&error.to_string()))
}

fn id(text: &str) -> Result<ClientId, Refusal> {
    text.parse()
        .map_err(|error: crate::ClientIdError| Refusal::new(Code::BadArgs, &error.to_string()))
}

/// Reads a message of a v2 client, but for [`FRAME`](crate::wire::FRAME) and
/// [`SIGNAL`](crate::wire::SIGNAL).
///
/// # Errors
///
/// A [`WireError`] with the refusal. That of an unknown event names the request if the last
/// argument has a number: a client of another version learns at once that it is not served.
pub fn client_message(event: &str, mut args: Vec<Value>) -> Result<ClientMessage, WireError> {
    match event {
        REGISTER => {
            let mut fields = RequestFields::take(&mut args, 2)?;
            let (req, payload) = (fields.req, fields.remove("payload"));
            let consent_time = fields.remove_time("consentMs")?;
            let wait = fields.remove_time("waitMs")?;
            let refuse = |refusal| WireError { refusal, req: Some(req) };
            if payload
                .as_ref()
                .is_some_and(|payload| payload.to_string().len() > REGISTER_PAYLOAD_BYTES)
            {
                return Err(refuse(Code::TooLarge.into()));
            }
            let target = target(&args).map_err(refuse)?;
            Ok(ClientMessage::Register { req: Some(req), target, payload, consent_time, wait })
        }
        REGISTER_SUCCESS => Ok(ClientMessage::Accept { req: Some(number(&mut args)?) }),
        REGISTER_FAILED => {
            let mut fields = RequestFields::take(&mut args, 1)?;
            let req = fields.req;
            if let Some(Value::String(partner)) = fields.remove("partner") {
                let refuse = |refusal| WireError { refusal, req: Some(req) };
                return Ok(ClientMessage::Reserve { req, partner: id(&partner).map_err(refuse)? });
            }
            let reason = fields.remove_text("reason");
            Ok(ClientMessage::Decline { req: Some(fields.req), reason })
        }
        UNREGISTER => Ok(ClientMessage::Unregister { req: Some(number(&mut args)?) }),
        LIST => Ok(ClientMessage::List { req: Some(number(&mut args)?) }),
        // Its arguments do not matter.
        LEAVE => Ok(ClientMessage::Leave),
        PING => Ok(ClientMessage::Ping { req: number(&mut args)? }),
        WATCH => {
            let RequestFields { req, .. } = RequestFields::take(&mut args, 2)?;
            let target = target(&args).map_err(|refusal| WireError { refusal, req: Some(req) })?;
            Ok(ClientMessage::Watch { req, target })
        }
        JOIN => {
            let mut fields = RequestFields::take(&mut args, 2)?;
            let (req, most) = (fields.req, fields.remove("most"));
            let refuse = |refusal| WireError { refusal, req: Some(req) };
            let most = most.map(|most| {
                let most = most.as_u64().filter(|most| *most > 0);
                let most = most.ok_or_else(|| {
                    refuse(Refusal::new(Code::BadArgs, "most is not a positive whole number"))
                })?;
                Ok::<_, WireError>(usize::try_from(most).unwrap_or(usize::MAX))
            });
            let room = room(&args).map_err(refuse)?;
            Ok(ClientMessage::Join { req, room, most: most.transpose()? })
        }
        EXIT => {
            let RequestFields { req, .. } = RequestFields::take(&mut args, 2)?;
            let room = room(&args).map_err(|refusal| WireError { refusal, req: Some(req) })?;
            Ok(ClientMessage::Exit { req, room })
        }
        CANCEL => Ok(ClientMessage::Cancel { req: number(&mut args)? }),
        _ => {
            let req = args.last().and_then(|fields| fields.get("req")?.as_u64());
            Err(WireError { refusal: Code::BadEvent.into(), req })
        }
    }
}

impl ClientMessage {
    /// Returns the event of a v2 client; `None` for a message that only v1 has.
    #[must_use]
    pub fn to_event(&self) -> Option<WireEvent> {
        let event = match self {
            Self::Register { req, target, payload, consent_time, wait } => {
                let fields = with(json!({ "req": req }), "payload", payload.clone());
                let fields = with(fields, "consentMs", consent_time.map(millis));
                let fields = with(fields, "waitMs", wait.map(millis));
                (REGISTER, vec![json!(target), fields])
            }
            Self::Accept { req } => (REGISTER_SUCCESS, vec![json!({ "req": req })]),
            Self::Decline { req, reason: None } => (REGISTER_FAILED, vec![json!({ "req": req })]),
            Self::Decline { req, reason } => {
                (REGISTER_FAILED, vec![json!({ "req": req, "reason": reason })])
            }
            Self::Reserve { req, partner } => {
                let fields = json!({ "req": req, "reason": "paired", "partner": partner });
                (REGISTER_FAILED, vec![fields])
            }
            Self::Unregister { req } => (UNREGISTER, vec![json!({ "req": req })]),
            Self::List { req } => (LIST, vec![json!({ "req": req })]),
            Self::Ping { req } => (PING, vec![json!({ "req": req })]),
            Self::Watch { req, target } => (WATCH, vec![json!(target), json!({ "req": req })]),
            Self::Join { req, room, most } => {
                (JOIN, vec![json!(room), with(json!({ "req": req }), "most", *most)])
            }
            Self::Exit { req, room } => (EXIT, vec![json!(room), json!({ "req": req })]),
            Self::Cancel { req } => (CANCEL, vec![json!({ "req": req })]),
            Self::Leave => (LEAVE, vec![json!({})]),
            Self::Released { .. } => return None,
        };
        Some(event)
    }
}
