//! Getting to the server of a URL: all addresses of its name, and proxies.
//!
//! rust_socketio 0.6.0 owns its socket: it looks the name up itself, tries one address after another, each for as
//! long as the system does, and knows no proxy. So the addresses are raced here, and it is given the one that
//! answers. Where it cannot be given it, since the name must stay for TLS, or since the way leads through a proxy, it
//! connects to a [bridge](bridge) in this process.

use std::{io, net::SocketAddr, time::Duration};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use rust_socketio::asynchronous::ClientBuilder;
use tokio::{
    net::{TcpStream, lookup_host},
    time::sleep,
};
use url::{Host, Url};

use crate::server::{
    bridge,
    proxy::{self, ProxySetting},
};

/// The delay before the next address is tried beside those that have not answered (RFC 8305).
const NEXT_ADDRESS_AFTER: Duration = Duration::from_millis(250);

/// The most addresses of a name that are tried.
const ADDRESSES: usize = 16;

/// Returns a builder for a connection to this URL, which leads to an address that answers. A user's name and
/// password in the URL go to the server as a header (RFC 7617), and into no text.
///
/// # Errors
///
/// The text states what was tried.
pub(crate) async fn reach(url: &str, setting: &ProxySetting) -> Result<ClientBuilder, String> {
    let Some(mut target) = Target::of(url) else {
        return Ok(ClientBuilder::new(url)); // rust_socketio says what is wrong with it.
    };
    let credentials = target.take_credentials();
    let builder = reach_target(&target, setting).await?;
    Ok(match credentials {
        Some(credentials) => builder.opening_header("authorization", credentials),
        None => builder,
    })
}

async fn reach_target(target: &Target, setting: &ProxySetting) -> Result<ClientBuilder, String> {
    let url = target.url.as_str();
    if let Some(proxy) = setting.proxy_for(&target.host, target.is_secure)? {
        let stream = proxy::connect(&proxy, &target.authority()).await?;
        return target.over_bridge(stream).await;
    }
    let Host::Domain(name) = &target.host else {
        return Ok(ClientBuilder::new(url));
    };
    let addresses = match lookup_host((name.as_str(), target.port)).await {
        Ok(addresses) => in_turn(addresses.take(ADDRESSES).collect()),
        Err(error) => return Err(format!("{}: {error}", target.authority())),
    };
    match addresses[..] {
        [] => Err(format!("{}: the name has no address", target.authority())),
        [_] => Ok(ClientBuilder::new(url)),
        _ => target.by_addresses(&addresses).await,
    }
}

/// The server of a URL.
struct Target {
    url: Url,
    host: Host,
    port: u16,
    is_secure: bool,
}

impl Target {
    fn of(url: &str) -> Option<Self> {
        let url = Url::parse(url).ok()?;
        let is_secure = match url.scheme() {
            "http" | "ws" => false,
            "https" | "wss" => true,
            _ => return None,
        };
        let host = url.host()?.to_owned();
        let port = url.port().unwrap_or(if is_secure { 443 } else { 80 });
        Some(Self { url, host, port, is_secure })
    }

    /// Takes the credentials out of the URL, as the value of the header `Authorization`.
    fn take_credentials(&mut self) -> Option<String> {
        let credentials = proxy::credentials(&self.url)?;
        // A URL with a host can have them, and so can do without.
        self.url.set_username("").ok();
        self.url.set_password(None).ok();
        Some(credentials)
    }

    /// Returns the host and the port.
    fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Returns the value of the header `Host`.
    fn host_header(&self) -> String {
        match self.url.port() {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.to_string(),
        }
    }

    /// Returns a builder that connects to the first of these addresses that answers.
    async fn by_addresses(&self, addresses: &[SocketAddr]) -> Result<ClientBuilder, String> {
        let race = race(addresses).await;
        let (stream, address) = race.map_err(|tried| format!("{}: {tried}", self.authority()))?;
        if self.is_secure {
            return self.over_bridge(stream).await;
        }
        drop(stream);
        self.builder_to(address)
    }

    /// Returns a builder that takes this connection, by a bridge.
    async fn over_bridge(&self, stream: TcpStream) -> Result<ClientBuilder, String> {
        let name = self.is_secure.then(|| self.host.to_string());
        let at = bridge::over(stream, name).await;
        self.builder_to(at.map_err(|error| format!("{}: {error}", self.authority()))?)
    }

    /// Returns a builder that connects to this address, without TLS, and names this server.
    fn builder_to(&self, address: SocketAddr) -> Result<ClientBuilder, String> {
        let mut url = self.url.clone();
        let is_set = url.set_scheme("http").is_ok()
            && url.set_ip_host(address.ip()).is_ok()
            && url.set_port(Some(address.port())).is_ok();
        if !is_set {
            return Err(format!("{}: the URL cannot be used", self.authority()));
        }
        Ok(ClientBuilder::new(url.as_str()).opening_header("host", self.host_header()))
    }
}

/// Returns the addresses in the order of the system, which is that of RFC 6724, but with the families in turn:
/// one that leads nowhere costs one delay.
fn in_turn(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == is_v6);
    let mut second = second.into_iter();
    let mut mixed = Vec::new();
    for address in first {
        mixed.push(address);
        mixed.extend(second.next());
    }
    mixed.extend(second);
    mixed
}

/// Connects to the first of these addresses that answers. Each is tried when the one before has failed, or has not
/// answered for a while. Cancel safe.
///
/// # Errors
///
/// The text states why each failed.
async fn race(addresses: &[SocketAddr]) -> Result<(TcpStream, SocketAddr), String> {
    let mut waiting = addresses.iter().copied();
    let mut trying = FuturesUnordered::new();
    let mut failed = Vec::new();
    loop {
        let next = waiting.next();
        let has_next = next.is_some();
        if let Some(address) = next {
            trying.push(async move { (address, TcpStream::connect(address).await) });
        }
        let outcome = tokio::select! {
            outcome = trying.next() => outcome,
            () = sleep(NEXT_ADDRESS_AFTER), if has_next => continue,
        };
        match outcome {
            Some((address, Ok(stream))) => return Ok((stream, address)),
            Some((address, Err(error))) => failed.push(tried(address, &error)),
            None => return Err(failed.join("; ")),
        }
    }
}

fn tried(address: SocketAddr, error: &io::Error) -> String {
    format!("{}: {error}", address.ip())
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    /// An address on which no connection is ever made: the queue of its listener is full.
    async fn black_hole() -> (SocketAddr, TcpListener, Vec<TcpStream>) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let mut full = Vec::new();
        while let Ok(stream) =
            tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(address)).await
        {
            full.push(stream.unwrap());
        }
        (address, listener, full)
    }

    #[tokio::test]
    async fn an_address_that_does_not_answer_is_passed_over() {
        let (hole, _listener, _full) = black_hole().await;
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = server.local_addr().unwrap();

        let (_, reached) = race(&[hole, address]).await.unwrap();

        assert_eq!(reached, address);
    }

    #[tokio::test]
    async fn an_address_that_refuses_is_passed_over_at_once_and_all_are_named_if_none_answers() {
        let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = server.local_addr().unwrap();
        assert_eq!(race(&[nobody, address]).await.unwrap().1, address);

        let tried = race(&[nobody, nobody]).await.unwrap_err();

        assert_eq!(tried.matches("127.0.0.1: ").count(), 2, "{tried}");
    }

    #[test]
    fn the_families_of_addresses_take_turns() {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        let [a, b, c] = ["[fd00::1]:1", "[fd00::2]:1", "[fd00::3]:1"].map(address);
        let [d, e] = ["10.0.0.1:1", "10.0.0.2:1"].map(address);

        assert_eq!(in_turn(vec![a, b, c, d, e]), [a, d, b, e, c]);
        assert_eq!(in_turn(vec![d, e, a]), [d, a, e]);
        assert!(in_turn(vec![]).is_empty());
    }

    #[tokio::test]
    async fn the_server_keeps_its_name_whatever_address_is_taken() {
        for (url, header) in [
            ("http://name.example:9000/path?a=b", "name.example:9000"),
            ("http://name.example", "name.example"),
        ] {
            assert_eq!(Target::of(url).unwrap().host_header(), header);
        }
        assert!(Target::of("ftp://name.example").is_none());
        assert!(Target::of("no url").is_none());
    }
}
