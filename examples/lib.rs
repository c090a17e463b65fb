//! Tools that the examples share: logs on stderr, the server that they start, and the files of their pages.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

pub mod site;

use std::{
    env,
    error::Error,
    io::{self, IsTerminal as _, Write as _},
    net::SocketAddr,
    process::ExitCode,
    time::Duration,
};

use socketio_p2p_server::{ListPolicy, P2pServer, PeerAddr, QuickAckListener};
use socketioxide::SocketIo;
use tokio::sync::oneshot;
use tracing_subscriber::EnvFilter;

/// The default filter: warnings, but only errors of the WebRTC stack, which warns at every connection.
pub const WARNINGS: &str =
    "warn,rtc=error,rtc_dtls=error,rtc_ice=error,rtc_sctp=error,webrtc=error";

/// Writes logs to stderr, filtered by `RUST_LOG`, or else by `default`. Colours are for terminals only, and not
/// if `NO_COLOR` is set. What cannot be written is lost.
///
/// Ends the process with status 2 if `RUST_LOG` is no filter.
pub fn log_to_stderr(default: &str) {
    let text = env::var("RUST_LOG").unwrap_or_else(|_| default.to_owned());
    let filter = EnvFilter::try_new(&text).unwrap_or_else(|error| {
        complain(&format!("RUST_LOG={text}: {error}"));
        std::process::exit(2)
    });
    let is_plain = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal() && !is_plain)
        // It would panic if stderr cannot be written.
        .log_internal_errors(false)
        .init();
}

/// Returns the text of an error and of all its causes, as far as they are not in it already.
#[must_use]
pub fn describe(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

fn complain(message: &str) {
    // Nobody may read it.
    writeln!(io::stderr(), "error: {message}").ok();
}

/// Returns the exit status of a program, and prints its error, if there is one.
#[must_use]
pub fn exit_status(result: Result<(), Box<dyn Error>>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&describe(&*error));
            ExitCode::FAILURE
        }
    }
}

/// A running server with the plugin.
#[derive(Debug)]
pub struct RunningServer {
    /// The URL of the server, for example `http://127.0.0.1:9000`.
    pub url: String,
    /// The plugin.
    pub p2p: P2pServer,
    io: SocketIo,
    stop: oneshot::Sender<()>,
    serving: tokio::task::JoinHandle<io::Result<()>>,
}

impl RunningServer {
    /// Starts a server on this address. Port 0 stands for any free port. Every client may list all others, and join every
    /// room.
    ///
    /// # Errors
    ///
    /// The system's error if the address cannot be used.
    pub async fn start(address: SocketAddr) -> io::Result<Self> {
        Self::start_with(address, axum::Router::new()).await
    }

    /// Starts a server on this address that serves these routes too.
    ///
    /// # Errors
    ///
    /// The system's error if the address cannot be used.
    pub async fn start_with(address: SocketAddr, routes: axum::Router) -> io::Result<Self> {
        let (layer, io) = P2pServer::socket_io().build_layer();
        let p2p = P2pServer::builder().list_clients(ListPolicy::All).rooms(|_, _| true).attach(&io);
        let app = routes.layer(layer);

        let listener = QuickAckListener::bind(address).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let (stop, stopped) = oneshot::channel::<()>();
        // So that log lines name the addresses of clients.
        let app = app.into_make_service_with_connect_info::<PeerAddr>();
        let serve = axum::serve(listener, app).with_graceful_shutdown(async move {
            stopped.await.ok();
        });
        #[expect(clippy::disallowed_methods, reason = "`serving` owns it; `stop` awaits it")]
        let serving = tokio::spawn(async move { serve.await });
        Ok(Self { url, p2p, io, stop, serving })
    }

    /// Ends all pairings, informs the clients, closes all connections, and waits until nothing runs any
    /// more. After 10 s it returns in any case: a client may read nothing.
    ///
    /// # Errors
    ///
    /// The error of serving, if it had failed.
    pub async fn stop(self) -> io::Result<()> {
        let closing = async {
            // First nobody else is let in: a client that came back now would find no namespace, which
            // tells it to stay away.
            self.stop.send(()).ok();
            self.p2p.close().await;
            self.io.close().await;
            self.serving.await.map_err(io::Error::other)?
        };
        tokio::time::timeout(Duration::from_secs(10), closing).await.unwrap_or(Ok(()))
    }
}
