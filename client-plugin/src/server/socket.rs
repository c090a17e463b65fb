//! The seam to rust_socketio, and the peculiarities of its version 0.6.0.
//!
//! - `connect` returns before the namespace is joined: nothing is sent before the server's welcome.
//! - Callbacks run one after another in its reader, which waits for the future that they return. Ours
//!   waits for room in a channel, which slows the server down and loses nothing.
//! - Its acknowledgements misroute and panic, its attachments are split and garbled: neither is
//!   used. Bytes travel as base64 in the text of a frame.
//! - A clean close raises no event, and not every close that it notices does. So the end of a
//!   connection is found by our heartbeat at the latest.
//! - Its own reconnect cannot be started from outside, has no deadlines, and its backoff ends after a
//!   quarter of an hour in a busy loop. It is off where a new client can be made. Where there is only
//!   one builder, which can be neither read nor cloned, it is on and held by a [`Gate`].
//! - When the server freezes during a write, everything hangs: each call has a deadline.
//! - A refused CONNECT is an `error` event with a text of its own: [`FromServer::Refused`].

use std::{
    fmt,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use futures_util::future::{BoxFuture, FutureExt as _, ready};
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

use crate::server::from_server::FromServer;

/// Events that wait for the actor. When it is full, the reader waits, and so does the server.
const EVENTS: usize = 256;

/// The longest time that the server may take to read what is written.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest time that closing a connection may take.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// The connection does not take what is written.
#[derive(Debug)]
pub(crate) struct Lost;

/// A client of rust_socketio.
#[derive(Clone)]
pub(crate) struct Socket(pub(crate) Client);

/// A connection to the server, and the events that arrive on it.
#[derive(Debug)]
pub(crate) struct ServerConnection {
    pub(crate) socket: Socket,
    pub(crate) received: mpsc::Receiver<FromServer>,
}

/// The treatment of events of the server that this version does not know.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Unknown {
    /// They are forwarded, to be counted.
    Forwarded,
    /// They are not seen: the only callback that gets them, `on_any`, is the application's.
    Unseen,
}

/// Holds rust_socketio's own reconnect until it may proceed, with the next auth.
#[derive(Debug)]
pub(crate) struct Gate(mpsc::Sender<Value>);

impl Gate {
    /// Lets rust_socketio connect, with this auth.
    pub(crate) fn open(&self, auth: Value) {
        // At most one waits, and it takes the auth that is there.
        self.0.try_send(auth).ok();
    }
}

impl Socket {
    /// Connects once.
    pub(crate) async fn connect(
        builder: ClientBuilder,
        auth: Value,
        unknown: Unknown,
    ) -> Result<ServerConnection, rust_socketio::Error> {
        let (events, received) = mpsc::channel(EVENTS);
        let mut builder = builder.reconnect(false).reconnect_on_disconnect(false);
        if unknown == Unknown::Forwarded {
            let events = events.clone();
            builder = builder.on_any(move |event, _, _| {
                match FromServer::unknown(&String::from(event)) {
                    Some(event) => send(&events, event),
                    None => ready(()).boxed(),
                }
            });
        }
        let client = listening(builder, auth, &events).connect().await?;
        Ok(ServerConnection { socket: Self(client), received })
    }

    /// Connects, and again each time that the gate is opened.
    pub(crate) async fn connect_gated(
        builder: ClientBuilder,
        auth: Value,
    ) -> Result<(ServerConnection, Gate), rust_socketio::Error> {
        let (events, received) = mpsc::channel(EVENTS);
        let (gate, gated) = mpsc::channel(1);
        let gated = Arc::new(Mutex::new(gated));
        let at_gate = events.clone();
        let builder = builder
            .reconnect(true)
            .reconnect_on_disconnect(true)
            .reconnect_delay(1, 1) // It waits at the gate instead.
            .on_reconnect(move || {
                let (at_gate, gated) = (at_gate.clone(), gated.clone());
                async move {
                    at_gate.send(FromServer::AtGate).await.ok();
                    let Some(auth) = gated.lock().await.recv().await else {
                        // The client is closed, and rust_socketio's task has no other way to end. This
                        // is no panic: the panic hook is not called.
                        std::panic::resume_unwind(Box::new("the client is closed"));
                    };
                    let mut settings = ReconnectSettings::new();
                    settings.auth(auth);
                    settings
                }
                .boxed()
            });
        let client = listening(builder, auth, &events).connect().await?;
        Ok((ServerConnection { socket: Self(client), received }, Gate(gate)))
    }

    /// Sends an event.
    pub(crate) async fn send(&self, event: &str, args: Vec<Value>) -> Result<(), Lost> {
        self.emit(event.into(), Payload::Text(args)).await
    }

    /// Sends frames: a single one as it is, several as an array.
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
        // The hot path: building values from the text and writing them again would be a third of a
        // client's work, so the text is sent as it is. As such a text is one argument, the argument
        // before it is sent with the name of the event, which is written without escaping.
        #[expect(deprecated, reason = "the only way to pass text on as it is")]
        let payload = Payload::String(frames);
        self.emit(Event::Custom(format!("{FRAME}\",\"{pairing}")), payload).await
    }

    async fn emit(&self, event: Event, payload: Payload) -> Result<(), Lost> {
        let mut emitting = pin!(self.0.emit(event, payload));
        // Its websocket wakes the last writer whenever something can be read. So a write that need not
        // wait leaves no waker there: two tasks woken by each message cost the second thread's
        // attention each time.
        let at_once = emitting.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let sent = match at_once {
            Poll::Ready(sent) => Ok(sent),
            Poll::Pending => timeout(SEND_TIMEOUT, emitting).await,
        };
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                tracing::debug!(%error, "sending failed");
                Err(Lost)
            }
            Err(_) => {
                tracing::debug!("sending timed out");
                Err(Lost)
            }
        }
    }

    /// Closes the connection, and informs the server if it still reads.
    pub(crate) async fn disconnect(&self) {
        timeout(DISCONNECT_TIMEOUT, self.0.disconnect()).await.ok();
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").finish_non_exhaustive()
    }
}

/// Closes the connection of a client that was not completed.
pub(crate) struct CloseOnDrop(Option<Socket>);

impl CloseOnDrop {
    pub(crate) const fn new(socket: Socket) -> Self {
        Self(Some(socket))
    }

    /// Keeps the connection open: the client is complete.
    pub(crate) fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        if let Some(socket) = self.0.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            // It ends by itself, within a second.
            runtime.spawn(async move { socket.disconnect().await });
        }
    }
}

/// Returns the builder with all that pairing needs.
fn listening(
    builder: ClientBuilder,
    auth: Value,
    events: &mpsc::Sender<FromServer>,
) -> ClientBuilder {
    let mut builder = builder
        .auth(auth)
        // rust_socketio leaves Nagle's algorithm on: without this header small messages may wait for
        // 40 ms.
        .opening_header(QUICK_ACK, "1")
        .transport_type(TransportType::Websocket);
    for event in TO_CLIENT {
        builder = builder
            .on(event, forward(events.clone(), move |payload| FromServer::event(event, payload)));
    }
    builder
        .on(Event::Error, forward(events.clone(), FromServer::error))
        .on(Event::Close, forward(events.clone(), |_| FromServer::Closed))
}

/// Returns a callback that forwards events, in order.
fn forward(
    events: mpsc::Sender<FromServer>,
    read: impl Fn(Payload) -> FromServer + Send + Sync + 'static,
) -> impl FnMut(Payload, Client) -> BoxFuture<'static, ()> + Send + Sync {
    move |payload, _| send(&events, read(payload))
}

/// Sends an event to the actor, in order.
fn send(events: &mpsc::Sender<FromServer>, event: FromServer) -> BoxFuture<'static, ()> {
    match events.try_send(event) {
        Err(mpsc::error::TrySendError::Full(event)) => {
            let events = events.clone();
            async move { _ = events.send(event).await }.boxed()
        }
        // `Closed`: the client needs this connection no longer.
        Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => ready(()).boxed(),
    }
}
