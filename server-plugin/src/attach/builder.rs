//! Settings of the plugin.

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::Arc,
    time::Duration,
};

use socketio_p2p_protocol::{
    Broker, BrokerConfig, ClientId, Code, DuplicatePolicy, ListPolicy, RoomName,
    limits::{
        ATTACHMENTS, CONNECTION_MESSAGE_BYTES, LINE_TIME, QUEUE_PACKETS, SERVER_PING_INTERVAL,
        SERVER_PING_TIMEOUT,
    },
};
use socketioxide::{ParserConfig, SocketIo, SocketIoBuilder, adapter::LocalAdapter};

use super::identity::{Handshake, Hooks};
use crate::{limits::ServerLimits, server::P2pServer};

impl P2pServer {
    /// Returns the default settings of a plugin.
    pub fn builder() -> P2pServerBuilder {
        P2pServerBuilder::default()
    }

    /// Returns a builder of socketioxide with the limits that this plugin needs.
    ///
    /// Messages have at most 512 KiB on websocket and polling, and as much in attachments. A
    /// socket's queue takes 1,024 packets, so that a full window fits. The server pings every 6 s. A
    /// dead client is noticed within 18 s on a metered listener. On any other it is noticed within 45 s, and
    /// so is a client of Engine.IO 3 that has not pinged yet or pings at an interval of its own.
    #[must_use]
    pub fn socket_io() -> SocketIoBuilder<LocalAdapter> {
        let parser = ParserConfig::common()
            .max_incoming_binary_buf_size(CONNECTION_MESSAGE_BYTES)
            .max_incoming_binaries(ATTACHMENTS);
        SocketIo::builder()
            .max_payload(CONNECTION_MESSAGE_BYTES as u64)
            .ws_max_message_size(CONNECTION_MESSAGE_BYTES)
            .ws_max_frame_size(CONNECTION_MESSAGE_BYTES)
            .with_parser(parser)
            .max_buffer_size(QUEUE_PACKETS)
            .ping_interval(SERVER_PING_INTERVAL)
            .ping_timeout(SERVER_PING_TIMEOUT)
            // A client that becomes a websocket first waits for what it has posted, which may be held back.
            .upgrade_timeout(SERVER_PING_TIMEOUT)
    }
}

/// Settings of a [`P2pServer`], from [`P2pServer::builder`].
#[derive(Debug, Default)]
#[must_use = "a builder does nothing until it is attached or built"]
pub struct P2pServerBuilder {
    hooks: Hooks,
    list: ListPolicy,
    duplicates: DuplicatePolicy,
    grace: Option<Duration>,
    consent_time: Option<Duration>,
    line_time: Option<Duration>,
    limits: ServerLimits,
}

impl P2pServerBuilder {
    /// Sets the hook that decides which client a connection is, from its auth, its request, and the
    /// findings of the application's own middleware. By default the connection's own claim counts:
    /// [`Handshake::client_id`].
    ///
    /// `Ok(None)` leaves the connection alone: it is no P2P client. One whose handshake contains `p2p` is refused with
    /// [`Code::BadClientId`] then, for it would wait for its welcome.
    ///
    /// The hook is called for each connection, outside of any lock, and must not block.
    ///
    /// # Errors
    ///
    /// An error of the hook refuses the connection, and its code is the message of the CONNECT_ERROR. A hook that panics
    /// refuses it with [`Code::Forbidden`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use socketio_p2p_server::{Code, P2pServer};
    /// # fn user_of(token: &str) -> Option<String> { Some(token.to_owned()) }
    /// let builder = P2pServer::builder().identify(|handshake| {
    ///     let token = handshake.auth.get("token").and_then(|token| token.as_str());
    ///     let user = token.and_then(user_of).ok_or(Code::Forbidden)?;
    ///     user.parse().map(Some).map_err(|_| Code::BadClientId)
    /// });
    /// # drop(builder);
    /// ```
    pub fn identify<F>(mut self, identify: F) -> Self
    where
        F: Fn(&Handshake<'_>) -> Result<Option<ClientId>, Code> + Send + Sync + 'static,
    {
        self.hooks.identify = Arc::new(identify);
        self
    }

    /// Sets the hook that decides whether a source (the first) may ask for a target (the second). By
    /// default every client may ask; the target decides in any case. `false` refuses with
    /// `forbidden`, and so does a panic.
    ///
    /// The hook is called for each registration, outside of any lock, and must not block. It is called again,
    /// with the same source and target, when two clients with a direct path reassert a pairing that a
    /// restarted server has forgotten.
    ///
    /// # Examples
    ///
    /// ```
    /// # use socketio_p2p_server::P2pServer;
    /// let builder = P2pServer::builder()
    ///     .authorize(|source, target| target.as_str().starts_with("robot-") && source != target);
    /// # drop(builder);
    /// ```
    pub fn authorize<F>(mut self, authorize: F) -> Self
    where
        F: Fn(&ClientId, &ClientId) -> bool + Send + Sync + 'static,
    {
        self.hooks.authorize = Some(Arc::new(authorize));
        self
    }

    /// Sets the hook that decides whether a client (the first) may watch a target (the second), that is, learn
    /// whether the target is absent, free or busy, now and after each change. By default no client may. The target
    /// is not asked. `false` refuses with `forbidden`, and so does a panic. A client that may register a target
    /// learns from a refusal as well whether it is there: see [`authorize`](Self::authorize).
    ///
    /// The hook is called for each watch, also when a client watches again on its next connection, outside of
    /// any lock, and must not block.
    ///
    /// # Examples
    ///
    /// ```
    /// # use socketio_p2p_server::P2pServer;
    /// let builder = P2pServer::builder().watch(|watcher, target| {
    ///     watcher.as_str().starts_with("pos-") && target.as_str().starts_with("printer-")
    /// });
    /// # drop(builder);
    /// ```
    pub fn watch<F>(mut self, may_watch: F) -> Self
    where
        F: Fn(&ClientId, &ClientId) -> bool + Send + Sync + 'static,
    {
        self.hooks.watch = Some(Arc::new(may_watch));
        self
    }

    /// Sets the hook that decides whether a client may join a room. By default no client may: to join is to consent to a
    /// pairing with every member, now and later, and each that allows a direct path learns the addresses of those that
    /// do. `false` refuses with `forbidden`, and so does a panic. v1 clients cannot join.
    ///
    /// The hook is called for each request to join, also when a client joins again after a restart of the server,
    /// outside of any lock, and must not block.
    ///
    /// # Examples
    ///
    /// ```
    /// # use socketio_p2p_server::P2pServer;
    /// let builder = P2pServer::builder()
    ///     .rooms(|client, room| client.as_str().starts_with("team-") && room.as_str() != "staff");
    /// # drop(builder);
    /// ```
    pub fn rooms<F>(mut self, may_join: F) -> Self
    where
        F: Fn(&ClientId, &RoomName) -> bool + Send + Sync + 'static,
    {
        self.hooks.rooms = Some(Arc::new(may_join));
        self
    }

    /// Sets who may ask for the list of clients. By default v1 clients only, as in their library.
    pub fn list_clients(mut self, list: ListPolicy) -> Self {
        self.list = list;
        self
    }

    /// Sets how long the pairing of a v2 client outlives its connection. 15 s by default; zero ends
    /// it with the connection, and otherwise 1 ms to 100 years count.
    pub const fn grace(mut self, grace: Duration) -> Self {
        self.grace = Some(grace);
        self
    }

    /// Sets the longest time that a request waits for its target's consent. 10 s by default, enough for
    /// a program; 1 ms to 10 minutes count. A client may ask for less, not for more.
    ///
    /// An unanswered request takes one of four places at its target for so long.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use socketio_p2p_server::P2pServer;
    /// // People decide.
    /// let builder = P2pServer::builder().consent_time(Duration::from_secs(120));
    /// # drop(builder);
    /// ```
    pub const fn consent_time(mut self, time: Duration) -> Self {
        self.consent_time = Some(time);
        self
    }

    /// Sets the longest time that a registration waits in line for a busy target, if its client wants it to
    /// wait. 10 minutes by default; 1 ms to 1 hour count, and zero refuses all of them at once, with
    /// `target-busy`.
    ///
    /// Up to 64 wait for one target, and it is asked for one of them at a time, in the order of their arrival.
    /// A registration that does not wait is refused while others do. `authorize` decides who may wait, as for
    /// any registration, and each learns how many are before it.
    pub const fn line_time(mut self, time: Duration) -> Self {
        self.line_time = Some(time);
        self
    }

    /// Sets what becomes of a connection whose id is in use. By default it is refused with
    /// `duplicate-id`, unless it has the resume token.
    pub const fn duplicates(mut self, duplicates: DuplicatePolicy) -> Self {
        self.duplicates = duplicates;
        self
    }

    /// Sets what one client may cost the server: its rates, and the bytes that may wait for it.
    pub fn limits(mut self, limits: ServerLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Builds the plugin, to be put around a connect handler with [`P2pServer::wrap`].
    #[must_use]
    pub fn build(self) -> P2pServer {
        // The system seeds it at random: enough to tell servers and restarts apart.
        let node = RandomState::new().hash_one(std::process::id());
        let mut config = BrokerConfig::new(node);
        config.list = self.list;
        config.duplicates = self.duplicates;
        config.grace = self.grace.unwrap_or(config.grace);
        config.limits = self.limits.stated().with_line_time(self.line_time.unwrap_or(LINE_TIME));
        if let Some(time) = self.consent_time {
            config.limits = config.limits.with_consent_time(time);
        }
        config.clients = self.limits.clients;
        config.room_members = self.limits.room_members;
        config.rooms = self.limits.rooms;
        P2pServer::new(Broker::new(config), self.hooks, self.limits)
    }

    /// Attaches the plugin to the namespace `/` of `io`, whose connect handler it takes.
    ///
    /// An application with a connect handler of its own, or with another adapter than the local
    /// one, uses [`Self::build`], [`P2pServer::wrap`] and the `ns` of its adapter instead.
    pub fn attach(self, io: &SocketIo<LocalAdapter>) -> P2pServer {
        let server = self.build();
        io.ns("/", server.wrap(async || {}));
        server
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What it has posted may be held back for as long as a heartbeat allows.
    #[test]
    fn a_client_that_becomes_a_websocket_has_the_time_of_a_heartbeat() {
        let (_layer, io) = P2pServer::socket_io().build_layer();

        let engine = &io.config().engine_config;

        assert_eq!(engine.upgrade_timeout, engine.ping_timeout);
    }
}
