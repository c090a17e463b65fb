//! What is asked of rust_socketio, and its peculiarities (0.6.0): the one seam to it.
//!
//! - `connect` returns before the namespace is joined: nothing is sent before the server's welcome.
//! - Callbacks run one after another in its reader, which waits for the future that they return:
//!   ours waits for room in a channel, which slows the server down and loses nothing.
//! - Its acknowledgements misroute and panic, its attachments are split and garbled: neither is
//!   used. Bytes travel as base64 in the text of a frame.
//! - A clean close raises no event, and a close that it notices is not always told. So the end of a
//!   connection is found out by our heartbeat at the latest.
//! - Its own reconnect cannot be told to begin, has no deadlines, and its backoff ends after a
//!   quarter of an hour in a busy loop. It is off where a fresh client can be made. Where there is
//!   only the one builder, which can be neither read nor cloned, it is on and held by a [`Gate`].
//! - When the server freezes while something is written, everything hangs: each call has a
//!   deadline.
//! - A refused CONNECT is an `error` event, whose text begins with [`CONNECT_ERROR`].

use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use futures_util::FutureExt as _;
use rust_socketio::{
    Event, Payload, TransportType,
    asynchronous::{Client, ClientBuilder, ReconnectSettings},
};
use serde_json::Value;
use socketio_p2p_protocol::{
    Frame, PairingId,
    wire::{FRAME, QUICK_ACK, TO_CLIENT},
};
use tokio::{
    sync::{Mutex, mpsc},
    time::timeout,
};

/// How rust_socketio begins the text of the `error` event for a refused CONNECT.
const CONNECT_ERROR: &str = "Received an ConnectError frame: ";

/// Events that wait for the actor. Full, it makes the reader wait, and so the server.
const EVENTS: usize = 256;

/// How long the server may take to read what is written.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);

/// How long saying goodbye may take.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// What comes from the server.
#[derive(Debug)]
pub(crate) enum FromServer {
    /// One of the plugin's events.
    Event(&'static str, Vec<Value>),
    /// The server refused the connection, with this message.
    Refused(String),
    /// Something failed: the connection may be gone.
    Failed(String),
    /// The server closed the connection.
    Closed,
    /// rust_socketio's own reconnect waits at its gate: what comes next is of another connection.
    AtGate,
}

/// The connection does not take what is written.
#[derive(Debug)]
pub(crate) struct Lost;

/// A connection of rust_socketio.
#[derive(Clone)]
pub(crate) struct Socket(pub(crate) Client);

/// Holds rust_socketio's own reconnect until it is let through with the next auth.
#[derive(Debug)]
pub(crate) struct Gate(mpsc::Sender<Value>);

impl Gate {
    /// Lets it connect, with this auth.
    pub(crate) fn open(&self, auth: Value) {
        // One waits at most, and it takes what is there.
        self.0.try_send(auth).ok();
    }
}

/// A connection, and what comes on it.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) socket: Socket,
    pub(crate) received: mpsc::Receiver<FromServer>,
}

impl Socket {
    /// Connects, once.
    pub(crate) async fn connect(
        builder: ClientBuilder,
        auth: Value,
    ) -> Result<Link, rust_socketio::Error> {
        let (events, received) = mpsc::channel(EVENTS);
        let builder = builder.reconnect(false).reconnect_on_disconnect(false);
        let client = listening(builder, auth, &events).connect().await?;
        Ok(Link { socket: Self(client), received })
    }

    /// Connects, and again and again whenever the gate is opened.
    pub(crate) async fn connect_gated(
        builder: ClientBuilder,
        auth: Value,
    ) -> Result<(Link, Gate), rust_socketio::Error> {
        let (events, received) = mpsc::channel(EVENTS);
        let (gate, gated) = mpsc::channel(1);
        let gated = Arc::new(Mutex::new(gated));
        let at_gate = events.clone();
        let builder = builder
            .reconnect(true)
            .reconnect_on_disconnect(true)
            .reconnect_delay(1, 1) // The gate is what it waits for.
            .on_reconnect(move || {
                let (at_gate, gated) = (at_gate.clone(), gated.clone());
                async move {
                    at_gate.send(FromServer::AtGate).await.ok();
                    let Some(auth) = gated.lock().await.recv().await else {
                        // The client is closed, and its task knows no other way to end. No panic:
                        // the hook is not called.
                        std::panic::resume_unwind(Box::new("the client is closed"));
                    };
                    let mut settings = ReconnectSettings::new();
                    settings.auth(auth);
                    settings
                }
                .boxed()
            });
        let client = listening(builder, auth, &events).connect().await?;
        Ok((Link { socket: Self(client), received }, Gate(gate)))
    }

    /// Sends an event.
    pub(crate) async fn send(&self, event: &str, args: Vec<Value>) -> Result<(), Lost> {
        self.emit(event.into(), Payload::Text(args)).await
    }

    /// Sends frames: one as it is, several as an array.
    pub(crate) async fn send_frames(
        &self,
        pairing: PairingId,
        frames: &[Frame],
    ) -> Result<(), Lost> {
        let frames = match frames {
            [frame] => frame.to_text(),
            frames => {
                let texts: Vec<String> = frames.iter().map(Frame::to_text).collect();
                format!("[{}]", texts.join(","))
            }
        };
        // The hot path: a third of a client's work would be to build values from the text and to
        // write them down again. So it goes as the text that it is; and since that is one
        // argument, the one before it goes with the name of the event, which is written as it is.
        #[expect(deprecated, reason = "the only way to hand text on as it is")]
        let payload = Payload::String(frames);
        self.emit(Event::Custom(format!("{FRAME}\",\"{pairing}")), payload).await
    }

    async fn emit(&self, event: Event, payload: Payload) -> Result<(), Lost> {
        let mut emitting = pin!(self.0.emit(event, payload));
        // Its websocket wakes whoever wrote last whenever something can be read. So a write that
        // need not wait leaves no waker there: two tasks woken by one message cost the second
        // thread's attention each time.
        let at_once = emitting.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let sent = match at_once {
            Poll::Ready(sent) => Ok(sent),
            Poll::Pending => timeout(SEND_TIMEOUT, emitting).await,
        };
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                tracing::debug!(%error, "not sent");
                Err(Lost)
            }
            Err(_) => {
                tracing::debug!("not sent in time");
                Err(Lost)
            }
        }
    }

    /// Says goodbye, if the server still listens.
    pub(crate) async fn disconnect(&self) {
        timeout(DISCONNECT_TIMEOUT, self.0.disconnect()).await.ok();
    }
}

/// A builder with all that pairing needs.
fn listening(
    builder: ClientBuilder,
    auth: Value,
    events: &mpsc::Sender<FromServer>,
) -> ClientBuilder {
    let mut builder = builder
        .auth(auth)
        // It leaves Nagle's algorithm on: without this small messages may wait for 40 ms.
        .opening_header(QUICK_ACK, "1")
        .transport_type(TransportType::Websocket);
    for event in TO_CLIENT {
        builder = builder.on(
            event,
            forward(events.clone(), move |payload| FromServer::Event(event, values(payload))),
        );
    }
    builder
        .on(Event::Error, forward(events.clone(), failed))
        .on(Event::Close, forward(events.clone(), |_| FromServer::Closed))
}

/// A callback that hands on what comes, in order.
fn forward(
    events: mpsc::Sender<FromServer>,
    read: impl Fn(Payload) -> FromServer + Send + Sync + 'static,
) -> impl FnMut(Payload, Client) -> futures_util::future::BoxFuture<'static, ()> + Send + Sync {
    move |payload, _| {
        let event = read(payload);
        match events.try_send(event) {
            Err(mpsc::error::TrySendError::Full(event)) => {
                let events = events.clone();
                async move { _ = events.send(event).await }.boxed()
            }
            // If nobody listens any more, it concerns nobody.
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => std::future::ready(()).boxed(),
        }
    }
}

fn values(payload: Payload) -> Vec<Value> {
    match payload {
        Payload::Text(values) => values,
        // An attachment, which a server that keeps the protocol never sends us.
        _ => Vec::new(),
    }
}

fn failed(payload: Payload) -> FromServer {
    let text = match values(payload).into_iter().next() {
        Some(Value::String(text)) => text,
        Some(other) => other.to_string(),
        None => String::new(),
    };
    let Some(refused) = text.strip_prefix(CONNECT_ERROR) else {
        return FromServer::Failed(text);
    };
    let message = serde_json::from_str::<Value>(refused).ok().and_then(|fields| {
        // Older servers send the message itself.
        fields.get("message").unwrap_or(&fields).as_str().map(ToOwned::to_owned)
    });
    FromServer::Refused(message.unwrap_or_else(|| refused.to_owned()))
}

impl std::fmt::Debug for Socket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Socket").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_connection_is_told_from_other_failures() {
        let refused = failed(format!("{CONNECT_ERROR}{{\"message\":\"duplicate-id\"}}").into());
        assert!(matches!(refused, FromServer::Refused(message) if message == "duplicate-id"));

        let other = failed("EngineIO Error".into());
        assert!(matches!(other, FromServer::Failed(text) if text == "EngineIO Error"));
    }
}
