//! How a connection becomes a client: the server's welcome, then its tasks.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, atomic::AtomicU64},
    time::Instant,
};

use socketio_p2p_protocol::{
    ClientId, Code, Endpoint, EndpointConfig, EndpointEvent, ServerMessage,
    endpoint::Input,
    limits::PENDING_CALLS,
    wire::{self, WELCOME},
};
use tokio::{
    sync::{broadcast, mpsc, watch},
    task::JoinSet,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    actor::Actor,
    actor::coarse_timer::Alarm,
    actor::handlers::{self, Handlers},
    api::client::{P2pClient, Shared},
    api::error::ConnectError,
    api::events,
    partner::Links,
    server::connector::Connector,
    server::socket::{FromServer, Link, Socket},
};

/// Requests that wait for the actor. Full, the next waits with its caller.
const COMMANDS: usize = 64;

/// Emits that wait for the actor. Full, the next waits with its caller, as behind a full window.
const EMITS: usize = 64;

/// Closes a connection that did not become a client.
pub(crate) struct Goodbye(Option<Socket>);

impl Goodbye {
    pub(crate) const fn new(socket: Socket) -> Self {
        Self(Some(socket))
    }

    /// It did become one.
    pub(crate) fn forget(mut self) {
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
pub(crate) async fn welcome(
    received: &mut mpsc::Receiver<FromServer>,
) -> Result<ServerMessage, ConnectError> {
    while let Some(event) = received.recv().await {
        match event {
            FromServer::Event(WELCOME, args) => {
                if let Ok(welcome) = wire::server_message(WELCOME, args) {
                    return Ok(welcome);
                }
                return Err(ConnectError::Welcome);
            }
            FromServer::Refused(message) => {
                return Err(match code_named(&message) {
                    Some(code) => ConnectError::Refused(code),
                    None => ConnectError::Rejected(message),
                });
            }
            FromServer::Closed | FromServer::Failed(_) | FromServer::AtGate => {
                return Err(ConnectError::Closed);
            }
            FromServer::Event(..) => {}
        }
    }
    Err(ConnectError::Closed)
}

/// The code of a refused connection. What the application's own middleware says is its policy.
pub(crate) fn refusal_code(message: &str) -> Code {
    code_named(message).unwrap_or(Code::Forbidden)
}

fn code_named(message: &str) -> Option<Code> {
    Code::ALL.iter().copied().find(|code| code.as_str() == message)
}

/// What a client is made of.
pub(crate) struct Parts {
    pub(crate) id: ClientId,
    pub(crate) handlers: Arc<Handlers>,
    pub(crate) connector: Connector,
    pub(crate) link: Link,
    pub(crate) links: Links,
    #[cfg(feature = "webrtc")]
    pub(crate) opened: crate::partner::Opened,
    pub(crate) tasks: TaskTracker,
}

/// Starts the tasks of a client that has been welcomed.
pub(crate) fn start(parts: Parts, config: EndpointConfig, welcome: ServerMessage) -> P2pClient {
    let Parts { id, handlers, connector, link, links, tasks, .. } = parts;
    let now = Instant::now();
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
    let first_socket = link.socket.clone();
    let (socket, socket_rx) = watch::channel(first_socket.clone());

    let shared = Arc::new(Shared {
        id,
        first_socket,
        socket: socket_rx,
        commands,
        emits,
        handlers: handlers.clone(),
        pairing: pairing_rx,
        #[cfg(feature = "webrtc")]
        opened: parts.opened,
        last_call: AtomicU64::new(1),
        events: events.downgrade(),
        first_events: Mutex::new(Some(first_events)),
        tasks: tasks.clone(),
        stop: stop.clone(),
        _stop_on_drop: stop.clone().drop_guard(),
    });
    let actor = Actor {
        endpoint,
        connector,
        link: Some(link),
        links,
        socket,
        commands: commands_rx,
        emits: emits_rx,
        jobs,
        finished,
        handlers: handlers.clone(),
        consents: JoinSet::new(),
        answers: HashMap::new(),
        events,
        pairing,
        handles: Arc::downgrade(&shared),
        alarm: Alarm::new(),
        stop,
        at_gate: false,
    };
    tasks.spawn(actor.run());
    tasks.spawn(handlers::run(handlers, jobs_rx, finished_tx));
    P2pClient { shared }
}
