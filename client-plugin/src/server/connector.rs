//! Making a client's connections, the first and all later ones.
//!
//! With a recipe for builders each connection is a new client of rust_socketio, and the old one is
//! discarded. With a single builder there is one client of rust_socketio. Its own reconnect is held
//! until it is wanted, so a dead connection is replaced only when rust_socketio has noticed the loss
//! as well.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::future::{BoxFuture, FutureExt as _, ready};
use rust_socketio::asynchronous::ClientBuilder;
use serde_json::Value;
use socketio_p2p_protocol::ResumeToken;
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};
use tokio_util::task::TaskTracker;

use crate::server::{
    auth::Auth,
    from_server::FromServer,
    proxy::ProxySetting,
    reach::reach,
    socket::{Gate, ServerConnection, Socket, Unknown},
};

/// The longest wait for rust_socketio's own reconnect, where a client is made from a single builder. It
/// notices a dead connection after 45 s with the usual Engine.IO settings, and an attempt to connect without
/// an answer ends after some 2 min. After that its task has ended, or hangs for good.
const GATE_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// A function that makes a builder for each connection.
type MakeBuilder = Arc<dyn Fn() -> ClientBuilder + Send + Sync>;

/// A builder that can be used once, by one of those that share it.
type SingleBuilder = Arc<Mutex<Option<Box<ClientBuilder>>>>;

/// The source of connections.
#[derive(Clone)]
pub(crate) enum Recipe {
    /// A new builder for each connection.
    Anew(MakeBuilder),
    /// A new connection to this URL each time.
    Url(String),
    /// A single builder.
    Once(SingleBuilder),
}

impl Recipe {
    /// Returns the recipe of a single builder.
    pub(crate) fn once(builder: ClientBuilder) -> Self {
        Self::Once(Arc::new(Mutex::new(Some(Box::new(builder)))))
    }

    /// Returns whether this is a single builder, which connects once.
    pub(crate) const fn is_single(&self) -> bool {
        matches!(self, Self::Once(_))
    }
}

/// Makes a client's connections.
pub(crate) struct Connector {
    source: Source,
    auth: Auth,
    attempt: Option<Attempt>,
    /// The tasks that close old connections.
    tasks: TaskTracker,
}

/// The source of the next connection.
enum Source {
    /// A new client of rust_socketio for each connection.
    Recipe(Making, Unknown),
    /// The single builder, which is not used yet.
    Builder(SingleBuilder),
    /// The one client of rust_socketio, behind its gate.
    Gate(Arc<Gate>),
}

/// The way to a new builder.
#[derive(Clone)]
enum Making {
    /// The application's recipe.
    Recipe(MakeBuilder),
    /// A URL, and the proxies that may lead to it.
    Url(String, ProxySetting),
}

impl Making {
    async fn builder(self) -> Result<ClientBuilder, String> {
        match self {
            Self::Recipe(make) => Ok(make()),
            Self::Url(url, proxy) => reach(&url, &proxy).await,
        }
    }
}

/// An attempt to connect: the wait before it, or what follows.
enum Attempt {
    /// The wait, and what follows.
    Waiting(BoxFuture<'static, ()>, BoxFuture<'static, Made>),
    /// The wait is over, or a part of what follows.
    Connecting(BoxFuture<'static, Made>),
}

/// The outcome of an attempt to connect.
enum Made {
    /// There is a connection, and the gate of rust_socketio's client if it is the first of a single builder.
    Connected(ServerConnection, Option<Gate>),
    /// There is none.
    Failed(NotConnected),
}

/// The progress of an attempt to connect.
pub(crate) enum Attempted {
    /// The wait before the attempt is over.
    Begun,
    /// There is a connection.
    Connected(ServerConnection),
    /// There is none.
    Failed(NotConnected),
}

/// The reason for which there is no connection.
pub(crate) enum NotConnected {
    /// rust_socketio cannot reach the server.
    Unreachable(rust_socketio::Error),
    /// There is no way to the server; the text states what was tried.
    NoWay(String),
    /// The application has no auth, for this reason. The connection is that which waits at its gate.
    NoAuth(String, Option<ServerConnection>),
    /// No further attempt is possible.
    Impossible,
}

impl Connector {
    /// Creates a connector that makes connections with this auth. Its tasks are among `tasks`.
    pub(crate) fn new(recipe: Recipe, auth: Auth, proxy: ProxySetting, tasks: TaskTracker) -> Self {
        let source = match recipe {
            Recipe::Anew(make) => Source::Recipe(Making::Recipe(make), Unknown::Unseen),
            Recipe::Url(url) => Source::Recipe(Making::Url(url, proxy), Unknown::Forwarded),
            Recipe::Once(builder) => Source::Builder(builder),
        };
        Self { source, auth, attempt: None, tasks }
    }

    /// Begins to make the first connection, at once.
    pub(crate) fn begin(&mut self) {
        let auth = self.auth.clone();
        let connecting = match &self.source {
            Source::Recipe(make, unknown) => connect(make.clone(), auth, *unknown, None).boxed(),
            Source::Builder(builder) => connect_once(builder.clone(), auth).boxed(),
            Source::Gate(_) => ready(Made::Failed(NotConnected::Impossible)).boxed(),
        };
        self.attempt = Some(Attempt::Connecting(connecting));
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
        if let (Source::Gate(_), None, Some(_)) = (&self.source, &old, &self.attempt) {
            return; // It has the one connection in hand.
        }
        let auth = self.auth.clone();
        self.attempt = match &self.source {
            Source::Recipe(make, unknown) => {
                if let Some(old) = old {
                    self.tasks.spawn(async move { old.socket.disconnect().await });
                }
                let connecting = connect(make.clone(), auth, *unknown, resume);
                Some(Attempt::Waiting(sleep(after).boxed(), connecting.boxed()))
            }
            Source::Builder(builder) => {
                let connecting = connect_once(builder.clone(), auth);
                Some(Attempt::Waiting(sleep(after).boxed(), connecting.boxed()))
            }
            // It has its connection in hand from the wait on, and may not be dropped.
            Source::Gate(gate) => Some(Attempt::Connecting(match old {
                Some(connection) => {
                    let auth = auth.with(resume);
                    through_gate(gate.clone(), connection, at_gate, after, auth).boxed()
                }
                None => ready(Made::Failed(NotConnected::Impossible)).boxed(),
            })),
        };
    }

    /// Waits for the progress of the attempt under way; pending if there is none.
    ///
    /// Cancel safe: the attempt continues.
    pub(crate) async fn attempted(&mut self) -> Attempted {
        let made = match &mut self.attempt {
            Some(Attempt::Waiting(wait, _)) => {
                wait.await;
                None
            }
            Some(Attempt::Connecting(connecting)) => Some(connecting.await),
            None => std::future::pending().await,
        };
        self.attempt = match self.attempt.take() {
            Some(Attempt::Waiting(_, connecting)) => Some(Attempt::Connecting(connecting)),
            _ => None,
        };
        match made {
            None => Attempted::Begun,
            Some(Made::Connected(connection, gate)) => {
                if let Some(gate) = gate {
                    self.source = Source::Gate(Arc::new(gate));
                }
                Attempted::Connected(connection)
            }
            Some(Made::Failed(why)) => Attempted::Failed(why),
        }
    }
}

/// Makes a connection with a new client of rust_socketio.
async fn connect(make: Making, auth: Auth, unknown: Unknown, resume: Option<ResumeToken>) -> Made {
    let auth = match auth.with(resume).await {
        Ok(auth) => auth,
        Err(why) => return Made::Failed(NotConnected::NoAuth(why, None)),
    };
    let builder = match make.builder().await {
        Ok(builder) => builder,
        Err(tried) => return Made::Failed(NotConnected::NoWay(tried)),
    };
    match Socket::connect(builder, auth, unknown).await {
        Ok(connection) => Made::Connected(connection, None),
        Err(error) => Made::Failed(NotConnected::Unreachable(error)),
    }
}

/// Makes the first connection of a single builder, which is used up by that.
async fn connect_once(builder: SingleBuilder, auth: Auth) -> Made {
    let auth = match auth.with(None).await {
        Ok(auth) => auth,
        Err(why) => return Made::Failed(NotConnected::NoAuth(why, None)),
    };
    let Some(builder) = builder.lock().unwrap_or_else(PoisonError::into_inner).take() else {
        return Made::Failed(NotConnected::Impossible);
    };
    match Socket::connect_gated(*builder, auth).await {
        Ok((connection, gate)) => Made::Connected(connection, Some(gate)),
        Err(error) => Made::Failed(NotConnected::Unreachable(error)),
    }
}

/// Lets rust_socketio connect again, once it has noticed the loss itself.
async fn through_gate(
    gate: Arc<Gate>,
    mut connection: ServerConnection,
    at_gate: bool,
    after: Duration,
    auth: impl Future<Output = Result<Value, String>>,
) -> Made {
    if !at_gate && !comes_to_gate(&mut connection.received).await {
        tracing::warn!("rust_socketio makes no further connection");
        return Made::Failed(NotConnected::Impossible);
    }
    sleep(after).await;
    match auth.await {
        Ok(auth) => {
            gate.open(auth);
            Made::Connected(connection, None)
        }
        Err(why) => Made::Failed(NotConnected::NoAuth(why, Some(connection))),
    }
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
