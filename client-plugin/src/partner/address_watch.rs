//! A watcher of this machine's addresses and, on Linux, of its routes.

use std::{collections::BTreeSet, future::pending, net::IpAddr, time::Duration};

use futures_util::StreamExt as _;
use if_watch::{IfEvent, tokio::IfWatcher};
use tokio::time::{Instant, sleep_until};

#[cfg(target_os = "linux")]
use super::route_watch::RouteWatch;

/// The time for which addresses must stay unchanged before they count: they appear and disappear
/// together, and some only for a moment.
const SETTLED: Duration = Duration::from_millis(500);

/// Watches the addresses by which others may reach this machine. Loopback and link-local ones are ignored.
pub(crate) struct AddressWatch {
    /// `None` where the system does not report changes.
    watcher: Option<IfWatcher>,
    known: Addresses,
    #[cfg(target_os = "linux")]
    routes: RouteWatch,
}

/// The progress of a change of addresses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Change {
    /// The addresses have begun to change, or a link or a default route has changed: a connection may be dead.
    Begun,
    /// The addresses have changed and settled.
    Settled,
}

/// The known addresses.
#[derive(Debug)]
struct Addresses {
    present: BTreeSet<IpAddr>,
    /// The addresses when they last settled; `None` before the first time.
    settled: Option<BTreeSet<IpAddr>>,
    settles_at: Option<Instant>,
}

impl AddressWatch {
    /// Starts to watch.
    pub(crate) fn watch() -> Self {
        let watcher = IfWatcher::new();
        let watcher = watcher.inspect_err(|error| {
            tracing::debug!(%error, "changed addresses will not be noticed");
        });
        Self {
            watcher: watcher.ok(),
            known: Addresses::unknown(Instant::now()),
            #[cfg(target_os = "linux")]
            routes: RouteWatch::watch(),
        }
    }

    /// Waits for the progress of the next change. Cancel safe.
    #[cfg(target_os = "linux")]
    pub(crate) async fn changed(&mut self) -> Change {
        let Self { watcher, known, routes } = self;
        tokio::select! {
            biased;
            change = known.changed(watcher) => change,
            () = routes.changed() => Change::Begun,
        }
    }

    /// Waits for the progress of the next change. Cancel safe.
    #[cfg(not(target_os = "linux"))]
    pub(crate) async fn changed(&mut self) -> Change {
        self.known.changed(&mut self.watcher).await
    }
}

impl Addresses {
    /// Returns an empty set: the system has not reported the present addresses yet.
    fn unknown(now: Instant) -> Self {
        Self { present: BTreeSet::new(), settled: None, settles_at: Some(now + SETTLED) }
    }

    /// Waits for the progress of the next change that this watcher reports. Cancel safe.
    async fn changed(&mut self, from: &mut Option<IfWatcher>) -> Change {
        loop {
            let Some(watcher) = from else { return pending().await };
            let settles_at = self.settles_at;
            tokio::select! {
                biased; // On a busy machine both may be ready: an event that came in time counts.
                event = watcher.next() => {
                    let was_settled = self.is_settled();
                    match event {
                        Some(Ok(event)) => self.take(event, Instant::now()),
                        ended => {
                            tracing::debug!(?ended, "changed addresses will no longer be noticed");
                            *from = None;
                        }
                    }
                    if was_settled && !self.is_settled() {
                        return Change::Begun;
                    }
                }
                () = sleep_until(settles_at.unwrap_or_else(Instant::now)), if settles_at.is_some() => {
                    if self.settle() {
                        return Change::Settled;
                    }
                }
            }
        }
    }

    fn take(&mut self, event: IfEvent, now: Instant) {
        let has_changed = match event {
            IfEvent::Up(net) => is_reachable(net.addr()) && self.present.insert(net.addr()),
            IfEvent::Down(net) => self.present.remove(&net.addr()),
        };
        if has_changed {
            self.settles_at = Some(now + SETTLED);
        }
    }

    /// Returns whether the addresses are known and do not change at the moment.
    const fn is_settled(&self) -> bool {
        self.settled.is_some() && self.settles_at.is_none()
    }

    /// Notes that the addresses have settled. Returns whether they differ from the last time.
    fn settle(&mut self) -> bool {
        self.settles_at = None;
        let before = self.settled.replace(self.present.clone());
        before.is_some_and(|before| before != self.present)
    }
}

/// Returns whether a partner may reach this address.
fn is_reachable(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !v4.is_loopback() && !v4.is_link_local(),
        IpAddr::V6(v6) => !v6.is_loopback() && !v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn up(net: &str) -> IfEvent {
        IfEvent::Up(net.parse().unwrap())
    }

    fn down(net: &str) -> IfEvent {
        IfEvent::Down(net.parse().unwrap())
    }

    /// Returns whether these events together are a change.
    fn is_change(addresses: &mut Addresses, events: impl IntoIterator<Item = IfEvent>) -> bool {
        for event in events {
            addresses.take(event, Instant::now());
        }
        addresses.settles_at.is_some() && addresses.settle()
    }

    #[test]
    fn the_first_addresses_are_no_change_and_later_ones_are() {
        let mut addresses = Addresses::unknown(Instant::now());

        assert!(!addresses.is_settled());
        assert!(!is_change(&mut addresses, [up("10.0.0.7/24"), up("fd00::7/64")]));
        assert!(addresses.is_settled());
        assert!(is_change(&mut addresses, [up("192.168.1.7/24")]));
        assert!(is_change(&mut addresses, [down("10.0.0.7/24")]));
        assert!(is_change(&mut addresses, [down("fd00::7/64"), down("192.168.1.7/24")]));
    }

    #[test]
    fn the_first_address_is_a_change_where_there_was_none() {
        let mut addresses = Addresses::unknown(Instant::now());

        assert!(!is_change(&mut addresses, []));
        assert!(is_change(&mut addresses, [up("10.0.0.7/24")]));
    }

    #[test]
    fn addresses_that_come_and_go_at_once_or_are_unreachable_are_no_change() {
        let mut addresses = Addresses::unknown(Instant::now());
        assert!(!is_change(&mut addresses, [up("10.0.0.7/24")]));

        for events in [
            vec![down("10.0.0.7/24"), up("10.0.0.7/24")],
            vec![up("172.17.0.1/16"), down("172.17.0.1/16")],
            vec![up("127.0.0.2/8"), up("169.254.3.4/16"), up("fe80::1/64"), up("::1/128")],
            vec![up("10.0.0.7/24")],
        ] {
            assert!(!is_change(&mut addresses, events.clone()), "{events:?}");
        }
    }

    #[tokio::test]
    async fn addresses_that_stay_as_they_are_are_no_change() {
        let mut watch = AddressWatch::watch();

        while watch.watcher.is_some() && watch.known.settled.is_none() {
            let changed = tokio::time::timeout(2 * SETTLED, watch.changed()).await;

            assert!(changed.is_err());
        }
    }
}
