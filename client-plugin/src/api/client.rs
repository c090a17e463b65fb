//! A handle on a client.

use std::{
    fmt,
    ops::Deref,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use rust_socketio::asynchronous::Client;
use socketio_p2p_protocol::{
    ClientId, EndpointEvent, PairingInfo, endpoint::Command, session::CallId,
};
use tokio::sync::{broadcast, mpsc, watch};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use crate::{actor::Asked, actor::handlers::Handlers, api::events::Events, server::socket::Socket};

/// A client of rust_socketio that can be paired with another:
/// [`P2pClientExt`](crate::P2pClientExt) says how.
///
/// It dereferences to rust_socketio's own [`Client`], for the application's own events: that of the
/// first connection, which is also that of all later ones if the client was made from a single
/// builder. With a recipe or a URL each connection has a client of its own: [`Self::socket`]. Two of
/// its ways are to be left alone: `emit_with_ack` of rust_socketio 0.6 misroutes answers and ends the
/// connection without a word when several are under way; and a callback of `on` that takes long
/// holds up everything that comes from the server, pairing included, until the connection is lost.
///
/// Cloning it is cheap; when the last clone is dropped, the connection is closed.
#[derive(Clone)]
pub struct P2pClient {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) id: ClientId,
    /// For [`Deref`], which must lend one that stays.
    pub(crate) first_socket: Socket,
    pub(crate) socket: watch::Receiver<Socket>,
    pub(crate) commands: mpsc::Sender<Asked>,
    pub(crate) emits: mpsc::Sender<Asked>,
    pub(crate) handlers: Arc<Handlers>,
    pub(crate) pairing: watch::Receiver<Option<PairingInfo>>,
    /// On which channels can be opened.
    #[cfg(feature = "webrtc")]
    pub(crate) opened: crate::partner::Opened,
    pub(crate) last_call: AtomicU64,
    /// Weak, so that readers learn of the end.
    pub(crate) events: broadcast::WeakSender<EndpointEvent>,
    /// Since the connection, for the first who asks.
    pub(crate) first_events: Mutex<Option<broadcast::Receiver<EndpointEvent>>>,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
    pub(crate) _stop_on_drop: DropGuard,
}

impl P2pClient {
    /// The name of this client.
    #[must_use]
    pub fn id(&self) -> &ClientId {
        &self.shared.id
    }

    /// rust_socketio's client of the present connection, or of the last one.
    #[must_use]
    pub fn socket(&self) -> Client {
        self.shared.socket.borrow().0.clone()
    }

    /// Has the direct path made anew, as if nothing had failed: for an application that knows that this
    /// machine has other addresses than before. Meanwhile the relay carries, and for
    /// [`PathConfig::hold`](crate::PathConfig::hold), as after any loss; raw channels end with the connection.
    /// A client also notices by itself
    /// ([`DirectConfig::watch_network`](crate::direct::DirectConfig::watch_network)), and then leaves
    /// alone what goes on.
    #[cfg(feature = "webrtc")]
    pub fn network_changed(&self) {
        let changed = Asked::notice(Command::NetworkChanged);
        // If there is no room for that, a dead path is left as soon as it is silent.
        self.shared.commands.try_send(changed).ok();
    }

    /// Ends the pairing, if there is one, closes the connection, and returns when nothing of this
    /// client runs any more. Whatever waits is answered; handlers that still run are ended.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the client closes all the same.
    pub async fn close(&self) {
        let shared = &self.shared;
        if shared.commands.try_send(Asked::notice(Command::Close)).is_err() {
            shared.stop.cancel();
        }
        shared.tasks.close();
        shared.tasks.wait().await;
    }

    /// Whether the client is closed, or lost its connection and makes no other.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.commands.is_closed()
    }
}

impl Deref for P2pClient {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.shared.first_socket.0
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

    pub(crate) fn events(&self) -> Events {
        let first = self.first_events.lock().unwrap_or_else(PoisonError::into_inner).take();
        Events(first.unwrap_or_else(|| match self.events.upgrade() {
            Some(events) => events.subscribe(),
            None => broadcast::channel(1).1, // Closed: its sender is dropped here.
        }))
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("id", &self.id).finish_non_exhaustive()
    }
}
