//! Links between clients: a link opens when the descriptions of its two sides fit. Its messages arrive in
//! order and with delays. While the way between the two clients is cut, or a client has other addresses
//! than those that it described, messages wait.

mod hostile;
pub(crate) mod network;
mod weather;

use crate::{
    Candidate, LinkId,
    client::Input,
    peer::{LinkCommand, LinkEvent, LinkMessage},
};

use self::network::{HostLink, LinkKey};
use crate::sim::{
    event::Event,
    oracle::{ClientNo, Rule},
    parties::HOSTILE,
    world::World,
};

/// The times after which a link notices that its other side is gone.
const FAILS_AFTER: std::ops::Range<u64> = 15_000..30_000;

fn candidate(ufrag: &str, port: u64) -> Candidate {
    let text = format!(
        "candidate:{port} 1 udp 2122260223 127.0.0.1 {port} typ host generation 0 ufrag {ufrag}"
    );
    Candidate::new(&text, Some("0"), Some(0)).expect("a candidate")
}

impl World {
    /// Carries out a command to the driver of a link.
    pub(crate) fn command_link(&mut self, client: ClientNo, link: LinkId, command: LinkCommand) {
        let key = (client, link);
        self.note(|| format!("{client} commands {link}: {command:.90?}"));
        if !self.clients[client].direct || self.direct.is_closed(key) {
            let what = format!("{client} commands {link}, which it may not: {command:?}");
            return self.oracle.violate(Rule::Direct, what);
        }
        match command {
            LinkCommand::Offer(attempt) | LinkCommand::Restart(attempt) => {
                self.describe(key, attempt);
            }
            LinkCommand::Answer(attempt, offer) => {
                self.describe(key, attempt);
                self.direct.host_link(key, self.now).theirs = Some(offer);
            }
            LinkCommand::Accept(answer) => {
                self.direct.host_link(key, self.now).theirs = Some(answer);
            }
            LinkCommand::Add(_) => {}
            LinkCommand::Send(message) => return self.send_direct(key, message),
            LinkCommand::Close => return self.close_link(key),
        }
        self.join_links();
    }

    /// Describes a link for its owner's present addresses.
    fn describe(&mut self, key: LinkKey, attempt: u64) {
        let own = self.direct.describe(key, self.now);
        let candidates: Vec<_> =
            (0..self.rng.u64(1..4)).map(|port| candidate(own.ufrag(), 1_000 + port)).collect();
        let describes = self.direct.describes.clone();
        self.report_link(key, describes.clone(), LinkEvent::Described(attempt, own));
        for candidate in candidates {
            self.report_link(key, describes.clone(), LinkEvent::Gathered(candidate));
        }
    }

    /// Reports an event to the owner of a link, after this many milliseconds.
    fn report_link(&mut self, key: LinkKey, millis: std::ops::Range<u64>, event: LinkEvent) {
        let after = self.millis(millis);
        self.report_link_at(key, self.now + after, event);
    }

    fn report_link_at(&mut self, key: LinkKey, at: std::time::Instant, event: LinkEvent) {
        if let Some(link) = self.direct.links.get_mut(&key) {
            let at = link.inbox.send(event, at);
            self.at(at, Event::Link(key.0, key.1));
        }
    }

    /// An event of a link reaches its owner.
    pub(crate) fn link_reports(&mut self, client: ClientNo, id: LinkId) {
        let Some(link) = self.direct.links.get_mut(&(client, id)) else { return };
        let Some(event) = link.inbox.arrived(self.now) else { return };
        link.is_open |= matches!(event, LinkEvent::Opened);
        link.is_open &= !matches!(event, LinkEvent::Closed);
        match client.checked_sub(HOSTILE) {
            Some(hostile) => self.hostile_link_reports(hostile, id, event),
            None => self.feed(client, Input::Link(id, event)),
        }
    }

    fn send_direct(&mut self, key: LinkKey, message: LinkMessage) {
        let message = self.rewrite_direct(key.0, message);
        let Some(link) = self.direct.links.get_mut(&key) else { return };
        if !link.is_open {
            let what = format!("{} sends on {}, which is not open", key.0, key.1);
            return self.oracle.violate(Rule::Direct, what);
        }
        link.held.push_back(message);
        self.deliver_direct(key);
    }

    /// Lets the messages that wait on a link pass, if they can.
    fn deliver_direct(&mut self, key: LinkKey) {
        if !self.direct.flows(key) {
            return;
        }
        let Some(link) = self.direct.links.get_mut(&key) else { return };
        let Some(partner) = link.partner else { return };
        for message in std::mem::take(&mut link.held) {
            let delay = self.delay() + self.direct.extra_delay(key.0, partner.0, self.now);
            self.report_link_at(partner, self.now + delay, LinkEvent::Received(message));
        }
    }

    /// Opens links whose descriptions fit, and lets messages pass that waited.
    fn join_links(&mut self) {
        for pair in self.direct.join() {
            for key in pair {
                let opens = self.direct.opens.clone();
                self.report_link(key, opens, LinkEvent::Opened);
            }
        }
        for key in self.direct.waiting() {
            self.deliver_direct(key);
        }
    }

    /// A link ends at one side; the other notices it when it does.
    fn close_link(&mut self, key: LinkKey) {
        self.deliver_direct(key);
        let flows = self.direct.flows(key);
        let Some(HostLink { partner: Some(partner), .. }) = self.direct.close(key) else { return };
        // The farewell may be lost.
        let noticed =
            if flows && (!self.stormy || self.rng.u8(..4) > 0) { 1..100 } else { FAILS_AFTER };
        self.report_link(partner, noticed, LinkEvent::Closed);
    }

    /// Returns the open links of a client.
    pub(crate) fn open_links(&self, client: ClientNo) -> usize {
        self.direct
            .links
            .iter()
            .filter(|((owner, _), link)| *owner == client && link.is_open)
            .count()
    }
}
