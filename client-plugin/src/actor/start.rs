//! The start of a client: its first connection, up to the server's welcome, then its tasks.

use std::{
    pin::pin,
    sync::{Arc, Mutex, atomic::AtomicU64},
    time::Instant,
};

use socketio_p2p_protocol::{
    Client, ClientEvent, ClientId,
    client::{Input, Output},
};
use tokio::sync::{broadcast, mpsc, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    actor::{
        Actor, Emits, coarse_timer::CoarseTimer, command::Callers, consents::Consents,
        emit_queue::EmitQueue, handler_tasks::HandlerTasks, log, observers::Observers,
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
        from_server::FromServer,
        server_link::ServerLink,
        socket::{CloseOnDrop, ServerConnection},
    },
};

/// Requests that wait for the actor. When it is full, the next one waits with its caller.
const COMMANDS: usize = 64;

/// A connection on which the server has welcomed the client.
pub(crate) struct Welcomed {
    pub(crate) connector: Connector,
    pub(crate) connection: ServerConnection,
    /// The event that reports it.
    pub(crate) event: ClientEvent,
}

/// Makes the first connection and waits for the server's welcome, for as long as the client says.
pub(crate) async fn connect(
    client: &mut Client,
    connecting: impl Future<Output = Result<(Connector, ServerConnection), rust_socketio::Error>>,
    counters: &ComplaintCounters,
) -> Result<Welcomed, ConnectError> {
    let mut connecting = pin!(connecting);
    let mut connected: Option<(Connector, ServerConnection, CloseOnDrop)> = None;
    let mut unreachable = None;
    let mut timer = CoarseTimer::new();
    loop {
        timer.set(client.poll_timeout());
        let input = tokio::select! {
            biased;
            event = received(&mut connected) => event.map_or(Input::Lost, FromServer::into_input),
            made = &mut connecting, if connected.is_none() => match made {
                Ok((connector, connection)) => {
                    let unfinished = CloseOnDrop::new(connection.socket.clone());
                    connected = Some((connector, connection, unfinished));
                    Input::Opened
                }
                Err(error) => {
                    unreachable = Some(error);
                    Input::Unreachable
                }
            },
            () = timer.fired() => Input::Timeout,
        };
        client.handle(input, Instant::now());
        let mut failure = None;
        while let Some(output) = client.poll_output() {
            match output {
                Output::Event(event @ ClientEvent::Connected(_)) => {
                    if let Some((connector, connection, unfinished)) = connected {
                        unfinished.disarm();
                        return Ok(Welcomed { connector, connection, event });
                    }
                }
                Output::Event(ClientEvent::ConnectError(why)) => failure = Some(why),
                Output::Complain(complaint) => {
                    log(&complaint);
                    counters.count(&complaint);
                }
                Output::Close => return Err(ConnectError::of(failure, unreachable)),
                // There is nobody yet who could read other events.
                _ => {}
            }
        }
    }
}

/// Waits for the next event of the connection, once there is one. Cancel safe.
async fn received<A, B>(connected: &mut Option<(A, ServerConnection, B)>) -> Option<FromServer> {
    match connected {
        Some((_, connection, _)) => connection.received.recv().await,
        None => std::future::pending().await,
    }
}

/// The parts of a client that has been welcomed.
pub(crate) struct Parts {
    pub(crate) id: ClientId,
    pub(crate) handlers: Arc<Handlers>,
    pub(crate) client: Client,
    pub(crate) welcomed: Welcomed,
    pub(crate) counters: Arc<ComplaintCounters>,
    pub(crate) partner: PartnerLink,
    #[cfg(feature = "webrtc")]
    pub(crate) direct_connection: watch::Receiver<Option<crate::direct::DirectConnection>>,
    pub(crate) tasks: TaskTracker,
}

/// Starts the tasks of a client.
pub(crate) fn start(parts: Parts) -> P2pClient {
    let Parts { id, handlers, client, welcomed, counters, partner, tasks, .. } = parts;
    let Welcomed { connector, connection, event } = welcomed;
    let (commands, commands_rx) = mpsc::channel(COMMANDS);
    let emits = Arc::new(EmitQueue::new());
    let (events, first_events) = broadcast::channel::<ClientEvent>(events::EVENTS);
    let (pairing, pairing_rx) = watch::channel(None);
    let stop = CancellationToken::new();
    let first_socket = connection.socket.clone();
    let (server, socket) = ServerLink::new(connector, connection);

    let shared = Arc::new(Shared {
        id,
        first_socket,
        socket,
        commands,
        emits: emits.clone(),
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
        emits: Emits(emits),
        callers: Callers::default(),
        handler_tasks,
        consents: Consents::new(handlers),
        observers: Observers { events, pairing, counters },
        timer: CoarseTimer::new(),
        stop,
        stopping: false,
    };
    actor.observers.publish(event);
    tasks.spawn(actor.run());
    tasks.spawn(running);
    P2pClient { shared }
}
