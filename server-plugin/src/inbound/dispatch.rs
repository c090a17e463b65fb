//! The handlers of a client's events: each reads its event, and hands it to the relay or the broker.

use std::sync::Arc;

use bytes::Bytes;
use socketio_p2p_protocol::{
    Code, Dialect, PairingId, Refusal, ReqId,
    relay::{
        RefusalForm, Refused, Unread, is_acknowledged_at_once, is_exempt_from_rate, later_answer,
        later_refusal, read_request, read_v1_request, refuse_request, request_number,
        unknown_refusal,
    },
    wire::{
        CANCEL, EMIT, EMIT_ACKNOWLEDGE, FRAME, LEAVE, LIST, LIST_CLIENTS, PING, PREFIX, REGISTER,
        REGISTER_FAILED, REGISTER_SUCCESS, SIGNAL, TOO_LARGE, UNREGISTER, WATCH, WireError,
    },
};
use socketioxide::{
    adapter::Adapter,
    handler::{MessageHandler, Value},
    socket::Socket,
};

use super::salvage;
use crate::{
    connection::Connection,
    observe::logged,
    outbound::outflow::Outflow,
    relay,
    step::{Shared, requests},
    v1,
};

const V1_EVENTS: [&str; 7] =
    [REGISTER, REGISTER_SUCCESS, REGISTER_FAILED, UNREGISTER, EMIT, EMIT_ACKNOWLEDGE, LIST_CLIENTS];

const V2_EVENTS: [&str; 11] = [
    REGISTER,
    REGISTER_SUCCESS,
    REGISTER_FAILED,
    UNREGISTER,
    LEAVE,
    FRAME,
    SIGNAL,
    LIST,
    WATCH,
    CANCEL,
    PING,
];

/// The refusal of a client that did not say who it is.
const NO_ID: &str = "this connection has no client id: set clientId in the query or in the auth";

/// Registers handlers of all events of the plugin that a client may send.
pub(crate) fn listen<A: Adapter>(
    shared: &Arc<Shared>,
    socket: &Socket<A>,
    connection: &Arc<Connection>,
) {
    let events: &'static [&'static str] = match connection.dialect {
        Dialect::V1 => &V1_EVENTS,
        Dialect::V2 => &V2_EVENTS,
    };
    let handler =
        |event| EventHandler { shared: shared.clone(), connection: connection.clone(), event };
    for event in events {
        socket.on(*event, handler(Some(event)));
    }
    socket.on(TOO_LARGE, handler(Some(TOO_LARGE)));
    // The application's own fallback, if it sets one, takes the place of this.
    socket.on_fallback(handler(None));
}

/// Registers a handler for a connection without a client id, which the application's own fallback replaces.
pub(crate) fn listen_to_stranger<A: Adapter>(shared: &Arc<Shared>, socket: &Socket<A>) {
    socket.on_fallback(StrangerHandler { shared: shared.clone() });
}

/// The handler of one event, or of all unknown ones.
struct EventHandler {
    shared: Arc<Shared>,
    connection: Arc<Connection>,
    event: Option<&'static str>,
}

/// A marker that tells our handlers from closures, for which socketioxide implements the same trait.
pub(crate) enum Marker {}

impl<A: Adapter> MessageHandler<A, Marker> for EventHandler {
    // Everything is done here: the order of messages is kept only until this returns.
    fn call(&self, _: Arc<Socket<A>>, value: Value, ack_id: Option<i64>) {
        let Value::Str(text, attachments) = value else {
            return;
        };
        let Self { shared, connection, event } = self;
        if connection.throttle.is_expelled()
            || (event.is_none() && !is_ours(&text, connection.dialect))
        {
            return;
        }
        connection.answers.take();
        if *event == Some(UNREGISTER) {
            connection.take_answers();
        }
        let attachments = attachments.map_or_else(Vec::new, Vec::from);
        let req = ack_id.and_then(|id| ReqId::try_from(id).ok());
        if *event == Some(TOO_LARGE) {
            return self.unread(&Unread::read(&text), req);
        }
        let bytes = text.len() + attachments.iter().map(Bytes::len).sum::<usize>();
        if !self.admits(*event, bytes) {
            if !event.is_some_and(is_exempt_from_rate) {
                let refusal = Code::RateLimited.into();
                let pairing = || salvage::pairing(&text, &attachments);
                return self.refuse_as(*event, refusal, &text, pairing, req);
            }
            shared.refused(connection, Code::RateLimited);
        }
        match (*event, connection.dialect) {
            (None, _) => self.unknown(&text, req),
            (Some(FRAME), _) => relay::frame(shared, connection, &text, &attachments),
            (Some(SIGNAL), _) => relay::signal(shared, connection, &text, &attachments),
            (Some(event @ (EMIT | EMIT_ACKNOWLEDGE)), _) => {
                let waits = event == EMIT_ACKNOWLEDGE;
                relay::v1::emit(shared, connection, &text, attachments, req, waits);
            }
            (Some(event), Dialect::V1) => self.v1(event, &text, req),
            (Some(event), Dialect::V2) => self.v2(event, &text),
        }
    }
}

impl EventHandler {
    /// Counts a message. Returns whether it is within the rates, or its sender waits until it is.
    fn admits(&self, event: Option<&str>, bytes: usize) -> bool {
        let Connection { outlet, throttle, .. } = &*self.connection;
        if !matches!(event, Some(EMIT | EMIT_ACKNOWLEDGE)) || !outlet.can_wait() {
            return throttle.admits(bytes);
        }
        if let Some(time) = throttle.wait(bytes) {
            outlet.wait(time);
        }
        true
    }

    /// Refuses an event that was left out because it is too long. It counts with all its bytes.
    fn unread(&self, unread: &Unread, req: Option<ReqId>) {
        let events: &[_] = match self.connection.dialect {
            Dialect::V1 => &V1_EVENTS,
            Dialect::V2 => &V2_EVENTS,
        };
        let event = events.iter().find(|event| **event == unread.event).copied();
        let bytes = usize::try_from(unread.bytes).unwrap_or(usize::MAX);
        let refusal = match self.admits(event, bytes) {
            true => unread.refusal(),
            false => Code::RateLimited.into(),
        };
        self.refuse_as(event, refusal, &unread.start, || unread.pairing, req);
    }

    /// Refuses a message in the way in which this event is answered, and reads as little of it as possible.
    fn refuse_as(
        &self,
        event: Option<&'static str>,
        refusal: Refusal,
        text: &str,
        pairing: impl FnOnce() -> Option<PairingId>,
        req: Option<ReqId>,
    ) {
        let Self { shared, connection, .. } = self;
        match RefusalForm::of_unread(event, connection.dialect) {
            RefusalForm::Frame => {
                let refused = Refused { refusal, pairing: pairing() };
                relay::refuse(shared, connection, refused);
            }
            RefusalForm::Signal => {
                let refused = Refused { refusal, pairing: pairing() };
                relay::refuse_signal(shared, connection, refused);
            }
            RefusalForm::V1Emit => relay::v1::refuse(shared, connection, req, &refusal, text),
            RefusalForm::Request => {
                let req = self.number(event, text, req);
                self.refuse(event, refusal, text, req);
            }
            RefusalForm::Unnumbered => self.refuse(event, refusal, text, None),
        }
    }

    /// Returns the number of a request that is refused.
    fn number(&self, event: Option<&str>, text: &str, ack: Option<ReqId>) -> Option<ReqId> {
        match self.connection.dialect {
            Dialect::V1 => ack,
            Dialect::V2 => request_number(event?, text),
        }
    }

    fn v1(&self, event: &str, text: &str, req: Option<ReqId>) {
        match read_v1_request(event, text, req) {
            Ok(message) => {
                if is_acknowledged_at_once(event) {
                    self.acknowledge_answer(req);
                }
                requests::take_v1(&self.shared, &self.connection, message);
            }
            Err(refusal) => self.refuse(Some(event), refusal, text, req),
        }
    }

    /// Acknowledges an answer by event, if the client asks for it: it would repeat it, and the repetition
    /// would answer the next question.
    fn acknowledge_answer(&self, req: Option<ReqId>) {
        if let Err(failure) = v1::ack(&*self.connection.outlet, req, &[]) {
            logged(
                || tracing::debug!(client = %self.connection.client, ?failure, "an answer was not acknowledged"),
            );
        }
    }

    fn v2(&self, event: &str, text: &str) {
        match read_request(event, text) {
            Ok(message) => requests::carry_out(&self.shared, &self.connection, message),
            Err(WireError { refusal, req }) => self.refuse(Some(event), refusal, text, req),
        }
    }

    fn refuse(&self, event: Option<&str>, refusal: Refusal, text: &str, req: Option<ReqId>) {
        let target = salvage::target(text);
        requests::refuse(&self.shared, &self.connection, event, refusal, req, target);
    }

    /// Refuses an event of the plugin's own name space that is unknown.
    fn unknown(&self, text: &str, req: Option<ReqId>) {
        let event = salvage::event(text).unwrap_or_default();
        if self.connection.dialect == Dialect::V1
            && let Some(answer) = later_answer(&event)
        {
            let refusal = later_refusal(&event);
            let told = v1::refuse_with(&*self.connection.outlet, req, &refusal, &answer);
            if let Err(failure) = told {
                logged(
                    || tracing::debug!(client = %self.connection.client, ?failure, "a refusal was not sent"),
                );
            }
            return self.shared.refused(&self.connection, refusal.code);
        }
        let refusal = unknown_refusal(&event);
        match RefusalForm::of_unknown(self.connection.dialect) {
            RefusalForm::V1Emit => {
                relay::v1::refuse(&self.shared, &self.connection, req, &refusal, text);
            }
            _ => {
                let req = self.number(Some(&event), text, req);
                self.refuse(None, refusal, text, req);
            }
        }
    }
}

/// Returns whether an event without a handler is of the plugin's own name space, or of a later version of the
/// v1 client. Others are the application's, which has no handler for them either.
fn is_ours(text: &str, dialect: Dialect) -> bool {
    let is_later = |event: &str| dialect == Dialect::V1 && later_answer(event).is_some();
    salvage::event(text).is_some_and(|event| event.starts_with(PREFIX) || is_later(&event))
}

/// The handler of all events of a connection that is no client's. It answers those of the plugin: a client
/// without its id would otherwise wait for ever.
struct StrangerHandler {
    shared: Arc<Shared>,
}

impl<A: Adapter> MessageHandler<A, Marker> for StrangerHandler {
    fn call(&self, socket: Arc<Socket<A>>, value: Value, ack_id: Option<i64>) {
        let Value::Str(text, _) = value else { return };
        let Some(event) = salvage::event(&text) else { return };
        if !V1_EVENTS.contains(&&*event) {
            return;
        }
        logged(
            || tracing::debug!(%event, "an event of the plugin, from a connection without a client id"),
        );
        self.shared.counters.refused(Code::BadClientId);
        let refusal = Refusal::new(Code::BadClientId, NO_ID);
        let outlet = Outflow::of_stranger(&socket, &self.shared.tasks);
        let req = ack_id.and_then(|id| ReqId::try_from(id).ok());
        let answered = match RefusalForm::of_unread(Some(&event), Dialect::V1) {
            RefusalForm::V1Emit => v1::refuse_emit(&*outlet, req, &refusal, &text),
            _ => {
                let target = salvage::target(&text);
                let message = refuse_request(Some(&event), Dialect::V1, refusal, req, target);
                v1::tell(&*outlet, &message).map(drop)
            }
        };
        if let Err(failure) = answered {
            logged(|| {
                tracing::debug!(?failure, "a connection without a client id was not answered");
            });
        }
    }
}
