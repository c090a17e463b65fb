//! Making a client's connections, the first and all later ones.
//!
//! With a recipe for builders each connection is a new client of rust_socketio, and the old one is
//! discarded. With a single builder there is one client of rust_socketio. Its own reconnect is held
//! until it is wanted, so a dead connection is replaced only when rust_socketio has noticed the loss
//! as well.

use std::{fmt, sync::Arc, time::Duration};

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use futures_util::future::{BoxFuture, FutureExt as _};
use rust_socketio::asynchronous::ClientBuilder;
use serde_json::{Map, Value};
use socketio_p2p_protocol::{
    ClientId, ResumeToken,
    wire::{CLIENT_ID, DIRECT, P2P, PROTOCOL, RESUME},
};
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;

use crate::server::{
    from_server::FromServer,
    socket::{Gate, ServerConnection, Socket},
};

/// The source of connections.
pub(crate) enum Recipe {
    /// A new builder for each connection.
    Anew(Arc<dyn Fn() -> ClientBuilder + Send + Sync>),
    /// A single builder.
    Once(Box<ClientBuilder>),
}

/// Settings of a client's connections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConnectorConfig {
    /// The longest time that an attempt may take.
    pub(crate) timeout: Duration,
    /// The waits before attempts.
    pub(crate) backoff: ExponentialBuilder,
}

/// Makes a client's connections.
pub(crate) struct Connector {
    source: Source,
    auth: Map<String, Value>,
    config: ConnectorConfig,
    /// The waits before the next attempts, since the last welcome.
    delays: Option<ExponentialBackoff>,
    attempt: Option<Attempt>,
    /// The tasks that close old connections.
    tasks: TaskTracker,
}

/// The source of all connections but the first.
enum Source {
    /// A new client of rust_socketio for each connection.
    Recipe(Arc<dyn Fn() -> ClientBuilder + Send + Sync>),
    /// The one client of rust_socketio, behind its gate.
    Gate(Arc<Gate>),
}

/// An attempt to connect; `None` if it fails.
type Attempt = BoxFuture<'static, Option<ServerConnection>>;

impl Connector {
    /// Makes the first connection. `direct` tells the server whether this client allows a direct path.
    pub(crate) async fn first(
        id: &ClientId,
        recipe: Recipe,
        mut auth: Map<String, Value>,
        direct: bool,
        config: ConnectorConfig,
        tasks: TaskTracker,
    ) -> Result<(Self, ServerConnection), rust_socketio::Error> {
        auth.insert(CLIENT_ID.to_owned(), id.as_str().into());
        auth.insert(P2P.to_owned(), PROTOCOL.into());
        // The application's own auth has no say in this.
        auth.remove(DIRECT);
        if direct {
            auth.insert(DIRECT.to_owned(), true.into());
        }
        let first_auth = Value::Object(auth.clone());
        let (connection, source) = match recipe {
            Recipe::Anew(make) => {
                (Socket::connect(make(), first_auth).await?, Source::Recipe(make))
            }
            Recipe::Once(builder) => {
                let (connection, gate) = Socket::connect_gated(*builder, first_auth).await?;
                (connection, Source::Gate(Arc::new(gate)))
            }
        };
        let connector = Self { source, auth, config, delays: None, attempt: None, tasks };
        Ok((connector, connection))
    }

    fn auth(&self, resume: Option<ResumeToken>) -> Value {
        let mut auth = self.auth.clone();
        if let Some(token) = resume {
            auth.insert(RESUME.to_owned(), token.to_string().into());
        }
        Value::Object(auth)
    }

    /// Starts the backoff anew: the server has welcomed this client.
    pub(crate) fn welcomed(&mut self) {
        self.delays = None;
    }

    /// Begins to replace a connection, after a wait that grows from attempt to attempt. `at_gate` tells
    /// whether rust_socketio waits at the gate already.
    pub(crate) fn replace(
        &mut self,
        old: Option<ServerConnection>,
        at_gate: bool,
        resume: Option<ResumeToken>,
    ) {
        let ConnectorConfig { timeout: limit, backoff } = self.config;
        let delays = self.delays.get_or_insert_with(|| backoff.build());
        let delay = delays.next().unwrap_or_default();
        let auth = self.auth(resume);
        self.attempt = match &self.source {
            Source::Recipe(make) => {
                if let Some(old) = old {
                    self.tasks.spawn(async move { old.socket.disconnect().await });
                }
                let make = make.clone();
                let connecting = async move {
                    sleep(delay).await;
                    let connecting = Socket::connect(make(), auth);
                    match timeout(limit, connecting).await {
                        Ok(Ok(connection)) => Some(connection),
                        Ok(Err(error)) => {
                            tracing::debug!(%error, "no connection");
                            None
                        }
                        Err(_) => None,
                    }
                };
                Some(connecting.boxed())
            }
            Source::Gate(gate) => old.map(|connection| {
                let gate = gate.clone();
                through_gate(gate, connection, at_gate, delay, auth).boxed()
            }),
        };
    }

    /// Waits for the outcome of the attempt under way; pending if there is none.
    ///
    /// Cancel safe: the attempt continues.
    pub(crate) async fn attempted(&mut self) -> Option<ServerConnection> {
        match &mut self.attempt {
            Some(attempt) => {
                let connection = attempt.await;
                self.attempt = None;
                connection
            }
            None => std::future::pending().await,
        }
    }
}

/// Lets rust_socketio connect again, once it has noticed the loss itself.
async fn through_gate(
    gate: Arc<Gate>,
    mut connection: ServerConnection,
    at_gate: bool,
    delay: Duration,
    auth: Value,
) -> Option<ServerConnection> {
    if !at_gate {
        // What still arrives on the old connection is ignored.
        while !matches!(connection.received.recv().await?, FromServer::AtGate) {}
    }
    sleep(delay).await;
    gate.open(auth);
    Some(connection)
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("attempting", &self.attempt.is_some())
            .finish_non_exhaustive()
    }
}
