//! The names of ICE servers: all are looked up at once, and what is found is kept for the next connection.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use socketio_p2p_protocol::{IceFault, IceServer, IceUrl, IceWarning};
use tokio::net::lookup_host;
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};

/// Time that a lookup may take. What is found late is of use for the next connection.
const LOOKUP_TIME: Duration = Duration::from_secs(5);
/// Time that a connection waits for all names together. The driver of webrtc does nothing meanwhile.
const PATIENCE: Duration = Duration::from_secs(1);
/// The same for names that were not found before.
const LITTLE_PATIENCE: Duration = Duration::from_millis(100);

/// A lookup. It returns a report if the name does not resolve.
pub(crate) type Lookup = BoxFuture<'static, Option<IceWarning>>;

/// The names of ICE servers that were looked up. Clones share them.
#[derive(Clone, Default)]
pub(super) struct ServerNames(Arc<Mutex<BTreeMap<String, watch::Sender<Found>>>>);

/// The result of the lookups of a name so far.
#[derive(Clone, Debug, Default)]
enum Found {
    /// The first one is under way.
    #[default]
    Nothing,
    /// None of them found an address.
    Missing,
    Addresses(Vec<SocketAddr>),
}

impl ServerNames {
    /// Returns the lookups of these servers' names, to be polled at once. All other names are forgotten.
    pub(super) fn look_up(&self, servers: &[IceServer]) -> Vec<Lookup> {
        let urls = servers.iter().flat_map(|server| &server.urls);
        let named: Vec<(String, &String)> =
            urls.filter_map(|url| Some((IceUrl::parse(url).ok()?.name()?, url))).collect();
        self.names().retain(|name, _| named.iter().any(|(known, _)| known == name));
        let begun = named.into_iter().map(|(name, url)| {
            let lookup = lookup_host(name.clone());
            self.begin(name, url, async { Ok(lookup.await?.collect()) })
        });
        begun.collect()
    }

    fn begin<L>(&self, name: String, url: &str, lookup: L) -> Lookup
    where
        L: Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'static,
    {
        let warning = IceWarning::left_out(url, IceFault::Unresolved);
        let found = self.names().entry(name).or_default().clone();
        Box::pin(async move {
            let failed = match timeout(LOOKUP_TIME, lookup).await {
                Ok(Ok(addresses)) if !addresses.is_empty() => {
                    found.send_replace(Found::Addresses(addresses));
                    return None;
                }
                Ok(looked_up) => looked_up.err(),
                Err(_) => Some(io::ErrorKind::TimedOut.into()),
            };
            tracing::debug!(%warning, ?failed);
            let is_known = matches!(*found.borrow(), Found::Addresses(_));
            if !is_known {
                found.send_replace(Found::Missing);
            }
            (!is_known).then_some(warning)
        })
    }

    /// Returns the addresses of `host:port`. If it was not found yet, this waits until a little after `began`, when the
    /// lookups began.
    ///
    /// # Errors
    ///
    /// The name does not resolve, or did not yet.
    pub(super) async fn resolve(&self, host: &str, began: Instant) -> io::Result<Vec<SocketAddr>> {
        if let Some(address) = literal(host) {
            return Ok(vec![address]);
        }
        let subscribed = self.names().get(host).map(watch::Sender::subscribe);
        let mut found = subscribed.ok_or(io::ErrorKind::NotFound)?;
        let known = found.borrow_and_update().clone();
        let patience = match known {
            Found::Addresses(addresses) => return Ok(addresses),
            Found::Nothing => PATIENCE,
            Found::Missing => LITTLE_PATIENCE,
        };
        timeout_at(began + patience, found.changed()).await?.ok();
        match &*found.borrow() {
            Found::Addresses(addresses) => Ok(addresses.clone()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn names(&self) -> MutexGuard<'_, BTreeMap<String, watch::Sender<Found>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads an address and a port. webrtc 0.21 writes an address of IPv6 without brackets where a TURN server has one.
fn literal(host: &str) -> Option<SocketAddr> {
    host.parse().ok().or_else(|| {
        let (ip, port) = host.rsplit_once(':')?;
        Some(SocketAddr::new(ip.parse::<IpAddr>().ok()?, port.parse().ok()?))
    })
}

impl fmt::Debug for ServerNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names().keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use futures_util::future::join_all;

    use super::*;

    const URL: &str = "turn:relay.example.org:3478";
    const NAME: &str = "relay.example.org:3478";

    /// Names with a lookup of this one that finds an address, or never ends.
    fn names(is_found: bool) -> (ServerNames, Lookup) {
        let names = ServerNames::default();
        let lookup = begin(&names, is_found);
        (names, lookup)
    }

    fn begin(names: &ServerNames, is_found: bool) -> Lookup {
        match is_found {
            true => names.begin(NAME.to_owned(), URL, ready(Ok(vec![address()]))),
            false => names.begin(NAME.to_owned(), URL, pending()),
        }
    }

    fn address() -> SocketAddr {
        ([192, 0, 2, 1], 3478).into()
    }

    #[tokio::test(start_paused = true)]
    async fn names_that_never_resolve_cost_all_together_a_second_and_others_nothing() {
        let (names, lookup) = names(true);
        let dead = ["a:1", "b:1", "c:1"];
        let lookups = dead.map(|name| names.begin(name.to_owned(), name, pending()));
        let began = Instant::now();

        let asking = async {
            assert_eq!(names.resolve(NAME, began).await.unwrap(), [address()]);
            assert_eq!(began.elapsed(), Duration::ZERO);
            for name in dead {
                names.resolve(name, began).await.unwrap_err();
            }
            assert_eq!(began.elapsed(), PATIENCE);
        };

        let all = join_all(lookups.into_iter().chain([lookup]));
        let (reports, ()) = tokio::join!(all, asking);
        assert_eq!(reports.iter().flatten().count(), 3);
        assert_eq!(began.elapsed(), LOOKUP_TIME);
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_that_was_not_found_is_reported_and_costs_the_next_connection_little() {
        let (names, lookup) = names(false);

        assert_eq!(lookup.await, Some(IceWarning::left_out(URL, IceFault::Unresolved)));

        let began = Instant::now();
        names.resolve(NAME, began).await.unwrap_err();
        assert_eq!(began.elapsed(), LITTLE_PATIENCE);
        let (report, found) = tokio::join!(begin(&names, true), names.resolve(NAME, began));
        assert_eq!((report, found.unwrap()), (None, vec![address()]));
    }

    #[tokio::test(start_paused = true)]
    async fn addresses_are_kept_if_a_later_lookup_finds_none() {
        let (names, lookup) = names(true);
        assert_eq!(lookup.await, None);

        assert_eq!(begin(&names, false).await, None);

        assert_eq!(names.resolve(NAME, Instant::now()).await.unwrap(), [address()]);
    }

    #[tokio::test]
    async fn an_address_is_no_name() {
        let names = ServerNames::default();
        let servers = [IceServer::stun("stun:192.0.2.1"), IceServer::stun("stun:[2001:db8::1]")];
        assert!(names.look_up(&servers).is_empty());

        for (written, ip) in [("192.0.2.1:7", "192.0.2.1"), ("2001:db8::1:7", "2001:db8::1")] {
            let found = names.resolve(written, Instant::now()).await.unwrap();
            assert_eq!(found, [SocketAddr::new(ip.parse().unwrap(), 7)]);
        }
    }
}
