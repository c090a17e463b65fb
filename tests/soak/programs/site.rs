//! The server with the plugin, in this process.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use socketio_p2p_harness::panics;
use socketio_p2p_server::{P2pServer, QuickAckListener, Stats};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// The longest time until the server has forgotten those who left.
const FORGETTING: Duration = Duration::from_secs(120);

/// The interval at which it is asked meanwhile.
const LOOK: Duration = Duration::from_millis(50);

/// A running server.
pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    pub(crate) p2p: P2pServer,
    /// Serves until it is dropped.
    _serving: JoinSet<()>,
}

impl Site {
    /// A server as the plugin advises it.
    pub(crate) async fn start() -> Result<Self> {
        panics::watch("tests/soak/");
        let (layer, io) = P2pServer::socket_io().build_layer();
        let p2p = P2pServer::builder().attach(&io);
        let listener = QuickAckListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let app = axum::Router::new().layer(layer);
        let mut serving = JoinSet::new();
        serving.spawn(async move { _ = axum::serve(listener, app).await });
        Ok(Self { address, p2p, _serving: serving })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the number of objects left on the server when it has had the time to forget those who left.
    pub(crate) async fn leftovers(&self) -> usize {
        let deadline = Instant::now() + FORGETTING;
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            let left = objects(&self.p2p.stats());
            if left == 0 || Instant::now() > deadline {
                return left;
            }
        }
    }
}

/// Returns the number of objects that the broker holds for its clients.
pub(crate) fn objects(stats: &Stats) -> usize {
    stats.clients + stats.requests + stats.pairings
}
