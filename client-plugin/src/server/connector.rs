//! Making a client's connections, the first and all later ones.
//!
//! With a recipe for builders each connection is a new client of rust_socketio, and the old one is
//! discarded. With a single builder there is one client of rust_socketio. Its own reconnect is held
//! until it is wanted, so a dead connection is replaced only when rust_socketio has noticed the loss
//! as well.

use std::{fmt, sync::Arc, time::Duration};

use futures_util::future::{BoxFuture, FutureExt as _};
use rust_socketio::asynchronous::ClientBuilder;
use serde_json::{Map, Value};
use socketio_p2p_protocol::{
    ClientId, ResumeToken,
    wire::{ConnectAuth, PROTOCOL},
};
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};
use tokio_util::task::TaskTracker;

use crate::server::{
    from_server::FromServer,
    socket::{Gate, ServerConnection, Socket, Unknown},
};

/// The longest wait for rust_socketio's own reconnect, where a client is made from a single builder. It
/// notices a dead connection after 45 s with the usual Engine.IO settings, and an attempt to connect that
/// nobody answers ends after some 2 min. After that its task has ended, or hangs for good.
const GATE_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// A function that makes a builder for each connection.
type MakeBuilder = Arc<dyn Fn() -> ClientBuilder + Send + Sync>;

/// The source of connections.
pub(crate) enum Recipe {
    /// A new builder for each connection.
    Anew(MakeBuilder),
    /// A new connection to this URL each time.
    Url(String),
    /// A single builder.
    Once(Box<ClientBuilder>),
}

/// Makes a client's connections.
pub(crate) struct Connector {
    source: Source,
    auth: Auth,
    attempt: Option<Attempt>,
    /// The tasks that close old connections.
    tasks: TaskTracker,
}

/// The auth of a client's connections.
struct Auth {
    client: ClientId,
    /// The application's own fields.
    application: Map<String, Value>,
    /// `true` if the client allows a direct path.
    direct: bool,
}

impl Auth {
    /// Returns the auth of a connection that resumes the session of this token, if there is one.
    fn with(&self, resume: Option<ResumeToken>) -> Value {
        let mut auth = self.application.clone();
        let own = ConnectAuth { protocol: PROTOCOL, binary: false, direct: self.direct, resume };
        own.write(&self.client, &mut auth);
        Value::Object(auth)
    }
}

/// The source of all connections but the first.
enum Source {
    /// A new client of rust_socketio for each connection.
    Recipe(MakeBuilder, Unknown),
    /// The one client of rust_socketio, behind its gate.
    Gate(Arc<Gate>),
}

/// An attempt to connect: the wait before it, or what follows.
enum Attempt {
    /// The wait, and what follows.
    Waiting(BoxFuture<'static, ()>, BoxFuture<'static, Attempted>),
    /// The wait is over, or a part of what follows.
    Connecting(BoxFuture<'static, Attempted>),
}

/// The progress of an attempt to connect.
pub(crate) enum Attempted {
    /// The wait before the attempt is over.
    Begun,
    /// There is a connection.
    Connected(ServerConnection),
    /// There is none. Another attempt may succeed.
    Failed,
    /// There is none, and no further attempt is possible.
    Impossible,
}

impl Connector {
    /// Makes the first connection. `direct` tells the server whether this client allows a direct path.
    pub(crate) async fn first(
        id: &ClientId,
        recipe: Recipe,
        auth: Map<String, Value>,
        direct: bool,
        tasks: TaskTracker,
    ) -> Result<(Self, ServerConnection), rust_socketio::Error> {
        let auth = Auth { client: id.clone(), application: auth, direct };
        let first_auth = auth.with(None);
        let (connection, source) = match recipe {
            Recipe::Anew(make) => {
                let unknown = Unknown::Unseen;
                let connection = Socket::connect(make(), first_auth, unknown).await?;
                (connection, Source::Recipe(make, unknown))
            }
            Recipe::Url(url) => {
                let make: MakeBuilder = Arc::new(move || ClientBuilder::new(url.as_str()));
                let unknown = Unknown::Forwarded;
                let connection = Socket::connect(make(), first_auth, unknown).await?;
                (connection, Source::Recipe(make, unknown))
            }
            Recipe::Once(builder) => {
                let (connection, gate) = Socket::connect_gated(*builder, first_auth).await?;
                (connection, Source::Gate(Arc::new(gate)))
            }
        };
        let connector = Self { source, auth, attempt: None, tasks };
        Ok((connector, connection))
    }

    /// Begins to replace a connection, after this wait. `at_gate` tells whether rust_socketio waits at the gate
    /// already.
    pub(crate) fn replace(
        &mut self,
        old: Option<ServerConnection>,
        at_gate: bool,
        resume: Option<ResumeToken>,
        after: Duration,
    ) {
        let auth = self.auth.with(resume);
        self.attempt = match &self.source {
            Source::Recipe(make, unknown) => {
                if let Some(old) = old {
                    self.tasks.spawn(async move { old.socket.disconnect().await });
                }
                let (make, unknown) = (make.clone(), *unknown);
                let connecting = async move {
                    match Socket::connect(make(), auth, unknown).await {
                        Ok(connection) => Attempted::Connected(connection),
                        Err(error) => {
                            tracing::debug!(%error, "connecting failed");
                            Attempted::Failed
                        }
                    }
                };
                Some(Attempt::Waiting(sleep(after).boxed(), connecting.boxed()))
            }
            // It has its connection in hand from the wait on, and may not be dropped.
            Source::Gate(gate) => old.map(|connection| {
                let gate = gate.clone();
                let connecting = through_gate(gate, connection, at_gate, after, auth);
                Attempt::Connecting(connecting.boxed())
            }),
        };
    }

    /// Waits for the progress of the attempt under way; pending if there is none.
    ///
    /// Cancel safe: the attempt continues.
    pub(crate) async fn attempted(&mut self) -> Attempted {
        let attempted = match &mut self.attempt {
            Some(Attempt::Waiting(wait, _)) => {
                wait.await;
                Attempted::Begun
            }
            Some(Attempt::Connecting(connecting)) => connecting.await,
            None => std::future::pending().await,
        };
        self.attempt = match self.attempt.take() {
            Some(Attempt::Waiting(_, connecting)) => Some(Attempt::Connecting(connecting)),
            _ => None,
        };
        attempted
    }
}

/// Lets rust_socketio connect again, once it has noticed the loss itself.
async fn through_gate(
    gate: Arc<Gate>,
    mut connection: ServerConnection,
    at_gate: bool,
    after: Duration,
    auth: Value,
) -> Attempted {
    if !at_gate && !comes_to_gate(&mut connection.received).await {
        tracing::warn!("rust_socketio makes no further connection");
        return Attempted::Impossible;
    }
    sleep(after).await;
    gate.open(auth);
    Attempted::Connected(connection)
}

/// Waits until rust_socketio is at its gate. Returns `false` if it does not come there: its task has
/// ended, for example because the application has called its `disconnect`, or because a callback of the
/// application has panicked. rust_socketio does not report that.
async fn comes_to_gate(received: &mut mpsc::Receiver<FromServer>) -> bool {
    let coming = async {
        // What still arrives on the old connection is ignored.
        while let Some(event) = received.recv().await {
            if matches!(event, FromServer::AtGate) {
                return true;
            }
        }
        false
    };
    timeout(GATE_TIMEOUT, coming).await.unwrap_or(false)
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("attempting", &self.attempt.is_some())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_client_of_rust_socketio_that_no_longer_reconnects_is_given_up() {
        let (events, mut received) = mpsc::channel(4);
        events.send(FromServer::Closed).await.unwrap();
        let mut comes = async || timeout(2 * GATE_TIMEOUT, comes_to_gate(&mut received)).await;

        assert_eq!(comes().await, Ok(false), "its task has ended without a word");

        drop(events);
        assert_eq!(comes().await, Ok(false), "there is nothing left of it");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_of_rust_socketio_that_notices_the_loss_late_may_still_reconnect() {
        let (events, mut received) = mpsc::channel(4);
        let noticing = async {
            events.send(FromServer::Closed).await.unwrap();
            sleep(GATE_TIMEOUT - Duration::from_secs(1)).await;
            events.send(FromServer::AtGate).await.unwrap();
        };

        let (comes, ()) = tokio::join!(comes_to_gate(&mut received), noticing);

        assert!(comes);
    }
}
