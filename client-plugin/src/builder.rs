//! Settings of a client: the extension of rust_socketio's builder.

use std::{
    sync::{Arc, Mutex, atomic::AtomicU64},
    time::{Duration, Instant},
};

use rust_socketio::asynchronous::ClientBuilder;
use serde::Serialize;
use serde_json::{Map, Value};
use socketio_p2p_protocol::{
    ClientId, ClientIdError, Code, Endpoint, EndpointConfig, EndpointEvent, ServerMessage,
    endpoint::Input,
    limits::{CONNECT_TIMEOUT, PENDING_CALLS},
    wire::{self, CLIENT_ID, P2P, PROTOCOL, WELCOME},
};
use tokio::{
    sync::{broadcast, mpsc, watch},
    task::JoinSet,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    actor::{Actor, Alarm},
    client::{P2pClient, Shared},
    error::{ConnectError, HandlerError},
    events,
    handlers::{self, Handlers},
    incoming::{Consent, Incoming, PairingRequest},
    socket::{FromServer, Socket},
};

/// Requests that wait for the actor. Full, the next waits with its caller.
const COMMANDS: usize = 64;

/// Emits that wait for the actor. Full, the next waits with its caller, as behind a full window.
const EMITS: usize = 64;

/// Adds [`p2p`](Self::p2p) to rust_socketio's builder.
pub trait P2pBuilderExt: Sized {
    /// Makes this a client that can be paired, under this name: 1 to 128 bytes of UTF-8 without
    /// control characters.
    ///
    /// The rest of the builder stays as it was set, but for what pairing needs: the transport is
    /// websocket, rust_socketio's own reconnect is off, its handlers of `error` and `close` are
    /// ours, and the auth is set with [`P2pBuilder::auth`].
    fn p2p(self, client_id: impl AsRef<str>) -> P2pBuilder;
}

impl P2pBuilderExt for ClientBuilder {
    fn p2p(self, client_id: impl AsRef<str>) -> P2pBuilder {
        P2pBuilder {
            builder: self,
            id: client_id.as_ref().parse(),
            auth: Value::Object(Map::new()),
            handlers: Arc::new(Handlers::default()),
            timeout: CONNECT_TIMEOUT,
        }
    }
}

/// Settings of a [`P2pClient`], from [`P2pBuilderExt::p2p`].
#[must_use = "nothing connects until `connect` is awaited"]
pub struct P2pBuilder {
    builder: ClientBuilder,
    id: Result<ClientId, ClientIdError>,
    auth: Value,
    handlers: Arc<Handlers>,
    timeout: Duration,
}

impl P2pBuilder {
    /// What the application itself sends in the CONNECT auth, for example a token: an object, to
    /// which the client id is added.
    pub fn auth(mut self, auth: impl Into<Value>) -> Self {
        self.auth = auth.into();
        self
    }

    /// How long [`Self::connect`] waits for the server's welcome. 10 s by default.
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Handles an event of the partner: [`P2pClientExt::on2`](crate::P2pClientExt::on2).
    pub fn on2<F, Fut, R>(self, event: impl Into<String>, handler: F) -> Self
    where
        F: Fn(Incoming) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, HandlerError>> + Send + 'static,
        R: Serialize,
    {
        self.handlers.on(event.into(), handler);
        self
    }

    /// Handles all other events of the partner:
    /// [`P2pClientExt::on2_fallback`](crate::P2pClientExt::on2_fallback).
    pub fn on2_fallback<F, Fut, R>(self, handler: F) -> Self
    where
        F: Fn(Incoming) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, HandlerError>> + Send + 'static,
        R: Serialize,
    {
        self.handlers.on_fallback(handler);
        self
    }

    /// Decides who may be paired with this client:
    /// [`P2pClientExt::on_register`](crate::P2pClientExt::on_register).
    pub fn on_register<F, Fut, C>(self, decide: F) -> Self
    where
        F: Fn(PairingRequest) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = C> + Send + 'static,
        C: Into<Consent> + 'static,
    {
        self.handlers.on_register(decide);
        self
    }

    /// Connects, and waits for the server's welcome.
    ///
    /// # Errors
    ///
    /// [`ConnectError`]: what is wrong, and whether the server said so.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: no client is left behind, though the server may see one come and go.
    pub async fn connect(self) -> Result<P2pClient, ConnectError> {
        let timeout = self.timeout;
        let connecting = self.connect_without_deadline();
        tokio::time::timeout(timeout, connecting)
            .await
            .unwrap_or(Err(ConnectError::Timeout(timeout)))
    }

    async fn connect_without_deadline(self) -> Result<P2pClient, ConnectError> {
        let id = self.id?;
        let mut auth = self.auth;
        let fields = auth.as_object_mut().ok_or(ConnectError::Auth)?;
        fields.insert(CLIENT_ID.to_owned(), id.as_str().into());
        fields.insert(P2P.to_owned(), PROTOCOL.into());

        let (socket, mut received) = Socket::connect(self.builder, auth)
            .await
            .map_err(|error| ConnectError::Transport(Box::new(error)))?;
        let goodbye = Goodbye(Some(socket.clone()));
        let welcome = welcome(&mut received).await?;
        goodbye.forget();
        Ok(start(id, self.handlers, socket, received, welcome))
    }
}

/// Closes a connection that did not become a client.
struct Goodbye(Option<Socket>);

impl Goodbye {
    fn forget(mut self) {
        self.0 = None;
    }
}

impl Drop for Goodbye {
    fn drop(&mut self) {
        if let Some(socket) = self.0.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            // It ends by itself, within a second.
            runtime.spawn(async move { socket.disconnect().await });
        }
    }
}

/// Waits for the server's first words.
async fn welcome(received: &mut mpsc::Receiver<FromServer>) -> Result<ServerMessage, ConnectError> {
    while let Some(event) = received.recv().await {
        match event {
            FromServer::Event(WELCOME, args) => {
                if let Ok(welcome) = wire::server_message(WELCOME, args) {
                    return Ok(welcome);
                }
                return Err(ConnectError::Welcome);
            }
            FromServer::Refused(message) => {
                let code = Code::ALL.iter().find(|code| code.as_str() == message);
                return Err(match code {
                    Some(code) => ConnectError::Refused(*code),
                    None => ConnectError::Rejected(message),
                });
            }
            FromServer::Closed | FromServer::Failed(_) => return Err(ConnectError::Closed),
            FromServer::Event(..) => {}
        }
    }
    Err(ConnectError::Closed)
}

/// Starts the tasks of a client that has been welcomed.
fn start(
    id: ClientId,
    handlers: Arc<Handlers>,
    socket: Socket,
    received: mpsc::Receiver<FromServer>,
    welcome: ServerMessage,
) -> P2pClient {
    let now = Instant::now();
    let mut config = EndpointConfig::default();
    config.resumes = false;
    let mut endpoint = Endpoint::new(config, now);
    endpoint.handle(Input::Received(welcome), now);

    let (commands, commands_rx) = mpsc::channel(COMMANDS);
    let (emits, emits_rx) = mpsc::channel(EMITS);
    // Room for all that a session may have started, and for what an earlier one left behind.
    let (jobs, jobs_rx) = mpsc::channel(2 * PENDING_CALLS);
    let (finished_tx, finished) = mpsc::channel(2 * PENDING_CALLS);
    let (events, first_events) = broadcast::channel::<EndpointEvent>(events::EVENTS);
    let (pairing, pairing_rx) = watch::channel(None);
    let stop = CancellationToken::new();
    let tasks = TaskTracker::new();

    let shared = Arc::new(Shared {
        id,
        socket: socket.clone(),
        commands,
        emits,
        handlers: handlers.clone(),
        pairing: pairing_rx,
        last_call: AtomicU64::new(1),
        events: events.downgrade(),
        first_events: Mutex::new(Some(first_events)),
        tasks: tasks.clone(),
        stop: stop.clone(),
        _stop_on_drop: stop.clone().drop_guard(),
    });
    let actor = Actor {
        endpoint,
        socket,
        received,
        commands: commands_rx,
        emits: emits_rx,
        jobs,
        finished,
        handlers: handlers.clone(),
        consents: JoinSet::new(),
        answers: std::collections::HashMap::new(),
        events,
        pairing,
        handles: Arc::downgrade(&shared),
        alarm: Alarm::new(),
        stop,
    };
    tasks.spawn(actor.run());
    tasks.spawn(handlers::run(handlers, jobs_rx, finished_tx));
    P2pClient { shared }
}

impl std::fmt::Debug for P2pBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("P2pBuilder").field("id", &self.id).finish_non_exhaustive()
    }
}
