//! What a client sends, event by event: read, and handed to whom it concerns.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value as Json;
use socketio_p2p_protocol::{
    ClientId, ClientMessage, Code, Dialect, Refusal, ReqId, ServerMessage,
    limits::{JSON_DEPTH, REGISTER_PAYLOAD_BYTES, RELAYED_FRAME_BYTES},
    wire::{
        self, EMIT, EMIT_ACKNOWLEDGE, FRAME, LEAVE, LIST, LIST_CLIENTS, PING, PREFIX, REGISTER,
        REGISTER_FAILED, REGISTER_SUCCESS, SIGNAL, UNREGISTER, WireError,
    },
};
use socketioxide::{
    adapter::Adapter,
    handler::{MessageHandler, Value},
    socket::Socket,
};

use crate::{connection::Connection, legacy, peek, relay, server::Shared};

/// The longest request that is worth reading for its number although it is refused, in bytes.
const REQUEST_BYTES: usize = REGISTER_PAYLOAD_BYTES + 1024;

const V1_EVENTS: [&str; 7] =
    [REGISTER, REGISTER_SUCCESS, REGISTER_FAILED, UNREGISTER, EMIT, EMIT_ACKNOWLEDGE, LIST_CLIENTS];

const V2_EVENTS: [&str; 9] =
    [REGISTER, REGISTER_SUCCESS, REGISTER_FAILED, UNREGISTER, LEAVE, FRAME, SIGNAL, LIST, PING];

/// Listens to everything a client may say to the plugin.
pub(crate) fn listen<A: Adapter>(
    shared: &Arc<Shared>,
    socket: &Socket<A>,
    connection: &Arc<Connection>,
) {
    let events: &'static [&'static str] = match connection.dialect {
        Dialect::V1 => &V1_EVENTS,
        Dialect::V2 => &V2_EVENTS,
    };
    let on = |event| On { shared: shared.clone(), connection: connection.clone(), event };
    for event in events {
        socket.on(*event, on(Some(event)));
    }
    // The application's own fallback, if it sets one, takes the place of this.
    socket.on_fallback(on(None));
}

/// The handler of one event, or of all unknown ones.
struct On {
    shared: Arc<Shared>,
    connection: Arc<Connection>,
    event: Option<&'static str>,
}

/// Tells our handlers from closures, for whom socketioxide implements the same trait.
pub(crate) enum Marker {}

impl<A: Adapter> MessageHandler<A, Marker> for On {
    // Everything is done here: the order of messages is kept only until this returns.
    fn call(&self, _: Arc<Socket<A>>, value: Value, ack_id: Option<i64>) {
        let Value::Str(text, attachments) = value else {
            return;
        };
        if self.connection.throttle.is_out() || (self.event.is_none() && !is_ours(&text)) {
            return;
        }
        let attachments = attachments.map_or_else(Vec::new, Vec::from);
        let req = ack_id.and_then(|id| ReqId::try_from(id).ok());
        let bytes = text.len() + attachments.iter().map(Bytes::len).sum::<usize>();
        if !self.connection.throttle.admits(bytes) {
            if !self.frees() {
                return self.over_rate(&text, &attachments, req);
            }
            self.shared.refused(&self.connection, Code::RateLimited);
        }
        match (self.event, self.connection.dialect) {
            (None, _) => self.unknown(&text, req),
            (Some(FRAME), _) => relay::frame(&self.shared, &self.connection, &text, &attachments),
            (Some(SIGNAL), _) => relay::signal(&self.shared, &self.connection, &text, &attachments),
            (Some(event @ (EMIT | EMIT_ACKNOWLEDGE)), _) => {
                let waits = event == EMIT_ACKNOWLEDGE;
                legacy::emit(&self.shared, &self.connection, &text, attachments, req, waits);
            }
            (Some(event), Dialect::V1) => self.v1(event, &text, req),
            (Some(event), Dialect::V2) => self.v2(event, &text),
        }
    }
}

impl On {
    /// Whether its message can only make work less, and is carried out however often it comes. It
    /// counts as refused all the same, or it would come without end.
    fn frees(&self) -> bool {
        let frees = [REGISTER_SUCCESS, REGISTER_FAILED, UNREGISTER, LEAVE, PING];
        self.event.is_some_and(|event| frees.contains(&event))
    }

    /// The client says more than it may. It is told so in the way of what it said, and as little
    /// as possible of that is read.
    fn over_rate(&self, text: &str, attachments: &[Bytes], req: Option<ReqId>) {
        let refusal = Refusal::from(Code::RateLimited);
        match (self.event, self.connection.dialect) {
            (Some(FRAME), _) => {
                let pairing = peek::pairing(text, attachments);
                relay::refuse(&self.shared, &self.connection, refusal.code, pairing);
            }
            (Some(EMIT | EMIT_ACKNOWLEDGE), _) | (None, Dialect::V1) => {
                legacy::refuse(&self.shared, &self.connection, req, &refusal);
            }
            (Some(event), Dialect::V1) => self.refuse_request(event, refusal, req),
            (Some(event @ (REGISTER | LIST)), Dialect::V2) if text.len() <= REQUEST_BYTES => {
                let req = match self.read_v2(event, text) {
                    Ok(ClientMessage::Register { req, .. } | ClientMessage::List { req }) => req,
                    Ok(_) => None,
                    Err(WireError { req, .. }) => req,
                };
                self.refuse_request(event, refusal, req);
            }
            (Some(SIGNAL), Dialect::V2) => {
                relay::refuse_signal(&self.shared, &self.connection, refusal.code, None);
            }
            (_, Dialect::V2) => self.refuse(refusal),
        }
    }

    fn v1(&self, event: &str, text: &str, req: Option<ReqId>) {
        let args = match arguments(text) {
            Ok(args) => args,
            Err(refusal) => return self.refuse_request(event, refusal, req),
        };
        let message = match event {
            REGISTER => match wire::target(&args) {
                Ok(target) => ClientMessage::Register { req, target, payload: None },
                Err(refusal) => return self.refuse_request(event, refusal, req),
            },
            REGISTER_SUCCESS => ClientMessage::Accept { req: None },
            REGISTER_FAILED => ClientMessage::Decline { req: None, reason: None },
            UNREGISTER => ClientMessage::Unregister { req },
            _ => ClientMessage::List { req },
        };
        self.received(message);
    }

    /// The answer to a request that is not carried out.
    fn refuse_request(&self, event: &str, refusal: Refusal, req: Option<ReqId>) {
        let code = refusal.code;
        let is_answer = self.connection.dialect == Dialect::V1 || req.is_some();
        let message = match event {
            REGISTER if is_answer => ServerMessage::RegisterFailed { req, refusal },
            _ => ServerMessage::Error { refusal, req, pairing: None },
        };
        self.tell(&message);
        self.shared.refused(&self.connection, code);
    }

    fn v2(&self, event: &str, text: &str) {
        match self.read_v2(event, text) {
            Ok(message) => self.received(message),
            Err(WireError { refusal, req }) => self.refuse_request(event, refusal, req),
        }
    }

    fn read_v2(&self, event: &str, text: &str) -> Result<ClientMessage, WireError> {
        let args = arguments(text).map_err(|refusal| WireError { refusal, req: None })?;
        wire::client_message(event, args)
    }

    fn received(&self, message: ClientMessage) {
        let throttle = &self.connection.throttle;
        let over_quota = match &message {
            ClientMessage::Register { req, .. } if !throttle.admits_registration() => {
                Some((REGISTER, *req))
            }
            ClientMessage::List { req } if !throttle.admits_list() => Some((LIST, *req)),
            _ => None,
        };
        if let Some((event, req)) = over_quota {
            return self.refuse_request(event, Code::RateLimited.into(), req);
        }
        if let ClientMessage::Register { req, target, .. } = &message
            && !self.may_register(target)
        {
            return self.shared.forbidden(self.connection.id, *req, target.clone());
        }
        self.shared.received(self.connection.id, message);
    }

    fn may_register(&self, target: &ClientId) -> bool {
        self.shared.admission.authorize(&self.connection.client, target)
    }

    /// Refuses an event of the plugin's own name space that it does not know.
    fn unknown(&self, text: &str, req: Option<ReqId>) {
        match self.connection.dialect {
            Dialect::V1 => {
                legacy::refuse(&self.shared, &self.connection, req, &Code::BadEvent.into());
            }
            Dialect::V2 => {
                let event = peek::event(text).filter(|_| text.len() <= REQUEST_BYTES);
                let read = event.map(|event| self.read_v2(&event, text));
                let req = read.and_then(|read| read.err()?.req);
                let refusal = Code::BadEvent.into();
                self.tell(&ServerMessage::Error { refusal, req, pairing: None });
                self.shared.refused(&self.connection, Code::BadEvent);
            }
        }
    }

    /// The answer to what is no request of a v2 client.
    fn refuse(&self, refusal: Refusal) {
        let code = refusal.code;
        self.tell(&ServerMessage::Error { refusal, req: None, pairing: None });
        self.shared.refused(&self.connection, code);
    }

    fn tell(&self, message: &ServerMessage) {
        // If its queue is full, the client does not read; it misses a refusal, nothing more.
        self.connection.send(&self.shared, message).ok();
    }
}

/// Whether an event that nobody listens to is of the plugin's own name space. What else comes here
/// is the application's, which does not listen either.
fn is_ours(text: &str) -> bool {
    peek::event(text).is_some_and(|event| event.starts_with(PREFIX))
}

/// The arguments of an event, without its name.
fn arguments(text: &str) -> Result<Vec<Json>, Refusal> {
    if text.len() > RELAYED_FRAME_BYTES || wire::depth(text) > JSON_DEPTH {
        return Err(Code::TooLarge.into());
    }
    let mut args: Vec<Json> = serde_json::from_str(text)
        .map_err(|error| Refusal::new(Code::BadArgs, &error.to_string()))?;
    if !args.is_empty() {
        args.remove(0);
    }
    Ok(args)
}
