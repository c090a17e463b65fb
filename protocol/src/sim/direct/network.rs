//! The links of all clients, and the ways between the clients.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    ops::Range,
    time::{Duration, Instant},
};

use crate::{
    LinkId, Sdp,
    peer::{LinkEvent, LinkMessage},
    sim::{connection::Way, oracle::ClientNo},
};

/// The longest time for which the way between two clients is cut.
pub(crate) const LONGEST_CUT: Duration = Duration::from_secs(15);

/// A description of a data channel. `session` tells links apart, `ufrag` attempts.
pub(crate) fn description(session: u64, ufrag: u64) -> Sdp {
    let text = format!(
        "v=0\r\no=- {session} 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
         m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n\
         a=ice-ufrag:u{ufrag}\r\na=ice-pwd:asd88fgpdd777uzjYhagZg\r\n\
         a=fingerprint:sha-256 19:E2:1C:3B\r\na=setup:actpass\r\na=mid:0\r\na=sctp-port:5000\r\n"
    );
    text.parse().expect("a description")
}

/// A link as its owner knows it.
pub(crate) type LinkKey = (ClientNo, LinkId);

/// One side of a link, as its driver has it.
#[derive(Debug)]
pub(crate) struct HostLink {
    session: u64,
    own: Option<Sdp>,
    pub(crate) theirs: Option<Sdp>,
    /// The other side, once the descriptions fit.
    pub(crate) partner: Option<LinkKey>,
    /// True once the owner knows that it is open.
    pub(crate) is_open: bool,
    /// The addresses that the present description has.
    described: u32,
    /// The addresses on which the link stands.
    addresses: u32,
    /// Events on their way to the owner.
    pub(crate) inbox: Way<LinkEvent>,
    /// Messages of the owner that wait while nothing passes.
    pub(crate) held: VecDeque<LinkMessage>,
}

/// The links of all clients.
#[derive(Debug)]
pub(crate) struct DirectNetwork {
    pub(crate) links: BTreeMap<LinkKey, HostLink>,
    closed: BTreeSet<LinkKey>,
    /// The number of the present addresses of each client.
    addresses: BTreeMap<ClientNo, u32>,
    /// Pairs of clients between which nothing passes, and for how many reasons.
    cuts: BTreeMap<[ClientNo; 2], u32>,
    /// Pairs of clients between which messages take longer until this time.
    slow: BTreeMap<[ClientNo; 2], (Instant, Duration)>,
    /// The milliseconds that a description takes, and the opening of a link.
    pub(crate) describes: Range<u64>,
    pub(crate) opens: Range<u64>,
    last_session: u64,
    last_ufrag: u64,
}

const fn pair(a: ClientNo, b: ClientNo) -> [ClientNo; 2] {
    if a < b { [a, b] } else { [b, a] }
}

impl Default for DirectNetwork {
    fn default() -> Self {
        Self {
            links: BTreeMap::new(),
            closed: BTreeSet::new(),
            addresses: BTreeMap::new(),
            cuts: BTreeMap::new(),
            slow: BTreeMap::new(),
            describes: 1..40,
            opens: 5..50,
            last_session: 0,
            last_ufrag: 0,
        }
    }
}

impl DirectNetwork {
    pub(crate) fn is_closed(&self, key: LinkKey) -> bool {
        self.closed.contains(&key)
    }

    /// Returns a link, which is made if it is new.
    pub(crate) fn host_link(&mut self, key: LinkKey, now: Instant) -> &mut HostLink {
        let addresses = self.addresses_of(key.0);
        let last_session = &mut self.last_session;
        self.links.entry(key).or_insert_with(|| {
            *last_session += 1;
            HostLink {
                session: *last_session,
                own: None,
                theirs: None,
                partner: None,
                is_open: false,
                described: addresses,
                addresses,
                inbox: Way::new(now),
                held: VecDeque::new(),
            }
        })
    }

    /// Returns a new description of a link.
    pub(crate) fn describe(&mut self, key: LinkKey, now: Instant) -> Sdp {
        self.last_ufrag += 1;
        let (ufrag, addresses) = (self.last_ufrag, self.addresses_of(key.0));
        let link = self.host_link(key, now);
        let own = description(link.session, ufrag);
        link.own = Some(own.clone());
        link.described = addresses;
        own
    }

    /// Returns whether messages of this side reach the other.
    pub(crate) fn flows(&self, key: LinkKey) -> bool {
        let Some(link) = self.links.get(&key) else { return false };
        let Some(partner) = link.partner else { return false };
        let is_reached = |key: LinkKey, link: &HostLink| link.addresses == self.addresses_of(key.0);
        // Nobody knows if the other side still has the link.
        let other = self.links.get(&partner).is_none_or(|other| is_reached(partner, other));
        other && is_reached(key, link) && !self.is_cut(key.0, partner.0)
    }

    /// Connects the links whose descriptions fit. Returns those that are new.
    pub(crate) fn join(&mut self) -> Vec<[LinkKey; 2]> {
        let mut new = Vec::new();
        let keys: Vec<_> = self.links.keys().copied().collect();
        for (at, a) in keys.iter().enumerate() {
            for b in &keys[at + 1..] {
                let (first, second) = (&self.links[a], &self.links[b]);
                let fits = first.own.is_some()
                    && second.own.is_some()
                    && first.own == second.theirs
                    && second.own == first.theirs;
                // Encryption is agreed on once for each link.
                let strangers = first.partner.is_some_and(|partner| partner != *b)
                    || second.partner.is_some_and(|partner| partner != *a);
                if !fits || strangers || self.is_cut(a.0, b.0) {
                    continue;
                }
                // A description is only good for the addresses that it has.
                let stale = [(a, first), (b, second)]
                    .into_iter()
                    .any(|(key, link)| link.described != self.addresses_of(key.0));
                if stale {
                    continue;
                }
                if first.partner.is_none() {
                    new.push([*a, *b]);
                }
                for (own, other) in [(a, b), (b, a)] {
                    if let Some(link) = self.links.get_mut(own) {
                        link.partner = Some(*other);
                        link.addresses = link.described;
                    }
                }
            }
        }
        new
    }

    /// Returns the links on which messages wait.
    pub(crate) fn waiting(&self) -> Vec<LinkKey> {
        let waiting = self.links.iter().filter(|(_, link)| !link.held.is_empty());
        waiting.map(|(key, _)| *key).collect()
    }

    /// Has the other side of a link never notice that it ends.
    pub(crate) fn abandon(&mut self, key: LinkKey) {
        if let Some(link) = self.links.get_mut(&key) {
            link.partner = None;
        }
    }

    /// Forgets a link, for good.
    pub(crate) fn close(&mut self, key: LinkKey) -> Option<HostLink> {
        self.closed.insert(key);
        self.links.remove(&key)
    }

    fn addresses_of(&self, client: ClientNo) -> u32 {
        self.addresses.get(&client).copied().unwrap_or_default()
    }

    /// Gives a client other addresses: nothing passes on its links until they are described anew.
    pub(crate) fn roam(&mut self, client: ClientNo) {
        *self.addresses.entry(client).or_default() += 1;
    }

    pub(crate) fn cut(&mut self, a: ClientNo, b: ClientNo) {
        *self.cuts.entry(pair(a, b)).or_default() += 1;
    }

    pub(crate) fn uncut(&mut self, a: ClientNo, b: ClientNo) {
        if let Some(cuts) = self.cuts.get_mut(&pair(a, b)) {
            *cuts = cuts.saturating_sub(1);
        }
    }

    pub(crate) fn is_cut(&self, a: ClientNo, b: ClientNo) -> bool {
        self.cuts.get(&pair(a, b)).is_some_and(|cuts| *cuts > 0)
    }

    pub(crate) fn slow_down(&mut self, a: ClientNo, b: ClientNo, until: Instant, by: Duration) {
        self.slow.insert(pair(a, b), (until, by));
    }

    pub(crate) fn extra_delay(&self, a: ClientNo, b: ClientNo, now: Instant) -> Duration {
        let slow = self.slow.get(&pair(a, b)).filter(|(until, _)| now < *until);
        slow.map_or(Duration::ZERO, |(_, by)| *by)
    }
}
