//! What the drivers of direct links do, and the network between them: a link opens when each peer has the
//! other's present description.

use super::{PeerEvent, PeerPair, driver::Driver};
use crate::{
    Candidate, Path, Sdp,
    peer::{LinkCommand, LinkEvent, LinkId},
};

impl PeerPair {
    pub(super) fn command(&mut self, end: usize, link: LinkId, command: LinkCommand) {
        match command {
            LinkCommand::Offer(attempt) => {
                self.make(end, link);
                self.describe(end, attempt, None);
            }
            LinkCommand::Restart(attempt) => self.describe(end, attempt, None),
            LinkCommand::Answer(attempt, sdp) => {
                if self.ends[end].driver.as_ref().is_none_or(|driver| driver.link != link) {
                    self.make(end, link);
                }
                self.describe(end, attempt, Some(&sdp));
            }
            LinkCommand::Accept(sdp) => {
                if let Some(driver) = &mut self.ends[end].driver {
                    driver.remote = Some(names_in(&sdp));
                }
                self.join();
            }
            LinkCommand::Add(_) => {}
            LinkCommand::Send(message) => {
                if let Some(partner) = self.joined(end) {
                    let event = PeerEvent::Reported(1 - end, partner, LinkEvent::Received(message));
                    self.send(1 - end, Path::Direct, event);
                }
            }
            LinkCommand::Close => {
                if let Some(partner) = self.joined(end) {
                    let event = PeerEvent::Reported(1 - end, partner, LinkEvent::Closed);
                    self.send(1 - end, Path::Direct, event);
                }
                self.ends[end].driver = None;
            }
        }
    }

    fn make(&mut self, end: usize, link: LinkId) {
        self.last_session += 1;
        let session = self.last_session;
        self.ends[end].driver =
            Some(Driver { link, session, descriptions: 0, remote: None, is_open: false });
    }

    /// Describes an offer, or the answer to this one, and finds a candidate before or after it.
    fn describe(&mut self, end: usize, attempt: u64, offer: Option<&Sdp>) {
        let Some(driver) = &mut self.ends[end].driver else { return };
        driver.descriptions += 1;
        driver.remote = offer.map(names_in);
        let (link, session, ufrag) = (driver.link, driver.session, driver.ufrag());
        let described = LinkEvent::described(attempt, &sdp(session, &ufrag));
        self.after(5..20, PeerEvent::Reported(end, link, described.expect("it is a description")));
        let gathered = LinkEvent::Gathered(candidate(session, &ufrag));
        self.after(1..30, PeerEvent::Reported(end, link, gathered));
    }

    /// Opens the link, or finds other addresses for it, if both peers have all that it takes.
    fn join(&mut self) {
        let [one, other] = &mut self.ends;
        let (Some(one), Some(other)) = (&mut one.driver, &mut other.driver) else { return };
        if !one.knows(other) || !other.knows(one) {
            return;
        }
        self.has_moved = false;
        let opened = [one, other].map(|driver| {
            let was_open = std::mem::replace(&mut driver.is_open, true);
            (!was_open).then_some(driver.link)
        });
        for (end, link) in opened.into_iter().enumerate() {
            if let Some(link) = link {
                self.send(end, Path::Direct, PeerEvent::Reported(end, link, LinkEvent::Opened));
            }
        }
    }

    /// Returns the partner's link, if what this peer sends gets there.
    pub(super) fn joined(&self, end: usize) -> Option<LinkId> {
        let own = self.ends[end].driver.as_ref().filter(|driver| driver.is_open)?;
        let partner = self.ends[1 - end].driver.as_ref().filter(|driver| driver.is_open)?;
        let is_its = |driver: &Driver, of: &Driver| {
            // A restart in progress changes the user name, not the session.
            driver.remote.as_ref().is_none_or(|(session, _)| *session == of.session.to_string())
        };
        let is_through = !self.has_moved && self.silent_until <= self.now;
        (is_through && is_its(own, partner) && is_its(partner, own)).then_some(partner.link)
    }
}

/// Returns the session and the user name in a description.
pub(in crate::sim) fn names_in(sdp: &Sdp) -> (String, String) {
    (sdp.session().to_owned(), sdp.ufrag().to_owned())
}

pub(in crate::sim) fn sdp(session: u64, ufrag: &str) -> String {
    [
        "v=0",
        &format!("o=- {session} 2 IN IP4 127.0.0.1"),
        "s=-",
        "t=0 0",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "c=IN IP4 0.0.0.0",
        &format!("a=ice-ufrag:{ufrag}"),
        "a=ice-pwd:passwordofatleast22chars",
        "a=fingerprint:sha-256 19:E2:1C:3B",
        "a=mid:0",
        "",
    ]
    .join("\r\n")
}

pub(in crate::sim) fn candidate(session: u64, ufrag: &str) -> Candidate {
    let port = 50_000 + session % 10_000;
    let text = format!("candidate:1 1 udp 2122260223 127.0.0.1 {port} typ host ufrag {ufrag}");
    Candidate::new(&text, Some("0"), Some(0)).expect("it is a candidate")
}
