//! What a client sends, event by event: read, and handed to whom it concerns.

use std::sync::Arc;

use serde_json::{Value as Json, value::RawValue};
use socketio_p2p_protocol::{
    ClientId, ClientMessage, Code, Dialect, Refusal, ReqId, ServerMessage,
    limits::{JSON_DEPTH, RELAYED_FRAME_BYTES},
    wire::{
        self, EMIT, EMIT_ACKNOWLEDGE, FRAME, LEAVE, LIST, LIST_CLIENTS, PING, PREFIX, REGISTER,
        REGISTER_FAILED, REGISTER_SUCCESS, SIGNAL, UNREGISTER, WireError, v1_error,
    },
};
use socketioxide::{
    adapter::Adapter,
    handler::{MessageHandler, Value},
    socket::Socket,
};

use crate::{connection::Connection, legacy, relay, server::Shared, socket::Arguments};

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
        let attachments = attachments.map_or_else(Vec::new, Vec::from);
        let req = ack_id.and_then(|id| ReqId::try_from(id).ok());
        match (self.event, self.connection.dialect) {
            (None, _) => self.unknown(&text, req),
            (Some(FRAME), _) => relay::frame(&self.shared, &self.connection, &text, &attachments),
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
    fn v1(&self, event: &str, text: &str, req: Option<ReqId>) {
        let args = match arguments(text) {
            Ok(args) => args,
            Err(refusal) => return self.refuse_v1(event, refusal, req),
        };
        let message = match event {
            REGISTER => match wire::target(&args) {
                Ok(target) => ClientMessage::Register { req, target, payload: None },
                Err(refusal) => return self.refuse_v1(event, refusal, req),
            },
            REGISTER_SUCCESS => ClientMessage::Accept { req: None },
            REGISTER_FAILED => ClientMessage::Decline { req: None, reason: None },
            UNREGISTER => ClientMessage::Unregister { req },
            _ => ClientMessage::List { req },
        };
        self.received(message);
    }

    fn refuse_v1(&self, event: &str, refusal: Refusal, req: Option<ReqId>) {
        let message = match event {
            REGISTER => ServerMessage::RegisterFailed { req, refusal },
            _ => ServerMessage::Error { refusal, req, pairing: None },
        };
        self.tell(&message);
    }

    fn v2(&self, event: &str, text: &str) {
        if event == SIGNAL {
            // No pairing allows a direct path yet.
            return self.refuse(Code::Forbidden.into());
        }
        let read = arguments(text)
            .map_err(|refusal| WireError { refusal, req: None })
            .and_then(|args| wire::client_message(event, args));
        match read {
            Ok(message) => self.received(message),
            Err(WireError { refusal, req }) => {
                let message = match event {
                    REGISTER if req.is_some() => ServerMessage::RegisterFailed { req, refusal },
                    _ => ServerMessage::Error { refusal, req, pairing: None },
                };
                self.tell(&message);
            }
        }
    }

    fn received(&self, message: ClientMessage) {
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

    /// An event of the plugin's own name space that it does not know; what else comes here is the
    /// application's, which does not listen either.
    fn unknown(&self, text: &str, req: Option<ReqId>) {
        let event = serde_json::from_str::<Vec<&RawValue>>(text)
            .ok()
            .and_then(|packet| serde_json::from_str::<String>(packet.first()?.get()).ok());
        if event.is_some_and(|event| event.starts_with(PREFIX)) {
            self.refuse(Code::BadEvent.into());
            if self.connection.dialect == Dialect::V1 {
                legacy::ack_failed(&self.connection, req, &Code::BadEvent.into());
            }
        }
    }

    fn refuse(&self, refusal: Refusal) {
        match self.connection.dialect {
            Dialect::V1 => {
                let args = [v1_error(&refusal)];
                let event = wire::SERVER_ERROR;
                self.connection.outlet.emit(event, Arguments::Values(&args)).ok();
            }
            Dialect::V2 => {
                self.tell(&ServerMessage::Error { refusal, req: None, pairing: None });
            }
        }
    }

    fn tell(&self, message: &ServerMessage) {
        // If its queue is full, the client does not read; it misses a refusal, nothing more.
        self.connection.send(&self.shared, message).ok();
    }
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
