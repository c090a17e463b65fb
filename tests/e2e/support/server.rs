//! A server with the plugin, in the process of the test.

use std::{collections::BTreeSet, net::SocketAddr, sync::Mutex, time::Duration};

use socketio_p2p_server::{Event, Events, P2pServer, QuickAckListener, ServerLimits, Stats};
use socketioxide::{SocketIo, layer::SocketIoLayer};
use tokio::task::JoinSet;

use super::{panics, soon};

/// The grace period in stories that are about something else.
const SOON_MISSED: Duration = Duration::from_millis(500);

pub(crate) struct TestServer {
    pub(crate) url: String,
    pub(crate) address: SocketAddr,
    pub(crate) p2p: P2pServer,
    pub(crate) io: SocketIo,
    /// V1 clients that have connected.
    met: Mutex<BTreeSet<String>>,
    /// Serves until it is dropped.
    _serving: JoinSet<()>,
}

impl TestServer {
    /// A server as the plugin advises it, but that whoever is lost is missed soon, and that it may
    /// be asked as often as a story likes.
    pub(crate) async fn start() -> Self {
        Self::limited(patient()).await
    }

    /// The same, with these limits.
    pub(crate) async fn limited(limits: ServerLimits) -> Self {
        Self::with(|io| P2pServer::builder().grace(SOON_MISSED).limits(limits).attach(io)).await
    }

    /// A server as the plugin advises it.
    pub(crate) async fn with_grace() -> Self {
        Self::with(|io| P2pServer::builder().limits(patient()).attach(io)).await
    }

    /// A server as the plugin advises it, on which the plugin is set up like this.
    pub(crate) async fn with(attach: impl FnOnce(&SocketIo) -> P2pServer) -> Self {
        Self::on(P2pServer::socket_io().build_layer(), attach).await
    }

    /// A server on this layer.
    pub(crate) async fn on(
        (layer, io): (SocketIoLayer, SocketIo),
        attach: impl FnOnce(&SocketIo) -> P2pServer,
    ) -> Self {
        let listener = QuickAckListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self::behind((listener, address), (layer, io), attach)
    }

    /// A server with these limits whose connections are not metered.
    pub(crate) async fn unmetered(limits: ServerLimits) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let layer = P2pServer::socket_io().build_layer();
        let attach = |io: &SocketIo| P2pServer::builder().limits(limits).attach(io);
        Self::behind((listener, address), layer, attach)
    }

    fn behind<L: axum::serve::Listener<Addr: std::fmt::Debug>>(
        (listener, address): (L, SocketAddr),
        (layer, io): (SocketIoLayer, SocketIo),
        attach: impl FnOnce(&SocketIo) -> P2pServer,
    ) -> Self {
        panics::watch();
        let p2p = attach(&io);
        let app = axum::Router::new().layer(layer);
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self {
            url: format!("http://{address}"),
            address,
            p2p,
            io,
            met: Mutex::default(),
            _serving: serving,
        }
    }

    /// Waits until there are so many clients, waiting registrations and pairings.
    pub(crate) async fn becomes(&self, clients: usize, requests: usize, pairings: usize) {
        let wanted = (clients, requests, pairings);
        let mut events = self.p2p.events();
        let reached = async {
            loop {
                let Stats { clients, requests, pairings, .. } = self.p2p.stats();
                if (clients, requests, pairings) == wanted {
                    return;
                }
                // Whatever changes them is an event.
                events.recv().await.unwrap();
            }
        };
        soon(reached).await;
    }

    /// Returns whether a v1 client connects for the first time: a new server tells it that it has no pairing.
    pub(crate) fn meets(&self, id: &str) -> bool {
        self.met.lock().unwrap().insert(id.to_owned())
    }

    /// Waits until others can ask for this client. A v1 client is told that it is connected a moment before.
    pub(crate) async fn knows(&self, id: &str) {
        let mut events = self.p2p.events();
        let known = async {
            while !self.p2p.clients().iter().any(|client| client.id.as_str() == id) {
                events.recv().await.unwrap();
            }
        };
        soon(known).await;
    }

    /// Waits until nothing is left of anybody.
    pub(crate) async fn is_empty_soon(&self) {
        self.becomes(0, 0, 0).await;
        assert!(self.p2p.clients().is_empty());
    }
}

/// The default limits, but on questions and registrations: the stories have more of them than users.
pub(crate) fn patient() -> ServerLimits {
    ServerLimits::default().registrations(None).lists(None)
}

/// The next event that `choose` picks.
pub(crate) async fn next<T>(events: &mut Events, choose: impl Fn(Event) -> Option<T>) -> T {
    let found = async {
        loop {
            if let Some(found) = choose(events.recv().await.unwrap()) {
                return found;
            }
        }
    };
    soon(found).await
}
