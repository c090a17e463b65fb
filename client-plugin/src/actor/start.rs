//! The start of a client: its first connection, up to the server's welcome, then its tasks.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, atomic::AtomicU64},
    time::Instant,
};

use socketio_p2p_protocol::{
    Client, ClientEvent, ClientId, Path, PathPolicy,
    client::{Input, Output},
};
use tokio::sync::{broadcast, mpsc, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    actor::{
        Actor, Emits, coarse_timer::CoarseTimer, command::Callers, consents::Consents,
        emit_queue::EmitQueue, handler_tasks::HandlerTasks, log, observers::Observers,
        rooms::Rooms,
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
        server_link::ServerLink,
        socket::{CloseOnDrop, Socket},
    },
};

/// Requests that wait for the actor. When it is full, the next one waits with its caller.
const COMMANDS: usize = 64;

/// The failures of first attempts that are kept for the reader of events, the last ones.
const FAILURES: usize = 64;

/// A connection on which the server has welcomed the client.
pub(crate) struct Welcomed {
    pub(crate) server: ServerLink,
    /// rust_socketio's client, which may be replaced.
    pub(crate) socket: watch::Receiver<Socket>,
    /// The events that report it, and the attempts before that failed.
    pub(crate) events: Vec<ClientEvent>,
}

/// Makes the first connection and waits for the server's welcome, for as long as the client says.
pub(crate) async fn connect(
    client: &mut Client,
    connector: Connector,
    counters: &ComplaintCounters,
) -> Result<Welcomed, ConnectError> {
    let mut server = ServerLink::connecting(connector);
    let mut unfinished = None::<CloseOnDrop>;
    let mut failures = VecDeque::new();
    let mut timer = CoarseTimer::new();
    loop {
        timer.set(client.poll_timeout());
        let input = tokio::select! {
            biased;
            input = server.happened() => input,
            () = timer.fired() => Input::Timeout,
        };
        if let Input::Opened = input {
            let socket = server.present().cloned();
            let before = std::mem::replace(&mut unfinished, socket.map(CloseOnDrop::new));
            if let Some(before) = before {
                before.disarm();
            }
        }
        client.handle(input, Instant::now());
        while let Some(output) = client.poll_output() {
            match output {
                Output::Event(event @ ClientEvent::Connected(_)) => {
                    if let Some(socket) = server.share() {
                        if let Some(unfinished) = unfinished {
                            unfinished.disarm();
                        }
                        let failures = failures.into_iter().map(ClientEvent::ConnectError);
                        let events = failures.chain([event]).collect();
                        return Ok(Welcomed { server, socket, events });
                    }
                }
                Output::Event(ClientEvent::ConnectError(why)) => {
                    if failures.len() == FAILURES {
                        failures.pop_front();
                    }
                    failures.push_back(why);
                }
                Output::Reconnect { resume, after } => {
                    if let Some(why) = failures.back() {
                        tracing::warn!(%why, ?after, "connecting failed, and is tried again");
                    }
                    server.reconnect(resume, after);
                }
                Output::Complain(complaint) => {
                    log(&complaint);
                    counters.count(&complaint);
                }
                Output::Close => {
                    return Err(ConnectError::of(failures.pop_back(), server.take_unreachable()));
                }
                // There is nobody yet who could read other events.
                _ => {}
            }
        }
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
    pub(crate) policy: PathPolicy,
    #[cfg(feature = "webrtc")]
    pub(crate) direct_connection: watch::Receiver<Option<crate::direct::DirectConnection>>,
    pub(crate) tasks: TaskTracker,
}

/// Starts the tasks of a client.
pub(crate) fn start(parts: Parts) -> P2pClient {
    let Parts { id, handlers, client, welcomed, counters, partner, policy, tasks, .. } = parts;
    let first_path = (policy != PathPolicy::DirectOnly).then_some(Path::Relay);
    let Welcomed { server, socket, events: first } = welcomed;
    let (commands, commands_rx) = mpsc::channel(COMMANDS);
    let emits = Arc::new(EmitQueue::new());
    let (events, first_events) = broadcast::channel::<ClientEvent>(events::EVENTS);
    let (pairing, pairing_rx) = watch::channel(None);
    let (rooms, rooms_rx) = watch::channel(Rooms::default());
    let stop = CancellationToken::new();
    let shared = Arc::new(Shared {
        id,
        socket,
        commands,
        emits: emits.clone(),
        handlers: handlers.clone(),
        pairing: pairing_rx,
        rooms: rooms_rx,
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
        observers: Observers { events, pairing, rooms, first_path, counters },
        timer: CoarseTimer::new(),
        stop,
        stopping: false,
    };
    for event in first {
        actor.observers.publish(event);
    }
    tasks.spawn(actor.run());
    tasks.spawn(running);
    P2pClient { shared }
}
