//! From a connection to a client: the server's welcome, then the client's tasks.

use std::{
    sync::{Arc, Mutex, atomic::AtomicU64},
    time::Instant,
};

use socketio_p2p_protocol::{
    Client, ClientConfig, ClientEvent, ClientId, Code, ServerMessage,
    client::Input,
    wire::{self, WELCOME},
};
use tokio::sync::{broadcast, mpsc, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    actor::{
        Actor, coarse_timer::CoarseTimer, command::Callers, consents::Consents,
        handler_tasks::HandlerTasks, observers::Observers,
    },
    api::{
        client::{P2pClient, Shared},
        counters::ComplaintCounters,
        error::ConnectError,
        events,
        handlers::Handlers,
    },
    partner::PartnerLink,
    server::{
        connector::Connector,
        from_server::{FromServer, code_named},
        server_link::ServerLink,
        socket::ServerConnection,
    },
};

/// Requests that wait for the actor. When it is full, the next one waits with its caller.
const COMMANDS: usize = 64;

/// Emits that wait for the actor. When it is full, the next one waits with its caller, as behind a full
/// window.
const EMITS: usize = 64;

/// Waits for the server's welcome.
pub(crate) async fn welcome(
    received: &mut mpsc::Receiver<FromServer>,
) -> Result<ServerMessage, ConnectError> {
    while let Some(event) = received.recv().await {
        match event {
            FromServer::Event(WELCOME, args) => {
                return wire::server_message(WELCOME, args).map_err(|error| {
                    match error.refusal.code {
                        code @ Code::UnsupportedProtocol => ConnectError::Refused(code),
                        _ => ConnectError::Welcome,
                    }
                });
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
            FromServer::Event(..) | FromServer::Unknown => {}
        }
    }
    Err(ConnectError::Closed)
}

/// The parts of a client that has been welcomed.
pub(crate) struct Parts {
    pub(crate) id: ClientId,
    pub(crate) handlers: Arc<Handlers>,
    pub(crate) connector: Connector,
    pub(crate) connection: ServerConnection,
    pub(crate) partner: PartnerLink,
    #[cfg(feature = "webrtc")]
    pub(crate) direct_connection: watch::Receiver<Option<crate::direct::DirectConnection>>,
    pub(crate) tasks: TaskTracker,
}

/// Starts the tasks of a client.
pub(crate) fn start(parts: Parts, config: ClientConfig, welcome: ServerMessage) -> P2pClient {
    let Parts { id, handlers, connector, connection, partner, tasks, .. } = parts;
    let now = Instant::now();
    let mut client = Client::new(config, now);
    client.handle(Input::Received(welcome), now);

    let (commands, commands_rx) = mpsc::channel(COMMANDS);
    let (emits, emits_rx) = mpsc::channel(EMITS);
    let (events, first_events) = broadcast::channel::<ClientEvent>(events::EVENTS);
    let (pairing, pairing_rx) = watch::channel(None);
    let counters = Arc::new(ComplaintCounters::default());
    let stop = CancellationToken::new();
    let first_socket = connection.socket.clone();
    let (server, socket) = ServerLink::new(connector, connection);

    let shared = Arc::new(Shared {
        id,
        first_socket,
        socket,
        commands,
        emits,
        handlers: handlers.clone(),
        pairing: pairing_rx,
        #[cfg(feature = "webrtc")]
        direct_connection: parts.direct_connection,
        last_call: AtomicU64::new(1),
        events: events.downgrade(),
        counters: counters.clone(),
        first_events: Mutex::new(Some(first_events)),
        tasks: tasks.clone(),
        stop: stop.clone(),
        _stop_on_drop: stop.clone().drop_guard(),
    });
    let (handler_tasks, running) = HandlerTasks::new(handlers.clone(), Arc::downgrade(&shared));
    let actor = Actor {
        client,
        server,
        partner,
        commands: commands_rx,
        emits: emits_rx,
        callers: Callers::default(),
        handler_tasks,
        consents: Consents::new(handlers),
        observers: Observers { events, pairing, counters },
        timer: CoarseTimer::new(),
        stop,
        stopping: false,
    };
    tasks.spawn(actor.run());
    tasks.spawn(running);
    P2pClient { shared }
}
