//! The direct links of a room: each opens when both sides have the other's present description.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::{
    RoomWorld,
    event::{CLIENTS, RoomEvent},
};
use crate::{
    LinkId, PairingId,
    peer::{LinkCommand, LinkEvent},
    sim::peers::{
        driver::Driver,
        links::{candidate, names_in, sdp},
    },
};

/// The links, by pairing and client.
#[derive(Default)]
pub(super) struct Links {
    drivers: BTreeMap<(PairingId, usize), Driver>,
    last_session: u64,
    /// The last arrivals, which keep the order.
    last: BTreeMap<(PairingId, usize), Instant>,
    /// Pairings over whose links nothing arrives, and until when.
    pub(super) silent: BTreeMap<PairingId, Instant>,
}

impl Links {
    pub(super) fn is_empty(&self) -> bool {
        self.drivers.is_empty()
    }

    pub(super) fn open(&self) -> Vec<PairingId> {
        let open = self.drivers.iter().filter(|(_, driver)| driver.is_open);
        open.map(|((pairing, _), _)| *pairing).collect()
    }
}

impl RoomWorld {
    pub(super) fn command_link(&mut self, client: usize, link: LinkId, command: LinkCommand) {
        let key = (link.pairing, client);
        match command {
            LinkCommand::Offer(attempt) => {
                self.make_link(key, link);
                self.describe(key, attempt);
            }
            LinkCommand::Restart(attempt) => self.describe(key, attempt),
            LinkCommand::Answer(attempt, offer) => {
                if self.links.drivers.get(&key).is_none_or(|driver| driver.link != link) {
                    self.make_link(key, link);
                }
                self.describe(key, attempt);
                if let Some(driver) = self.links.drivers.get_mut(&key) {
                    driver.remote = Some(names_in(&offer));
                }
            }
            LinkCommand::Accept(answer) => {
                if let Some(driver) = self.links.drivers.get_mut(&key) {
                    driver.remote = Some(names_in(&answer));
                }
                self.join_links(link.pairing);
            }
            LinkCommand::Add(_) => {}
            LinkCommand::Send(message) => {
                if let Some((other, theirs)) = self.joined(key) {
                    self.send_direct(other, theirs, LinkEvent::Received(message));
                }
            }
            LinkCommand::Close => {
                if let Some((other, theirs)) = self.joined(key) {
                    self.send_direct(other, theirs, LinkEvent::Closed);
                }
                self.links.drivers.remove(&key);
            }
        }
    }

    /// Forgets the links of a client that has closed, as far as it did not close them.
    pub(super) fn drop_links(&mut self, client: usize) {
        self.links.drivers.retain(|(_, owner), _| *owner != client);
    }

    fn make_link(&mut self, key: (PairingId, usize), link: LinkId) {
        self.links.last_session += 1;
        let session = self.links.last_session;
        let driver = Driver { link, session, descriptions: 0, remote: None, is_open: false };
        self.links.drivers.insert(key, driver);
    }

    fn describe(&mut self, key: (PairingId, usize), attempt: u64) {
        let Some(driver) = self.links.drivers.get_mut(&key) else { return };
        driver.descriptions += 1;
        driver.remote = None;
        let (link, session, ufrag) = (driver.link, driver.session, driver.ufrag());
        let described = LinkEvent::described(attempt, &sdp(session, &ufrag));
        let described = described.expect("it is a description");
        self.after(5..20, RoomEvent::Reported(key.1, link, described));
        let gathered = LinkEvent::Gathered(candidate(session, &ufrag));
        self.after(1..30, RoomEvent::Reported(key.1, link, gathered));
    }

    /// Opens the links of a pairing whose descriptions fit.
    fn join_links(&mut self, pairing: PairingId) {
        let keys = (0..CLIENTS).map(|client| (pairing, client));
        let keys: Vec<_> = keys.filter(|key| self.links.drivers.contains_key(key)).collect();
        let [one, other] = keys[..] else { return };
        let knows = |from, of| self.links.drivers[&from].knows(&self.links.drivers[&of]);
        if !knows(one, other) || !knows(other, one) {
            return;
        }
        for key in [one, other] {
            let Some(driver) = self.links.drivers.get_mut(&key) else { continue };
            if !std::mem::replace(&mut driver.is_open, true) {
                let link = driver.link;
                self.send_direct(key.1, link, LinkEvent::Opened);
            }
        }
    }

    /// Returns the other side of an open link.
    fn joined(&self, (pairing, client): (PairingId, usize)) -> Option<(usize, LinkId)> {
        let own = self.links.drivers.get(&(pairing, client)).filter(|driver| driver.is_open)?;
        let mut others = (0..CLIENTS).filter(|other| *other != client);
        others.find_map(|other| {
            let driver = self.links.drivers.get(&(pairing, other))?;
            let is_its = own
                .remote
                .as_ref()
                .is_none_or(|(session, _)| *session == driver.session.to_string());
            (driver.is_open && is_its).then_some((other, driver.link))
        })
    }

    fn send_direct(&mut self, to: usize, link: LinkId, event: LinkEvent) {
        let delay = Duration::from_micros(self.rng.u64(100..3_000));
        let last = self.links.last.entry((link.pairing, to)).or_insert(self.now);
        // SCTP sends what was lost again.
        let silent = self.links.silent.get(&link.pairing).copied().unwrap_or(self.now);
        *last = (*last).max(self.now.max(silent) + delay);
        let at = *last;
        self.at(at, RoomEvent::Reported(to, link, event));
    }

    pub(super) fn link_reports(&mut self, client: usize, link: LinkId, event: LinkEvent) {
        let driver = self.links.drivers.get(&(link.pairing, client));
        if driver.is_some_and(|driver| driver.link == link) {
            if matches!(event, LinkEvent::Closed) {
                self.links.drivers.remove(&(link.pairing, client));
            }
            self.feed(client, crate::client::Input::Link(link, event));
        }
    }

    /// Closes a link at both sides.
    pub(super) fn cut_link(&mut self, pairing: PairingId) {
        for client in 0..CLIENTS {
            if let Some(driver) = self.links.drivers.get(&(pairing, client)) {
                let link = driver.link;
                self.send_direct(client, link, LinkEvent::Closed);
            }
        }
    }
}
