//! Settings of a client, and connecting it.

#[cfg(feature = "webrtc")]
mod direct_path;

use std::{
    fmt,
    hash::{BuildHasher as _, RandomState},
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Map, Value};
use socketio_p2p_protocol::{Client, ClientConfig, ClientId, ClientIdError, PathPolicy, Secret};
use tokio_util::task::TaskTracker;

#[cfg(feature = "webrtc")]
use crate::direct::{DirectConfig, IceProvider};
use crate::{
    actor::start::{Parts, connect, start},
    api::{
        client::P2pClient,
        counters::ComplaintCounters,
        error::ConnectError,
        handler_output::HandlerOutput,
        handlers::Handlers,
        incoming::{Consent, Incoming, PairingRequest},
    },
    partner::PartnerLink,
    server::{
        auth::{ApplicationAuth, Auth},
        connector::{Connector, Recipe},
        proxy::ProxySetting,
    },
};

/// Settings of a [`P2pClient`], from [`P2pBuilderExt::p2p`](crate::P2pBuilderExt::p2p).
///
/// Every duration among the settings is bounded by one rule: less than 1 ms, zero too, counts as 1 ms, and
/// more than 100 years, [`Duration::MAX`] too, counts as 100 years.
///
/// A clone makes another client with the same settings and handlers, for example after [`Self::connect`] failed. A
/// builder that was made from a single builder of rust_socketio can connect once, and so can all its clones
/// together.
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
#[derive(Clone)]
#[must_use = "nothing connects until `connect` is awaited"]
pub struct P2pBuilder {
    recipe: Recipe,
    id: Result<ClientId, ClientIdError>,
    auth: ApplicationAuth,
    proxy: ProxySetting,
    handlers: Handlers,
    client: ClientConfig,
    /// The paths in use, whatever the client's own settings are.
    policy: Option<PathPolicy>,
    #[cfg(feature = "webrtc")]
    direct: DirectConfig,
    /// The provider of ICE servers, whatever `direct` says.
    #[cfg(feature = "webrtc")]
    ice_provider: Option<IceProvider>,
}

impl P2pBuilder {
    pub(crate) fn new(recipe: Recipe, id: &str) -> Self {
        Self {
            recipe,
            id: id.parse(),
            proxy: ProxySetting::default(),
            auth: ApplicationAuth::Fixed(Value::Object(Map::new())),
            handlers: Handlers::default(),
            client: ClientConfig::default(),
            // Without the feature there is no direct path.
            policy: (!cfg!(feature = "webrtc")).then_some(PathPolicy::RelayOnly),
            #[cfg(feature = "webrtc")]
            direct: DirectConfig::default(),
            #[cfg(feature = "webrtc")]
            ice_provider: None,
        }
    }

    /// Sets the application's own part of the CONNECT auth, for example a token. It must be an object, to
    /// which the client id is added.
    pub fn auth(mut self, auth: impl Into<Value>) -> Self {
        self.auth = ApplicationAuth::Fixed(auth.into());
        self
    }

    /// Sets a function that is asked for the application's own part of the CONNECT auth before each attempt to
    /// connect, the first and all later ones: for tokens that expire. It takes the place of [`Self::auth`].
    ///
    /// Its time is part of that of the attempt, and 10 s at most. If it fails, so does the attempt, with
    /// [`ConnectError::NoAuth`] or the event [`ConnectError`](crate::Event::ConnectError) and the text of its
    /// error, and another attempt follows as after any failure that may pass.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use serde_json::{Value, json};
    /// use socketio_p2p_client::P2pBuilderExt as _;
    ///
    /// async fn fresh_token() -> Result<String, std::io::Error> {
    ///     std::fs::read_to_string("/run/secrets/token")
    /// }
    ///
    /// async fn auth() -> Result<Value, std::io::Error> {
    ///     Ok(json!({ "token": fresh_token().await? }))
    /// }
    ///
    /// let builder = "https://example.org".p2p("A").auth_with(auth);
    /// ```
    pub fn auth_with<F, Fut, V, E>(mut self, provide: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<V, E>> + Send + 'static,
        V: Into<Value>,
        E: fmt::Display,
    {
        self.auth = ApplicationAuth::provided(provide);
        self
    }

    /// Sets the HTTP proxy that leads to the server, for a client made from a URL:
    /// `http://user:password@proxy.example.org:3128`. Without it, the environment names the proxy: `https_proxy` or
    /// `http_proxy`, by the scheme of the URL, `all_proxy`, and `no_proxy` for hosts without one, each also in
    /// upper case. Hosts of this machine are reached without one.
    pub fn proxy(mut self, proxy: impl Into<String>) -> Self {
        self.proxy = ProxySetting::Fixed(Secret::from(proxy.into()));
        self
    }

    /// Has no proxy be used, whatever the environment says.
    pub fn no_proxy(mut self) -> Self {
        self.proxy = ProxySetting::Off;
        self
    }

    /// Has [`Self::connect`] make further attempts after a failure that may pass
    /// ([`ConnectError::is_retryable`]): the server is not there yet, or refuses the connection for now. Attempts
    /// begin within this time, and the failure of the last one is returned. Without it there is one attempt. The
    /// waits between attempts are those of [`Self::backoff`]. [`Duration::MAX`] counts as 100 years.
    ///
    /// It needs a URL or a recipe: a single builder of rust_socketio connects once, and `connect` fails with
    /// [`ConnectError::SingleBuilder`].
    ///
    /// Each failure is logged. [`P2pClientExt::events`](crate::P2pClientExt::events) begins with the last 64, as
    /// events [`ConnectError`](crate::Event::ConnectError), before `Connected`.
    pub const fn retry_connect(mut self, within: Duration) -> Self {
        self.client.retry_first = Some(within);
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

    /// Sets the handler of an event of the partner, like
    /// [`P2pClientExt::on2`](crate::P2pClientExt::on2).
    pub fn on2<F, Fut, R>(self, event: impl Into<String>, handler: F) -> Self
    where
        F: Fn(Incoming) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = R> + Send + 'static,
        R: HandlerOutput,
    {
        self.handlers.on(event.into(), handler);
        self
    }

    /// Sets the handler of all other events of the partner, like
    /// [`P2pClientExt::on2_fallback`](crate::P2pClientExt::on2_fallback).
    pub fn on2_fallback<F, Fut, R>(self, handler: F) -> Self
    where
        F: Fn(Incoming) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = R> + Send + 'static,
        R: HandlerOutput,
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

    /// Connects, and waits for the server's welcome. There is one attempt, unless [`Self::retry_connect`] says
    /// otherwise.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] tells what failed last, and whether the server refused.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: no client is left behind, though the server may see one connect and leave.
    pub async fn connect(self) -> Result<P2pClient, ConnectError> {
        let Self { recipe, id, auth, proxy, handlers, client: mut settings, .. } = self;
        if let Some(policy) = self.policy {
            settings.direct.policy = policy;
        }
        let id = id?;
        if recipe.is_single() && settings.retry_first.is_some() {
            return Err(ConnectError::SingleBuilder);
        }
        if let ApplicationAuth::Fixed(auth) = &auth
            && !auth.is_object()
        {
            return Err(ConnectError::Auth);
        }
        let handlers = Arc::new(handlers);
        let tasks = TaskTracker::new();
        let direct = settings.direct.policy.allows_direct();
        let auth = Auth { client: id.clone(), application: auth, direct };
        let connector = Connector::new(recipe, auth, proxy, tasks.clone());
        settings.seed = RandomState::new().hash_one(id.as_str());
        let mut client = Client::new(settings, Instant::now());
        let counters = Arc::new(ComplaintCounters::default());
        let welcomed = connect(&mut client, connector, &counters).await?;
        #[cfg(feature = "webrtc")]
        let (mut direct, provider) = (self.direct, self.ice_provider);
        #[cfg(feature = "webrtc")]
        if provider.is_some() {
            direct.provider = provider;
        }
        #[cfg(feature = "webrtc")]
        let (partner, direct_connection) =
            PartnerLink::new(direct, &settings.direct, handlers.clone(), tasks.clone());
        #[cfg(not(feature = "webrtc"))]
        let partner = PartnerLink;
        let parts = Parts {
            id,
            handlers,
            client,
            welcomed,
            counters,
            partner,
            policy: settings.direct.policy,
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
