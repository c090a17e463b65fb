//! Settings of a client, and connecting it.

use std::{
    fmt,
    hash::{BuildHasher as _, RandomState},
    sync::Arc,
    time::{Duration, Instant},
};

use serde::Serialize;
use serde_json::{Map, Value};
use socketio_p2p_protocol::{Client, ClientConfig, ClientId, ClientIdError, PathPolicy};
use tokio_util::task::TaskTracker;

#[cfg(feature = "webrtc")]
use crate::direct::{DirectChannel, DirectConfig};
use crate::{
    actor::start::{Parts, connect, start},
    api::{
        client::P2pClient,
        counters::ComplaintCounters,
        error::ConnectError,
        handler_error::HandlerError,
        handlers::Handlers,
        incoming::{Consent, Incoming, PairingRequest},
    },
    partner::PartnerLink,
    server::connector::{Connector, Recipe},
};

/// Settings of a [`P2pClient`], from [`P2pBuilderExt::p2p`](crate::P2pBuilderExt::p2p).
///
/// Every duration among the settings is bounded by one rule: less than 1 ms, zero too, counts as 1 ms, and
/// more than 100 years, [`Duration::MAX`] too, counts as 100 years.
///
/// # Examples
///
/// ```no_run
/// use std::time::Duration;
///
/// use serde_json::json;
/// use socketio_p2p_client::{ConnectError, Incoming, P2pBuilderExt as _, P2pClient};
///
/// async fn connect() -> Result<P2pClient, ConnectError> {
///     "https://example.org"
///         .p2p("A")
///         .auth(json!({ "token": "for the application's own middleware" }))
///         .heartbeat(Duration::from_secs(2), Duration::from_secs(5))
///         .backoff(Duration::from_millis(50), Duration::from_secs(2))
///         .on2("ping", async |_: Incoming| Ok("pong"))
///         .connect()
///         .await
/// }
/// ```
#[must_use = "nothing connects until `connect` is awaited"]
pub struct P2pBuilder {
    recipe: Recipe,
    id: Result<ClientId, ClientIdError>,
    auth: Value,
    handlers: Arc<Handlers>,
    client: ClientConfig,
    /// The paths in use, whatever the client's own settings are.
    policy: Option<PathPolicy>,
    #[cfg(feature = "webrtc")]
    direct: DirectConfig,
}

impl P2pBuilder {
    pub(crate) fn new(recipe: Recipe, id: &str) -> Self {
        Self {
            recipe,
            id: id.parse(),
            auth: Value::Object(Map::new()),
            handlers: Arc::new(Handlers::default()),
            client: ClientConfig::default(),
            // Without the feature there is no direct path.
            policy: (!cfg!(feature = "webrtc")).then_some(PathPolicy::RelayOnly),
            #[cfg(feature = "webrtc")]
            direct: DirectConfig::default(),
        }
    }

    /// Sets the application's own part of the CONNECT auth, for example a token. It must be an object, to
    /// which the client id is added.
    pub fn auth(mut self, auth: impl Into<Value>) -> Self {
        self.auth = auth.into();
        self
    }

    /// Sets the time that [`Self::connect`], and each later attempt to connect, may take, the server's
    /// welcome included. 10 s by default.
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.client.connect_timeout = timeout;
        self
    }

    /// Sets the silence after which the server is asked for a sign of life, and the silence after which
    /// the connection is given up. 4 s and 10 s by default.
    pub const fn heartbeat(mut self, interval: Duration, timeout: Duration) -> Self {
        self.client.heartbeat_interval = interval;
        self.client.heartbeat_timeout = timeout;
        self
    }

    /// Sets the first and the longest wait before a lost connection is replaced. 100 ms and 5 s by
    /// default. The wait doubles with each attempt, and a random part of up to as much again is added, so
    /// that the clients of a server do not all come back at once. While the server keeps the pairing, the waits
    /// are shorter, so that several attempts fall into what is left of the grace period.
    pub const fn backoff(mut self, min: Duration, max: Duration) -> Self {
        self.client.backoff_min = min;
        self.client.backoff_max = max;
        self
    }

    /// Sets whether a lost connection is replaced and the session resumed. `true` by default. With `false`
    /// the client is closed when its connection is lost.
    pub const fn resumes(mut self, resumes: bool) -> Self {
        self.client.resumes = resumes;
        self
    }

    /// Sets the paths for what this client emits. By default the relay is used at once, and the direct path
    /// as soon as there is one. With [`PathPolicy::RelayOnly`] the partner learns no address of this
    /// client.
    #[cfg(feature = "webrtc")]
    pub const fn path_policy(mut self, policy: PathPolicy) -> Self {
        self.policy = Some(policy);
        self
    }

    /// Sets when the direct path is tried, taken and left: policy, heartbeat, timeouts and backoff. A policy
    /// set with [`Self::path_policy`], before or after, takes precedence.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// use socketio_p2p_client::{P2pBuilderExt as _, PathConfig, PathPolicy};
    ///
    /// let mut paths = PathConfig::default();
    /// paths.policy = PathPolicy::DirectOnly;
    /// paths.timeout = Duration::from_secs(20);
    /// let builder = "https://example.org".p2p("A").paths(paths);
    /// ```
    #[cfg(feature = "webrtc")]
    pub const fn paths(mut self, config: crate::PathConfig) -> Self {
        self.client.direct = config;
        self
    }

    /// Sets how direct connections are made: STUN and TURN servers, addresses, buffers.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use socketio_p2p_client::{
    ///     P2pBuilderExt as _,
    ///     direct::{DirectConfig, IceServer},
    /// };
    ///
    /// let mut direct = DirectConfig::default();
    /// direct.ice_servers = vec![
    ///     IceServer::stun("stun:stun.example.org:3478"),
    ///     IceServer::turn("turn:turn.example.org:3478", "user", "password"),
    /// ];
    /// let builder = "https://example.org".p2p("A").direct(direct);
    /// ```
    #[cfg(feature = "webrtc")]
    pub fn direct(mut self, config: DirectConfig) -> Self {
        self.direct = config;
        self
    }

    /// Sets the handler of the channels that the partner opens, like
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

    /// Sets the handler of an event of the partner, like
    /// [`P2pClientExt::on2`](crate::P2pClientExt::on2).
    pub fn on2<F, Fut, R>(self, event: impl Into<String>, handler: F) -> Self
    where
        F: Fn(Incoming) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, HandlerError>> + Send + 'static,
        R: Serialize,
    {
        self.handlers.on(event.into(), handler);
        self
    }

    /// Sets the handler of all other events of the partner, like
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

    /// Sets the function that decides whether another client may be paired with this one, like
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

    /// Connects, and waits for the server's welcome. There is one attempt.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] tells what failed, and whether the server refused.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: no client is left behind, though the server may see one connect and leave.
    pub async fn connect(self) -> Result<P2pClient, ConnectError> {
        let Self { recipe, id, auth, handlers, client: mut settings, .. } = self;
        if let Some(policy) = self.policy {
            settings.direct.policy = policy;
        }
        let id = id?;
        let Value::Object(auth) = auth else {
            return Err(ConnectError::Auth);
        };
        let tasks = TaskTracker::new();
        let direct = settings.direct.policy.allows_direct();
        let connecting = Connector::first(&id, recipe, auth, direct, tasks.clone());
        settings.seed = RandomState::new().hash_one(id.as_str());
        let mut client = Client::new(settings, Instant::now());
        let counters = Arc::new(ComplaintCounters::default());
        let welcomed = connect(&mut client, connecting, &counters).await?;
        #[cfg(feature = "webrtc")]
        let (partner, direct_connection) =
            PartnerLink::new(self.direct, &settings.direct, handlers.clone(), tasks.clone());
        #[cfg(not(feature = "webrtc"))]
        let partner = PartnerLink;
        let parts = Parts {
            id,
            handlers,
            client,
            welcomed,
            counters,
            partner,
            #[cfg(feature = "webrtc")]
            direct_connection,
            tasks,
        };
        Ok(start(parts))
    }
}

impl fmt::Debug for P2pBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("P2pBuilder").field("id", &self.id).finish_non_exhaustive()
    }
}
