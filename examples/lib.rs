//! Tools that the examples share: logs on stderr, and the server that they start.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

use std::{io, net::SocketAddr, time::Duration};

use socketio_p2p_server::{ListPolicy, P2pServer, QuickAckListener};
use socketioxide::SocketIo;
use tokio::sync::oneshot;
use tracing_subscriber::EnvFilter;

/// Warnings; of the WebRTC stack, which warns at every connection that it makes, errors.
const LOGS: &str = "warn,rtc=error,rtc_dtls=error,rtc_ice=error,rtc_sctp=error,webrtc=error";

/// Writes logs to stderr, as `RUST_LOG` says; warnings by default.
pub fn log_to_stderr() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LOGS));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();
}

/// A server with the plugin: where it listens, and how to end it.
#[derive(Debug)]
pub struct RunningServer {
    /// For example `http://127.0.0.1:9000`.
    pub url: String,
    /// The plugin.
    pub p2p: P2pServer,
    io: SocketIo,
    stop: oneshot::Sender<()>,
    serving: tokio::task::JoinHandle<io::Result<()>>,
}

impl RunningServer {
    /// Starts a server on this address; port 0 is any free one.
    ///
    /// # Errors
    ///
    /// If it cannot listen there.
    pub async fn start(address: SocketAddr) -> io::Result<Self> {
        let (layer, io) = P2pServer::socket_io().build_layer();
        let p2p = P2pServer::builder().list_clients(ListPolicy::All).attach(&io);
        let app = axum::Router::new().layer(layer);

        let listener = QuickAckListener::bind(address).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let (stop, stopped) = oneshot::channel::<()>();
        let serve = axum::serve(listener, app).with_graceful_shutdown(async move {
            stopped.await.ok();
        });
        #[expect(clippy::disallowed_methods, reason = "`serving` owns it; `stop` awaits it")]
        let serving = tokio::spawn(async move { serve.await });
        Ok(Self { url, p2p, io, stop, serving })
    }

    /// Ends all pairings, tells the clients, closes all connections, and returns when nothing
    /// runs any more, at the latest after 10 s: a client that reads nothing is not waited for.
    ///
    /// # Errors
    ///
    /// If serving had failed.
    pub async fn stop(self) -> io::Result<()> {
        let closing = async {
            self.p2p.close().await;
            self.io.close().await;
            self.stop.send(()).ok();
            self.serving.await.map_err(io::Error::other)?
        };
        tokio::time::timeout(Duration::from_secs(10), closing).await.unwrap_or(Ok(()))
    }
}
