//! The server at which clients find each other, in the measuring process.

use std::net::SocketAddr;

use anyhow::Result;
use axum::Router;
use socketio_p2p_server::{P2pServer, QuickAckListener, ServerLimits};
use tokio::task::JoinSet;

/// A server as the plugin advises it, on a free port. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    _serving: JoinSet<()>,
}

impl Server {
    /// Starts serving.
    pub(crate) async fn start() -> Result<Self> {
        let (layer, io) = P2pServer::socket_io().build_layer();
        // A user pairs less often.
        let limits = ServerLimits::default().registrations(None).signals(None);
        let p2p = P2pServer::builder().limits(limits).attach(&io);
        let listener = QuickAckListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let _p2p = p2p;
            axum::serve(listener, Router::new().layer(layer)).await.ok();
        });
        Ok(Self { address, _serving: serving })
    }
}
