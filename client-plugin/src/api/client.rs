//! The handle on a client.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use rust_socketio::asynchronous::Client;
use socketio_p2p_protocol::{
    ClientEvent, ClientId, PairingId, PairingInfo, client::Command, session::CallId,
};
use tokio::sync::{broadcast, mpsc, watch};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use crate::{
    actor::{
        command::{Asked, Emit, Hold},
        emit_queue::EmitQueue,
        rooms::Rooms,
    },
    api::{
        counters::{ComplaintCounters, Counters},
        events::Events,
        handlers::Handlers,
    },
    server::socket::Socket,
};

/// A client of rust_socketio that can be paired with another. Its operations are those of
/// [`P2pClientExt`](crate::P2pClientExt).
///
/// The application's own events, between this client and the server, are those of rust_socketio's
/// [`Client`], which [`Self::socket`] returns. Their handlers are set on rust_socketio's builder.
///
/// Avoid three features of rust_socketio 0.6. Its `emit_with_ack` misroutes answers, and silently ends
/// the connection when several are under way. A callback of `on` that takes long holds up everything that
/// arrives from the server, pairing included, until the connection is lost. And its `disconnect` is taken
/// for a lost connection: use [`Self::close`].
///
/// Cloning is cheap. When the last handle is dropped, the connection is closed. A call under way
/// ([`Emit2`](crate::Emit2)), a request that is not dropped ([`Register`](crate::Register) and the like) and a
/// handler that runs hold a handle, so a client is closed when they have ended; [`Self::close`] does not wait for
/// them. A task that must not keep the client connected, for example one that reads its events, holds a
/// [`WeakP2pClient`].
#[derive(Clone)]
pub struct P2pClient {
    pub(crate) shared: Arc<Shared>,
}

/// A handle on a client that does not keep it connected, from [`P2pClient::downgrade`].
///
/// # Examples
///
/// ```no_run
/// use socketio_p2p_client::{Event, P2pClient, P2pClientExt as _};
///
/// /// Pairs with `till` again whenever the pairing ends, as long as the application has the client.
/// async fn keep_paired(client: P2pClient) {
///     let mut events = client.events();
///     let client = client.downgrade();
///     while let Ok(event) = events.recv().await {
///         if let Event::Unpaired { .. } = event
///             && let Some(client) = client.upgrade()
///             && let Err(error) = client.register_target("till").await
///         {
///             println!("not paired: {error}");
///         }
///     }
/// }
/// ```
#[derive(Clone)]
pub struct WeakP2pClient {
    shared: Weak<Shared>,
}

pub(crate) struct Shared {
    pub(crate) id: ClientId,
    pub(crate) socket: watch::Receiver<Socket>,
    pub(crate) commands: mpsc::Sender<Asked>,
    pub(crate) emits: Arc<EmitQueue<PairingId, Emit>>,
    pub(crate) handlers: Arc<Handlers>,
    pub(crate) pairing: watch::Receiver<Option<PairingInfo>>,
    pub(crate) rooms: watch::Receiver<Rooms>,
    /// The connection on which channels can be opened.
    #[cfg(feature = "webrtc")]
    pub(crate) direct_connection: watch::Receiver<Option<crate::direct::DirectConnection>>,
    pub(crate) last_call: AtomicU64,
    /// Weak, so that readers learn of the client's end.
    pub(crate) events: broadcast::WeakSender<ClientEvent>,
    /// The events since the connection, for the first reader.
    pub(crate) first_events: Mutex<Option<broadcast::Receiver<ClientEvent>>>,
    pub(crate) counters: Arc<ComplaintCounters>,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
    pub(crate) _stop_on_drop: DropGuard,
}

impl P2pClient {
    /// Returns the id with which this client connects. A server that identifies its clients itself may
    /// have given it another: see [`Welcome::client_id`](socketio_p2p_protocol::Welcome::client_id).
    #[must_use]
    pub fn id(&self) -> &ClientId {
        &self.shared.id
    }

    /// Returns the counters of what this client has ignored since it connected.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.shared.counters.read()
    }

    /// Returns rust_socketio's client of the present connection, or else of the last one, for the
    /// application's own events. Ask again after each use: a client that was made from a recipe or a URL
    /// has another one for each connection.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use rust_socketio::Error;
    /// # use serde_json::json;
    /// # use socketio_p2p_client::P2pClient;
    /// # async fn tell_server(client: &P2pClient) -> Result<(), Error> {
    /// client.socket().emit("stock", json!({ "tea": 3 })).await
    /// # }
    /// ```
    #[must_use]
    pub fn socket(&self) -> Client {
        self.shared.socket.borrow().0.clone()
    }

    /// Returns a handle that does not keep the client connected.
    #[must_use]
    pub fn downgrade(&self) -> WeakP2pClient {
        WeakP2pClient { shared: Arc::downgrade(&self.shared) }
    }

    /// Restarts the direct path immediately and resets its backoff, and asks the server for a sign of life: a connection
    /// to it that is dead is replaced within seconds. Call this when the machine's addresses have changed.
    ///
    /// Until the new direct path is open, and for [`PathConfig::hold`](crate::PathConfig::hold) as after
    /// any loss, the relay carries. Raw channels end with the old connection. A client also notices
    /// changed addresses by itself
    /// ([`DirectConfig::watch_network`](crate::direct::DirectConfig::watch_network)), and then keeps a
    /// path that still works.
    #[cfg(feature = "webrtc")]
    pub fn network_changed(&self) {
        let changed = Asked::notice(Command::NetworkChanged);
        // If there is no room for it, a dead path is left as soon as it is silent.
        self.shared.commands.try_send(changed).ok();
    }

    /// Ends the pairing, if there is one, closes the connection, and returns when no task of this client
    /// runs any more. Every waiting call is answered. Handlers that still run are aborted.
    ///
    /// Before the pairing ends, the client waits until the partner has received every event that was
    /// emitted, for at most 1 s. A client that closes because its last handle was dropped waits, too.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the client closes nevertheless.
    pub async fn close(&self) {
        let shared = &self.shared;
        if shared.commands.try_send(Asked::notice(Command::Close)).is_err() {
            shared.stop.cancel();
        }
        shared.tasks.close();
        shared.tasks.wait().await;
    }

    /// Returns whether the client is closed. A client that lost its connection and makes no other is
    /// closed too.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.commands.is_closed()
    }
}

impl WeakP2pClient {
    /// Returns a handle, or `None` if the last one was dropped.
    #[must_use]
    pub fn upgrade(&self) -> Option<P2pClient> {
        self.shared.upgrade().map(|shared| P2pClient { shared })
    }
}

impl fmt::Debug for WeakP2pClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakP2pClient").finish_non_exhaustive()
    }
}

impl fmt::Debug for P2pClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("P2pClient").field("id", &self.shared.id).finish_non_exhaustive()
    }
}

impl Shared {
    pub(crate) fn next_call(&self) -> CallId {
        self.last_call.fetch_add(1, Ordering::Relaxed)
    }

    /// Returns a hold on the request with this number.
    pub(crate) fn hold(&self, call: CallId) -> Hold {
        Hold::new(&self.commands, &self.tasks, call)
    }

    pub(crate) fn events(&self) -> Events {
        let first = self.first_events.lock().unwrap_or_else(PoisonError::into_inner).take();
        first.map_or_else(|| self.later_events(), Events::new)
    }

    /// Returns the events from now on.
    pub(crate) fn later_events(&self) -> Events {
        Events::new(match self.events.upgrade() {
            Some(events) => events.subscribe(),
            None => broadcast::channel(1).1, // Closed: its sender is dropped here.
        })
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("id", &self.id).finish_non_exhaustive()
    }
}
