//! Whether this machine has other addresses than before.

use std::{collections::BTreeSet, future::pending, io, net::IpAddr, time::Duration};

use futures_util::StreamExt as _;
use if_watch::{IfEvent, tokio::IfWatcher};
use tokio::time::{Instant, sleep_until};

/// How long addresses must have stayed as they are: they come and go together, and some only for a
/// moment.
const SETTLED: Duration = Duration::from_millis(500);

/// The addresses by which others may reach this machine. Loopback and link-local ones do not count.
pub(crate) struct Network {
    /// None where the system does not tell.
    watcher: Option<IfWatcher>,
    known: Addresses,
}

/// What is known of them.
#[derive(Debug)]
struct Addresses {
    present: BTreeSet<IpAddr>,
    /// As they were when they last had settled; none until they have for the first time.
    settled: Option<BTreeSet<IpAddr>>,
    settles_at: Option<Instant>,
}

impl Network {
    /// Watches from now on.
    pub(crate) fn watch() -> Self {
        let watcher = IfWatcher::new();
        let watcher = watcher.inspect_err(|error| {
            tracing::debug!(%error, "changes of the network will not be noticed");
        });
        Self { watcher: watcher.ok(), known: Addresses::unknown(Instant::now()) }
    }

    /// The next time that there are others than before. Cancel safe.
    pub(crate) async fn changed(&mut self) {
        loop {
            let Some(watcher) = &mut self.watcher else { return pending().await };
            let settles_at = self.known.settles_at;
            tokio::select! {
                event = watcher.next() => self.heard(event),
                () = sleep_until(settles_at.unwrap_or_else(Instant::now)), if settles_at.is_some() => {
                    if self.known.settle() {
                        return;
                    }
                }
            }
        }
    }

    fn heard(&mut self, event: Option<io::Result<IfEvent>>) {
        match event {
            Some(Ok(event)) => self.known.take(event, Instant::now()),
            ended => {
                tracing::debug!(?ended, "changes of the network will no longer be noticed");
                self.watcher = None;
            }
        }
    }
}

impl Addresses {
    /// Those that are there are yet to be told.
    fn unknown(now: Instant) -> Self {
        Self { present: BTreeSet::new(), settled: None, settles_at: Some(now + SETTLED) }
    }

    fn take(&mut self, event: IfEvent, now: Instant) {
        let has_changed = match event {
            IfEvent::Up(net) => is_of_use(net.addr()) && self.present.insert(net.addr()),
            IfEvent::Down(net) => self.present.remove(&net.addr()),
        };
        if has_changed {
            self.settles_at = Some(now + SETTLED);
        }
    }

    /// They have not changed for a while: whether they are others than the last time.
    fn settle(&mut self) -> bool {
        self.settles_at = None;
        let before = self.settled.replace(self.present.clone());
        before.is_some_and(|before| before != self.present)
    }
}

/// Whether a partner may reach it.
fn is_of_use(address: IpAddr) -> bool {
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

    /// Whether what happened together is a change.
    fn is_change(addresses: &mut Addresses, events: impl IntoIterator<Item = IfEvent>) -> bool {
        for event in events {
            addresses.take(event, Instant::now());
        }
        addresses.settles_at.is_some() && addresses.settle()
    }

    #[test]
    fn what_is_there_at_first_is_no_change_and_what_follows_is() {
        let mut addresses = Addresses::unknown(Instant::now());

        assert!(!is_change(&mut addresses, [up("10.0.0.7/24"), up("fd00::7/64")]));
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
    fn what_comes_and_goes_at_once_and_what_nobody_reaches_is_no_change() {
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
    async fn a_network_that_stays_as_it_is_is_no_change() {
        let mut network = Network::watch();

        let changed = tokio::time::timeout(2 * SETTLED, network.changed()).await;

        assert!(changed.is_err());
        assert!(network.known.settled.is_some() || network.watcher.is_none());
    }
}
