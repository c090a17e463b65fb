//! Settings of a client's direct path.

use std::fmt;

use socketio_p2p_protocol::{PathConfig, PathPolicy};

use super::P2pBuilder;
use crate::direct::{DirectChannel, DirectConfig, IceProvider, IceServers};

impl P2pBuilder {
    /// Sets the paths for what this client emits. By default the relay is used at once, and the direct path
    /// as soon as there is one. With [`PathPolicy::RelayOnly`] the partner learns no address of this
    /// client.
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
    /// let paths = PathConfig::default()
    ///     .policy(PathPolicy::DirectOnly)
    ///     .timeout(Duration::from_secs(20));
    /// let builder = "https://example.org".p2p("A").paths(paths);
    /// ```
    pub const fn paths(mut self, config: PathConfig) -> Self {
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
    /// let direct = DirectConfig::default()
    ///     .ice_server(IceServer::stun("stun:stun.example.org:3478"))
    ///     .ice_server(IceServer::turn("turn:turn.example.org:3478", "user", "password"));
    /// let builder = "https://example.org".p2p("A").direct(direct);
    /// ```
    pub fn direct(mut self, config: DirectConfig) -> Self {
        self.direct = config;
        self
    }

    /// Sets a function that is asked for ICE servers besides those of [`Self::direct`], for TURN credentials that expire.
    ///
    /// It is asked before each attempt at a direct path. If its answer states for how long it is valid
    /// ([`IceServers::valid_for`]), further attempts use it, and the function is asked again before that time is over. A
    /// connection that is open keeps the credentials with which it began: a server that refuses them later ends its path,
    /// and the next attempt has new ones.
    ///
    /// The function has 3 s. If it fails, panics or takes longer, its last answer is used as long as that is valid, or else
    /// the attempt begins without its servers; the event [`IceWarning`](crate::Event::IceWarning) states the reason.
    ///
    /// # Cancel safety
    ///
    /// The future of the function is dropped when the time is over, when the attempt ends, and when the client is closed.
    /// The function is asked again then, if there is another attempt.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// use socketio_p2p_client::{
    ///     P2pBuilderExt as _,
    ///     direct::{IceServer, IceServers},
    /// };
    ///
    /// /// Asks the application's own server, which shares a secret with the TURN server.
    /// async fn credentials() -> Result<(String, String), std::io::Error> {
    ///     # unimplemented!()
    /// }
    ///
    /// async fn ice_servers() -> Result<IceServers, std::io::Error> {
    ///     let (user, password) = credentials().await?;
    ///     let server = IceServer::turn("turn:turn.example.org:3478", user, password);
    ///     Ok(IceServers::from(server).valid_for(Duration::from_secs(3600)))
    /// }
    ///
    /// let builder = "https://example.org".p2p("A").ice_servers_with(ice_servers);
    /// ```
    pub fn ice_servers_with<F, Fut, S, E>(mut self, provide: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<S, E>> + Send + 'static,
        S: Into<IceServers>,
        E: fmt::Display,
    {
        self.ice_provider = Some(IceProvider::new(provide));
        self
    }

    /// Sets the handler of the channels that the partner opens, like
    /// [`P2pClientExt::on_channel`](crate::P2pClientExt::on_channel).
    pub fn on_channel<F, Fut>(self, handler: F) -> Self
    where
        F: Fn(DirectChannel) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.handlers.on_channel(handler);
        self
    }
}
