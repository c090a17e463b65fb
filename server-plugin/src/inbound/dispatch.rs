//! The handlers of a client's events: each reads its event, and hands it to the relay or the broker.

use std::sync::Arc;

use bytes::Bytes;
use socketio_p2p_protocol::{
    Code, Dialect, ReqId,
    relay::{
        Inbound, OverRate, RawEvent, RefusedRequest, Rejection, Unread, is_acknowledged_at_once,
        is_ours, read_request, read_v1_request,
    },
    wire::WireError,
};
use socketioxide::{
    adapter::Adapter,
    handler::{MessageHandler, Value},
    socket::Socket,
};

use crate::{
    connection::Connection,
    observe::logged,
    outbound::outflow::Outflow,
    relay,
    step::{Shared, requests},
    v1,
};

/// Registers handlers of all events of the plugin that a client may send.
pub(crate) fn listen<A: Adapter>(
    shared: &Arc<Shared>,
    socket: &Socket<A>,
    connection: &Arc<Connection>,
) {
    let handler =
        |event| EventHandler { shared: shared.clone(), connection: connection.clone(), event };
    for (name, event) in Inbound::all(connection.dialect) {
        socket.on(name, handler(event));
    }
    // The application's own fallback, if it sets one, takes the place of this.
    socket.on_fallback(handler(Inbound::Unknown));
}

/// Registers a handler for a connection without a client id, which the application's own fallback replaces.
pub(crate) fn listen_to_stranger<A: Adapter>(shared: &Arc<Shared>, socket: &Socket<A>) {
    socket.on_fallback(StrangerHandler { shared: shared.clone() });
}

/// The handler of one event, or of all unknown ones.
struct EventHandler {
    shared: Arc<Shared>,
    connection: Arc<Connection>,
    event: Inbound,
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
        let (event, dialect) = (*event, connection.dialect);
        if connection.throttle.is_expelled()
            || (event == Inbound::Unknown && !is_ours(&text, dialect))
        {
            return;
        }
        shared.take_answers(connection);
        if event.follows_acknowledgements() {
            connection.take_answers();
        }
        let attachments = attachments.map_or_else(Vec::new, Vec::from);
        let ack = ack_id.and_then(|id| ReqId::try_from(id).ok());
        if event == Inbound::TooLarge {
            return self.too_large(&text, ack);
        }
        let bytes = text.len() + attachments.iter().map(Bytes::len).sum::<usize>();
        let raw = || RawEvent { text: &text, attachments: &attachments, ack };
        match self.over_rate(event, bytes) {
            None | Some(OverRate::Wait) => {}
            Some(OverRate::CarryOut) => shared.refused(connection, Code::RateLimited),
            Some(OverRate::Refuse) => {
                return self.reject(Rejection::over_rate(event, dialect, &raw()), ack);
            }
        }
        match (event, dialect) {
            (Inbound::Frame, _) => relay::frame(shared, connection, &text, &attachments),
            (Inbound::Signal, _) => relay::signal(shared, connection, &text, &attachments),
            (Inbound::V1Emit { is_acknowledged }, _) => {
                relay::v1::emit(shared, connection, &text, attachments, ack, is_acknowledged);
            }
            (Inbound::Request(event), Dialect::V1) => self.v1(event, &text, ack),
            (Inbound::Request(event), Dialect::V2) => self.v2(event, &text),
            _ => self.reject(Rejection::unknown(dialect, &raw()), ack),
        }
    }
}

impl EventHandler {
    /// Counts an event of this size. Returns what becomes of it if its sender is over its rates.
    fn over_rate(&self, event: Inbound, bytes: usize) -> Option<OverRate> {
        let Connection { outlet, throttle, .. } = &*self.connection;
        match event.over_rate(|| outlet.can_wait()) {
            OverRate::Wait => {
                let time = throttle.wait(bytes)?;
                outlet.wait(time);
                Some(OverRate::Wait)
            }
            over => (!throttle.admits(bytes)).then_some(over),
        }
    }

    /// Refuses an event that was left out because it is too long. It counts with all its bytes.
    fn too_large(&self, text: &str, ack: Option<ReqId>) {
        let unread = &Unread::read(text);
        let dialect = self.connection.dialect;
        let event = Inbound::named(&unread.event, dialect);
        let over = self.over_rate(event, unread.counted_bytes(text.len()));
        self.reject(Rejection::too_large(unread, dialect, over, ack), ack);
    }

    /// Tells the client that its event is refused.
    fn reject(&self, rejection: Rejection, ack: Option<ReqId>) {
        let Self { shared, connection, .. } = self;
        match rejection {
            Rejection::Frame(refused) => relay::refuse(shared, connection, refused),
            Rejection::Signal(refused) => relay::refuse_signal(shared, connection, refused),
            Rejection::V1(refused) => relay::v1::refuse(shared, connection, ack, &refused),
            Rejection::Request(refused) => requests::refuse(shared, connection, refused),
        }
    }

    fn v1(&self, event: &'static str, text: &str, req: Option<ReqId>) {
        match read_v1_request(event, text, req) {
            Ok(message) => {
                if is_acknowledged_at_once(event) {
                    self.acknowledge_answer(req);
                }
                requests::take_v1(&self.shared, &self.connection, message);
            }
            Err(refusal) => {
                self.refuse(RefusedRequest::of_text(Some(event), text, refusal, req));
            }
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

    fn v2(&self, event: &'static str, text: &str) {
        match read_request(event, text) {
            Ok(message) => requests::carry_out(&self.shared, &self.connection, message),
            Err(WireError { refusal, req }) => {
                self.refuse(RefusedRequest::of_text(Some(event), text, refusal, req));
            }
        }
    }

    fn refuse(&self, refused: RefusedRequest) {
        requests::refuse(&self.shared, &self.connection, refused);
    }
}

/// The handler of all events of a connection that is no client's. It answers those of the plugin: a client
/// without its id would otherwise wait for ever.
struct StrangerHandler {
    shared: Arc<Shared>,
}

impl<A: Adapter> MessageHandler<A, Marker> for StrangerHandler {
    fn call(&self, socket: Arc<Socket<A>>, value: Value, ack_id: Option<i64>) {
        let Value::Str(text, _) = value else { return };
        let ack = ack_id.and_then(|id| ReqId::try_from(id).ok());
        let raw = RawEvent { text: &text, attachments: &[], ack };
        let Some(rejection) = Rejection::of_stranger(&raw) else { return };
        logged(|| tracing::debug!("an event of the plugin, from a connection without a client id"));
        self.shared.counters.refused(Code::BadClientId);
        let outlet = Outflow::of_stranger(&socket, &self.shared.tasks);
        let answered = match rejection {
            Rejection::V1(refused) => v1::refuse(&*outlet, ack, &refused),
            Rejection::Request(refused) => {
                v1::tell(&*outlet, &refused.message(Dialect::V1)).map(drop)
            }
            // Only v2 clients send what these refuse.
            Rejection::Frame(_) | Rejection::Signal(_) => Ok(()),
        };
        if let Err(failure) = answered {
            logged(|| {
                tracing::debug!(?failure, "a connection without a client id was not answered");
            });
        }
    }
}
