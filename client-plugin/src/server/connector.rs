//! How a client gets its connections, the first and all that follow.
//!
//! With a recipe for builders each connection is a fresh client of rust_socketio, and the old one
//! is left behind. With a single builder there is one client of rust_socketio, whose own reconnect
//! is held until it is wanted; a dead connection is then replaced only when rust_socketio has
//! noticed it as well.

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

use crate::{
    api::builder::Recipe,
    server::socket::{FromServer, Gate, Link, Socket},
};

/// Makes a client's connections.
pub(crate) struct Connector {
    source: Source,
    auth: Map<String, Value>,
    timeout: Duration,
    backoff: ExponentialBuilder,
    /// How long to wait before each attempt, since the last that came to a welcome.
    delays: Option<ExponentialBackoff>,
    attempt: Option<Attempt>,
    /// Connections that are being said goodbye to.
    tasks: TaskTracker,
}

/// Where connections come from.
enum Source {
    /// A fresh client each time.
    Recipe(Arc<dyn Fn() -> ClientBuilder + Send + Sync>),
    /// The one client, behind its gate. None before the first connection.
    Gate(Option<Arc<Gate>>),
}

/// One try to connect: none if it failed.
type Attempt = BoxFuture<'static, Option<Link>>;

impl Connector {
    /// Makes the first connection. `direct` says whether this client allows a direct path.
    pub(crate) async fn first(
        id: &ClientId,
        recipe: Recipe,
        auth: Map<String, Value>,
        direct: bool,
        timeout: Duration,
        backoff: ExponentialBuilder,
        tasks: TaskTracker,
    ) -> Result<(Self, Link), rust_socketio::Error> {
        let mut connector = Self {
            source: Source::Gate(None),
            auth,
            timeout,
            backoff,
            delays: None,
            attempt: None,
            tasks,
        };
        connector.auth.insert(CLIENT_ID.to_owned(), id.as_str().into());
        connector.auth.insert(P2P.to_owned(), PROTOCOL.into());
        // Whatever the application's own auth says.
        connector.auth.remove(DIRECT);
        if direct {
            connector.auth.insert(DIRECT.to_owned(), true.into());
        }
        let auth = connector.auth(None);
        let link = match recipe {
            Recipe::Anew(make) => {
                let link = Socket::connect(make(), auth).await?;
                connector.source = Source::Recipe(make);
                link
            }
            Recipe::Once(builder) => {
                let (link, gate) = Socket::connect_gated(*builder, auth).await?;
                connector.source = Source::Gate(Some(Arc::new(gate)));
                link
            }
        };
        Ok((connector, link))
    }

    fn auth(&self, resume: Option<ResumeToken>) -> Value {
        let mut auth = self.auth.clone();
        if let Some(token) = resume {
            auth.insert(RESUME.to_owned(), token.to_string().into());
        }
        Value::Object(auth)
    }

    /// The connection is of use: the next loss is the first again.
    pub(crate) fn welcomed(&mut self) {
        self.delays = None;
    }

    /// Replaces a connection, after a while that grows from attempt to attempt. `at_gate` says
    /// whether rust_socketio waits at the gate already.
    pub(crate) fn replace(
        &mut self,
        old: Option<Link>,
        at_gate: bool,
        resume: Option<ResumeToken>,
    ) {
        let backoff = self.backoff;
        let delays = self.delays.get_or_insert_with(|| backoff.build());
        let delay = delays.next().unwrap_or_default();
        let auth = self.auth(resume);
        let limit = self.timeout;
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
                        Ok(Ok(link)) => Some(link),
                        Ok(Err(error)) => {
                            tracing::debug!(%error, "no connection");
                            None
                        }
                        Err(_) => None,
                    }
                };
                Some(connecting.boxed())
            }
            Source::Gate(Some(gate)) => old.map(|link| {
                let gate = gate.clone();
                through_gate(gate, link, at_gate, delay, auth).boxed()
            }),
            Source::Gate(None) => None,
        };
    }

    /// The outcome of the attempt that is under way; for ever if none is.
    ///
    /// Cancel safe: the attempt goes on.
    pub(crate) async fn attempted(&mut self) -> Option<Link> {
        match &mut self.attempt {
            Some(attempt) => {
                let link = attempt.await;
                self.attempt = None;
                link
            }
            None => std::future::pending().await,
        }
    }
}

/// Lets rust_socketio connect again when it has noticed the loss itself.
async fn through_gate(
    gate: Arc<Gate>,
    mut link: Link,
    at_gate: bool,
    delay: Duration,
    auth: Value,
) -> Option<Link> {
    if !at_gate {
        // What still comes on the old connection counts for nothing.
        while !matches!(link.received.recv().await?, FromServer::AtGate) {}
    }
    sleep(delay).await;
    gate.open(auth);
    Some(link)
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("attempting", &self.attempt.is_some())
            .finish_non_exhaustive()
    }
}
