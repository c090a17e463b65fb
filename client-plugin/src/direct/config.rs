//! The settings of a direct connection.

use std::fmt;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
#[cfg(feature = "udp-faults")]
use std::sync::Arc;
use std::time::Duration;

use socketio_p2p_protocol::{IceServer, IceWarning, limits::setting};

#[cfg(feature = "udp-faults")]
use super::faults::UdpFaults;
use super::ice_provider::{IceProvider, IceServers};
use super::server_names::{Lookup, ServerNames};

/// Settings of a direct connection. The default suits a local network.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use socketio_p2p_client::direct::{DirectConfig, IceServer};
///
/// let config = DirectConfig::default()
///     .ice_server(IceServer::stun("stun:stun.example.org:3478"))
///     .ice_server(IceServer::turn("turn:turn.example.org:3478", "user", "password"))
///     .bind(["0.0.0.0:0".parse()?])
///     .linger(Duration::from_secs(3));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
///
/// Every duration is bounded by one rule: less than 1 ms, zero too, counts as 1 ms, and more than 100 years,
/// [`Duration::MAX`] too, counts as 100 years.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DirectConfig {
    /// STUN and TURN servers, 16 addresses at most. Default: none, so that only clients that reach each other
    /// directly connect. Those that cannot be used are left out, and reported by an [`IceWarning`].
    pub ice_servers: Vec<IceServer>,
    /// Local addresses for UDP. An unspecified one stands for each interface of its family,
    /// loopback and link-local excepted; port 0 for any free one. Of more than 16 addresses the best are used: those that
    /// are named here, those from which the internet is reached, then some of each interface. Default: `0.0.0.0:0`,
    /// `[::]:0`.
    pub bind: Vec<SocketAddr>,
    /// Lookup by multicast of `.local` names, by which browsers hide their addresses. If it is false, or no
    /// multicast socket can be bound, candidates with such names are skipped. Default: true.
    pub mdns: bool,
    /// Watching of this machine's addresses. When they change and the direct path is not alive, a client
    /// tries again at once. The server is asked for a sign of life. It costs a system socket for each client. Default:
    /// true.
    pub watch_network: bool,
    /// Timeout of opening, from the start to the open main channel. Default: 10 s. For the connections of a
    /// client, [`PathConfig::timeout`](crate::PathConfig::timeout) replaces it.
    pub open_timeout: Duration,
    /// Silence of the partner before [`DirectEvent::Silent`], which comes at most [`Self::keep_alive`] later.
    /// Default: 750 ms, so that a partner that was killed is noticed within a second; 3 s suits a mobile
    /// network. A client ignores it: there
    /// [`PathConfig::heartbeat_timeout`](crate::PathConfig::heartbeat_timeout) decides.
    ///
    /// [`DirectEvent::Silent`]: crate::direct::DirectEvent::Silent
    pub silent_after: Duration,
    /// Further silence after which the connection is given up. Default: 2.6 s. For the connections of a client
    /// it is at least [`PathConfig::heartbeat_timeout`](crate::PathConfig::heartbeat_timeout).
    pub failed_after: Duration,
    /// Interval at which the partner is asked for a sign of life. Default: 200 ms. For the connections of a client
    /// it is at least 10 s: there the heartbeats of [`PathConfig`](crate::PathConfig) keep the path open.
    pub keep_alive: Duration,
    /// Kernel buffer of each UDP socket, each way, in bytes, as far as the kernel allows
    /// (`net.core.rmem_max`). Default: 4 MiB; with the usual 208 KiB a burst is lost.
    pub udp_buffer_bytes: usize,
    /// Send buffer in bytes, besides what is in flight. When it is full, [`DirectConnection::send`] waits.
    /// Default: 1 MiB; a client uses 5 MiB at least.
    ///
    /// [`DirectConnection::send`]: crate::direct::DirectConnection::send
    pub send_buffer_bytes: usize,
    /// Label of the main channel if the partner makes the offer. Default: `None`, which stands for the ordered
    /// channel with the lowest number among those that a partner opens at once. With a label, others are raw
    /// channels. A client ignores it.
    pub main_label: Option<String>,
    /// Time that closing waits until everything sent has arrived, and a partner that runs this library has read
    /// it. Default: 1 s.
    pub linger: Duration,
    /// The application's provider of further servers.
    pub(crate) provider: Option<IceProvider>,
    /// The names of servers that were looked up. Clones of the configuration share them.
    pub(super) names: ServerNames,
    /// Faults of the connection's datagrams. For tests only. Default: none.
    #[cfg(feature = "udp-faults")]
    pub faults: Option<Arc<dyn UdpFaults>>,
}

impl Default for DirectConfig {
    fn default() -> Self {
        Self {
            ice_servers: Vec::new(),
            bind: vec![
                SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
                SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0),
            ],
            mdns: true,
            watch_network: true,
            open_timeout: Duration::from_secs(10),
            silent_after: Duration::from_millis(750),
            failed_after: Duration::from_millis(2600),
            keep_alive: Duration::from_millis(200),
            udp_buffer_bytes: 4 << 20,
            send_buffer_bytes: 1 << 20,
            main_label: None,
            linger: Duration::from_secs(1),
            provider: None,
            names: ServerNames::default(),
            #[cfg(feature = "udp-faults")]
            faults: None,
        }
    }
}

impl DirectConfig {
    /// Adds a server to [`Self::ice_servers`].
    #[must_use]
    pub fn ice_server(mut self, server: IceServer) -> Self {
        self.ice_servers.push(server);
        self
    }

    /// Sets a function that is asked for ICE servers besides [`Self::ice_servers`], like
    /// [`P2pBuilder::ice_servers_with`](crate::P2pBuilder::ice_servers_with).
    #[must_use]
    pub fn ice_servers_with<F, Fut, S, E>(mut self, provide: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<S, E>> + Send + 'static,
        S: Into<IceServers>,
        E: fmt::Display,
    {
        self.provider = Some(IceProvider::new(provide));
        self
    }

    /// Sets [`Self::bind`].
    #[must_use]
    pub fn bind(mut self, addresses: impl IntoIterator<Item = SocketAddr>) -> Self {
        self.bind = addresses.into_iter().collect();
        self
    }

    /// Sets [`Self::mdns`].
    #[must_use]
    pub fn mdns(mut self, enabled: bool) -> Self {
        self.mdns = enabled;
        self
    }

    /// Sets [`Self::watch_network`].
    #[must_use]
    pub fn watch_network(mut self, enabled: bool) -> Self {
        self.watch_network = enabled;
        self
    }

    /// Sets [`Self::open_timeout`].
    #[must_use]
    pub fn open_timeout(mut self, time: Duration) -> Self {
        self.open_timeout = time;
        self
    }

    /// Sets [`Self::silent_after`].
    #[must_use]
    pub fn silent_after(mut self, time: Duration) -> Self {
        self.silent_after = time;
        self
    }

    /// Sets [`Self::failed_after`].
    #[must_use]
    pub fn failed_after(mut self, time: Duration) -> Self {
        self.failed_after = time;
        self
    }

    /// Sets [`Self::keep_alive`].
    #[must_use]
    pub fn keep_alive(mut self, time: Duration) -> Self {
        self.keep_alive = time;
        self
    }

    /// Sets [`Self::udp_buffer_bytes`].
    #[must_use]
    pub fn udp_buffer_bytes(mut self, bytes: usize) -> Self {
        self.udp_buffer_bytes = bytes;
        self
    }

    /// Sets [`Self::send_buffer_bytes`].
    #[must_use]
    pub fn send_buffer_bytes(mut self, bytes: usize) -> Self {
        self.send_buffer_bytes = bytes;
        self
    }

    /// Sets [`Self::main_label`].
    #[must_use]
    pub fn main_label(mut self, label: impl Into<String>) -> Self {
        self.main_label = Some(label.into());
        self
    }

    /// Sets [`Self::linger`].
    #[must_use]
    pub fn linger(mut self, time: Duration) -> Self {
        self.linger = time;
        self
    }

    /// Returns reports about servers that cannot be used, and lookups of the names of the others, to be polled: so
    /// connections need not wait for them.
    pub(crate) fn prepare(&self) -> (Vec<IceWarning>, Vec<Lookup>) {
        let (servers, warnings) = IceServer::usable(&self.ice_servers);
        (warnings, self.names.look_up(&servers))
    }

    /// Returns the same configuration, with durations from 1 ms to 100 years.
    pub(super) fn bounded(self) -> Self {
        Self {
            open_timeout: setting(self.open_timeout),
            silent_after: setting(self.silent_after),
            failed_after: setting(self.failed_after),
            keep_alive: setting(self.keep_alive),
            linger: setting(self.linger),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_not_shown_in_logs() {
        let mut config = DirectConfig::default();
        config.ice_servers.push(IceServer::turn("turn:example.org", "user", "password"));

        let shown = format!("{config:?}");

        assert!(shown.contains("***") && !shown.contains("password"), "{shown}");
    }
}
