//! Settings of a client: the extension of rust_socketio's builder.

use std::{sync::Arc, time::Duration};

use backon::ExponentialBuilder;
use rust_socketio::asynchronous::ClientBuilder;
use serde::Serialize;
use serde_json::{Map, Value};
use socketio_p2p_protocol::{
    ClientId, ClientIdError, EndpointConfig, PathPolicy, limits::CONNECT_TIMEOUT,
};
use tokio_util::task::TaskTracker;

#[cfg(feature = "webrtc")]
use crate::direct::{DirectChannel, DirectConfig};
use crate::{
    actor::handlers::Handlers,
    actor::start::{Goodbye, Parts, start, welcome},
    api::client::P2pClient,
    api::error::{ConnectError, HandlerError},
    api::incoming::{Consent, Incoming, PairingRequest},
    partner::Links,
    server::connector::Connector,
};

/// How long the first attempt to replace a lost connection waits: most losses are short, and a
/// server that restarts has a moment.
const BACKOFF_MIN: Duration = Duration::from_millis(100);

/// The longest wait between attempts: a third of the grace period, or a server that is back would
/// be found too late.
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// Adds [`p2p`](Self::p2p) to what connections can be made from: rust_socketio's builder, a recipe
/// for such builders, or just the URL of a server.
///
/// ```no_run
/// # use rust_socketio::asynchronous::ClientBuilder;
/// # use socketio_p2p_client::P2pBuilderExt;
/// # fn main() {
/// let by_recipe = (|| ClientBuilder::new("http://localhost:9000").namespace("/app")).p2p("A");
/// let by_url = "http://localhost:9000".p2p("A");
/// let by_builder = ClientBuilder::new("http://localhost:9000").p2p("A");
/// # }
/// ```
///
/// All three come back to their session when a connection is lost. They differ in how soon a
/// *dead* connection, on which nothing comes any more, is replaced. With a recipe or a URL that is
/// when our heartbeat misses the server, after 10 s by default, since each connection is a fresh
/// client of rust_socketio. A single builder can be used only once: there it is when rust_socketio
/// misses the server's own pings as well, which the server determines (10 s with the settings that
/// the server plugin advises, 45 s with socketioxide's own); and if it hangs while it writes, then
/// not before TCP gives up.
pub trait P2pBuilderExt: Sized {
    /// Makes this a client that can be paired, under this name: 1 to 128 bytes of UTF-8 without
    /// control characters.
    ///
    /// The rest of the builder stays as it was set, but for what pairing needs: the transport is
    /// websocket, rust_socketio's own reconnect is ours, and so are its handlers of `error` and
    /// `close`, and the auth is set with [`P2pBuilder::auth`].
    fn p2p(self, client_id: impl AsRef<str>) -> P2pBuilder;
}

/// Where connections come from.
pub(crate) enum Recipe {
    /// A fresh builder for each.
    Anew(Arc<dyn Fn() -> ClientBuilder + Send + Sync>),
    /// One builder.
    Once(Box<ClientBuilder>),
}

impl P2pBuilderExt for ClientBuilder {
    fn p2p(self, client_id: impl AsRef<str>) -> P2pBuilder {
        P2pBuilder::new(Recipe::Once(Box::new(self)), client_id.as_ref())
    }
}

impl P2pBuilderExt for String {
    fn p2p(self, client_id: impl AsRef<str>) -> P2pBuilder {
        (move || ClientBuilder::new(self.as_str())).p2p(client_id)
    }
}

impl P2pBuilderExt for &str {
    fn p2p(self, client_id: impl AsRef<str>) -> P2pBuilder {
        self.to_owned().p2p(client_id)
    }
}

impl<F: Fn() -> ClientBuilder + Send + Sync + 'static> P2pBuilderExt for F {
    fn p2p(self, client_id: impl AsRef<str>) -> P2pBuilder {
        P2pBuilder::new(Recipe::Anew(Arc::new(self)), client_id.as_ref())
    }
}

/// Settings of a [`P2pClient`], from [`P2pBuilderExt::p2p`].
#[must_use = "nothing connects until `connect` is awaited"]
pub struct P2pBuilder {
    recipe: Recipe,
    id: Result<ClientId, ClientIdError>,
    auth: Value,
    handlers: Arc<Handlers>,
    timeout: Duration,
    endpoint: EndpointConfig,
    backoff: ExponentialBuilder,
    /// Which paths are used, whatever the endpoint's own settings say.
    policy: Option<PathPolicy>,
    #[cfg(feature = "webrtc")]
    direct: DirectConfig,
}

impl P2pBuilder {
    fn new(recipe: Recipe, id: &str) -> Self {
        Self {
            recipe,
            id: id.parse(),
            auth: Value::Object(Map::new()),
            handlers: Arc::new(Handlers::default()),
            timeout: CONNECT_TIMEOUT,
            endpoint: EndpointConfig::default(),
            // Without the feature there is no direct path.
            policy: (!cfg!(feature = "webrtc")).then_some(PathPolicy::RelayOnly),
            #[cfg(feature = "webrtc")]
            direct: DirectConfig::default(),
            backoff: ExponentialBuilder::new()
                .with_min_delay(BACKOFF_MIN)
                .with_max_delay(BACKOFF_MAX)
                .with_jitter()
                .without_max_times(),
        }
    }

    /// What the application itself sends in the CONNECT auth, for example a token: an object, to
    /// which the client id is added.
    pub fn auth(mut self, auth: impl Into<Value>) -> Self {
        self.auth = auth.into();
        self
    }

    /// How long [`Self::connect`] waits for the server's welcome, and how long each later attempt
    /// to connect may take. 10 s by default.
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// After how much silence the server is asked whether it is still there, and after how much the
    /// connection is given up. 4 s and 10 s by default.
    pub const fn heartbeat(mut self, interval: Duration, timeout: Duration) -> Self {
        self.endpoint.heartbeat_interval = interval;
        self.endpoint.heartbeat_timeout = timeout;
        self
    }

    /// How long to wait before a lost connection is replaced: at first, and at most. The time
    /// doubles from attempt to attempt, and a random part of up to as much again is added, lest all
    /// clients of a server come back at once. 100 ms and 5 s by default.
    pub const fn backoff(mut self, min: Duration, max: Duration) -> Self {
        self.backoff = self.backoff.with_min_delay(min).with_max_delay(max);
        self
    }

    /// Whether a lost connection is replaced, and the session resumed. Yes by default; if not, the
    /// client is closed with its first lost connection.
    pub const fn resumes(mut self, resumes: bool) -> Self {
        self.endpoint.resumes = resumes;
        self
    }

    /// Which paths are used for what this client says: the relay at once and the direct path as soon
    /// as there is one, by default. With [`PathPolicy::RelayOnly`] the partner learns no address of
    /// this client.
    #[cfg(feature = "webrtc")]
    pub const fn path_policy(mut self, policy: PathPolicy) -> Self {
        self.policy = Some(policy);
        self
    }

    /// When the direct path is tried, taken and left: the policy, heartbeat, timeouts and backoff. The
    /// policy counts unless [`Self::path_policy`] says another, before or after.
    #[cfg(feature = "webrtc")]
    pub const fn paths(mut self, config: crate::PathConfig) -> Self {
        self.endpoint.direct = config;
        self
    }

    /// How direct connections are made: STUN and TURN servers, addresses, buffers.
    #[cfg(feature = "webrtc")]
    pub fn direct(mut self, config: DirectConfig) -> Self {
        self.direct = config;
        self
    }

    /// Handles the channels that the partner opens:
    /// [`P2pClientExt::on_channel`](crate::P2pClientExt::on_channel).
    #[cfg(feature = "webrtc")]
    pub fn on_channel<F, Fut>(self, handler: F) -> Self
    where
        F: Fn(DirectChannel) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.handlers.on_channel(handler);
        self
    }

    /// Handles an event of the partner: [`P2pClientExt::on2`](crate::P2pClientExt::on2).
    pub fn on2<F, Fut, R>(self, event: impl Into<String>, handler: F) -> Self
    where
        F: Fn(Incoming) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, HandlerError>> + Send + 'static,
        R: Serialize,
    {
        self.handlers.on(event.into(), handler);
        self
    }

    /// Handles all other events of the partner:
    /// [`P2pClientExt::on2_fallback`](crate::P2pClientExt::on2_fallback).
    pub fn on2_fallback<F, Fut, R>(self, handler: F) -> Self
    where
        F: Fn(Incoming) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, HandlerError>> + Send + 'static,
        R: Serialize,
    {
        self.handlers.on_fallback(handler);
        self
    }

    /// Decides who may be paired with this client:
    /// [`P2pClientExt::on_register`](crate::P2pClientExt::on_register).
    pub fn on_register<F, Fut, C>(self, decide: F) -> Self
    where
        F: Fn(PairingRequest) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = C> + Send + 'static,
        C: Into<Consent> + 'static,
    {
        self.handlers.on_register(decide);
        self
    }

    /// Connects, and waits for the server's welcome.
    ///
    /// # Errors
    ///
    /// [`ConnectError`]: what is wrong, and whether the server said so.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: no client is left behind, though the server may see one come and go.
    pub async fn connect(self) -> Result<P2pClient, ConnectError> {
        let timeout = self.timeout;
        let connecting = self.connect_without_deadline();
        tokio::time::timeout(timeout, connecting)
            .await
            .unwrap_or(Err(ConnectError::Timeout(timeout)))
    }

    async fn connect_without_deadline(self) -> Result<P2pClient, ConnectError> {
        let Self { recipe, id, auth, handlers, timeout, mut endpoint, backoff, .. } = self;
        if let Some(policy) = self.policy {
            endpoint.direct.policy = policy;
        }
        let id = id?;
        let Value::Object(auth) = auth else {
            return Err(ConnectError::Auth);
        };
        let tasks = TaskTracker::new();
        let direct = endpoint.direct.policy.allows_direct();
        let (connector, mut link) =
            Connector::first(&id, recipe, auth, direct, timeout, backoff, tasks.clone())
                .await
                .map_err(|error| ConnectError::Transport(Box::new(error)))?;
        let goodbye = Goodbye::new(link.socket.clone());
        let welcome = welcome(&mut link.received).await?;
        goodbye.forget();
        #[cfg(feature = "webrtc")]
        let (links, opened) =
            Links::new(self.direct, &endpoint.direct, handlers.clone(), tasks.clone());
        #[cfg(not(feature = "webrtc"))]
        let links = Links;
        let parts = Parts {
            id,
            handlers,
            connector,
            link,
            links,
            #[cfg(feature = "webrtc")]
            opened,
            tasks,
        };
        Ok(start(parts, endpoint, welcome))
    }
}

impl std::fmt::Debug for P2pBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("P2pBuilder").field("id", &self.id).finish_non_exhaustive()
    }
}
