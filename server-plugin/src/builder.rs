//! Settings of the plugin.

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::Arc,
    time::Duration,
};

use socketio_p2p_protocol::{
    Broker, BrokerConfig, ClientId, Code, DuplicatePolicy, ListPolicy,
    limits::{CONNECTION_MESSAGE_BYTES, SERVER_PING_INTERVAL, SERVER_PING_TIMEOUT},
};
use socketioxide::{ParserConfig, SocketIo, SocketIoBuilder, adapter::LocalAdapter};

use crate::{
    admission::{Admission, Handshake},
    limits::ServerLimits,
    server::P2pServer,
};

/// Packets in a socket's queue: the window of a session, and what else may come at once.
const SOCKET_QUEUE: usize = 1024;

/// Attachments of one message: the server holds them until the last one came.
const ATTACHMENTS: usize = 256;

pub(crate) fn socket_io() -> SocketIoBuilder<LocalAdapter> {
    let parser = ParserConfig::common()
        .max_incoming_binary_buf_size(CONNECTION_MESSAGE_BYTES)
        .max_incoming_binaries(ATTACHMENTS);
    SocketIo::builder()
        .max_payload(CONNECTION_MESSAGE_BYTES as u64)
        .ws_max_message_size(CONNECTION_MESSAGE_BYTES)
        .ws_max_frame_size(CONNECTION_MESSAGE_BYTES)
        .with_parser(parser)
        .max_buffer_size(SOCKET_QUEUE)
        .ping_interval(SERVER_PING_INTERVAL)
        .ping_timeout(SERVER_PING_TIMEOUT)
}

/// Settings of a [`P2pServer`], from [`P2pServer::builder`].
#[derive(Debug, Default)]
#[must_use = "a builder does nothing until it is attached or built"]
pub struct P2pServerBuilder {
    admission: Admission,
    list: ListPolicy,
    duplicates: DuplicatePolicy,
    grace: Option<Duration>,
    limits: ServerLimits,
}

impl P2pServerBuilder {
    /// Decides which client a connection is, from its auth, its request, and what the
    /// application's own middleware found out. By default it is who it claims to be:
    /// [`Handshake::client_id`].
    ///
    /// `Ok(None)` leaves the connection alone: it is no P2P client. An error refuses it, and the
    /// code is the message of the CONNECT_ERROR.
    ///
    /// It is called for each connection, outside of any lock, and must not block.
    pub fn identify<F>(mut self, identify: F) -> Self
    where
        F: Fn(&Handshake<'_>) -> Result<Option<ClientId>, Code> + Send + Sync + 'static,
    {
        self.admission.identify = Arc::new(identify);
        self
    }

    /// Decides whether a source (the first) may ask for a target (the second). By default
    /// everybody may; the target decides in any case. A no is the refusal `forbidden`.
    ///
    /// It is called for each registration, outside of any lock, and must not block.
    pub fn authorize<F>(mut self, authorize: F) -> Self
    where
        F: Fn(&ClientId, &ClientId) -> bool + Send + Sync + 'static,
    {
        self.admission.authorize = Some(Arc::new(authorize));
        self
    }

    /// Who may ask for the list of clients. By default v1 clients only, as in their library.
    pub fn list_clients(mut self, list: ListPolicy) -> Self {
        self.list = list;
        self
    }

    /// For how long the pairing of a v2 client outlives its connection. 15 s by default; zero ends
    /// it with the connection.
    pub const fn grace(mut self, grace: Duration) -> Self {
        self.grace = Some(grace);
        self
    }

    /// What becomes of a connection whose id is in use. By default it is refused with
    /// `duplicate-id`, unless it has the resume token.
    pub const fn duplicates(mut self, duplicates: DuplicatePolicy) -> Self {
        self.duplicates = duplicates;
        self
    }

    /// What one client may cost the server: how often it may say something, what may wait for it.
    pub fn limits(mut self, limits: ServerLimits) -> Self {
        self.limits = limits;
        self
    }

    /// The plugin, to be put around a connect handler with [`P2pServer::wrap`].
    #[must_use]
    pub fn build(self) -> P2pServer {
        // Seeded at random by the system: enough to tell servers and restarts apart.
        let node = RandomState::new().hash_one(std::process::id());
        let mut config = BrokerConfig::new(node);
        config.list = self.list;
        config.duplicates = self.duplicates;
        config.grace = self.grace.unwrap_or(config.grace);
        config.limits = self.limits.stated();
        config.clients = self.limits.clients;
        P2pServer::new(Broker::new(config), self.admission, self.limits)
    }

    /// The plugin on the namespace `/` of `io`, whose connect handler it takes.
    ///
    /// An application with a connect handler of its own, or with another adapter than the local
    /// one, uses [`Self::build`], [`P2pServer::wrap`] and the `ns` of its adapter instead.
    pub fn attach(self, io: &SocketIo<LocalAdapter>) -> P2pServer {
        let server = self.build();
        io.ns("/", server.wrap(async || {}));
        server
    }
}
