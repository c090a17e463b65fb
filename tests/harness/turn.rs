//! A TURN server on loopback, with one user.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use socketio_p2p_client::direct::IceServer;
use tokio::net::UdpSocket;
use turn::auth::{AuthHandler, generate_auth_key};
use turn::relay::relay_static::RelayAddressGeneratorStatic;
use turn::server::Server;
use turn::server::config::{ConnConfig, ServerConfig};
use turn_util::vnet::net::Net;

const REALM: &str = "example.org";
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A TURN server on a port of its own, which also answers as a STUN server.
pub struct TurnServer {
    server: Server,
    address: SocketAddr,
}

impl TurnServer {
    /// The only user.
    pub const USER: &str = "alice";
    /// The password of the user.
    pub const PASSWORD: &str = "open sesame";

    /// Starts a server.
    ///
    /// # Errors
    ///
    /// It cannot be started.
    pub async fn start() -> Result<Self> {
        let socket = UdpSocket::bind((LOOPBACK, 0)).await?;
        let address = socket.local_addr()?;
        let relay = RelayAddressGeneratorStatic {
            relay_address: LOOPBACK,
            address: LOOPBACK.to_string(),
            net: Arc::new(Net::new(None)),
        };
        let listening =
            ConnConfig { conn: Arc::new(socket), relay_addr_generator: Box::new(relay) };
        let config = ServerConfig {
            conn_configs: vec![listening],
            realm: REALM.to_owned(),
            channel_bind_timeout: Duration::ZERO,
            auth_handler: Arc::new(OneUser),
            alloc_close_notify: None,
        };
        Ok(Self { server: Server::new(config).await?, address })
    }

    /// Returns the address at which it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the entry of a configuration for the user.
    #[must_use]
    pub fn ice_server(&self) -> IceServer {
        let url = format!("turn:{}?transport=udp", self.address);
        IceServer::turn(url, Self::USER, Self::PASSWORD)
    }

    /// Stops the server.
    ///
    /// # Errors
    ///
    /// It cannot be stopped.
    pub async fn close(self) -> Result<()> {
        Ok(self.server.close().await?)
    }
}

impl std::fmt::Debug for TurnServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TurnServer").field("address", &self.address).finish_non_exhaustive()
    }
}

struct OneUser;

impl AuthHandler for OneUser {
    fn auth_handle(&self, user: &str, realm: &str, _: SocketAddr) -> Result<Vec<u8>, turn::Error> {
        let is_known = user == TurnServer::USER;
        let key = is_known.then(|| generate_auth_key(user, realm, TurnServer::PASSWORD));
        key.ok_or(turn::Error::ErrFakeErr)
    }
}
