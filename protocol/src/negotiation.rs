//! One end's half of a pairing's direct path: who offers, when to try, when to take it and when to
//! leave it.
//!
//! ```text
//!              begin: offer, answer, candidates           a heartbeat returned on both sides
//!   Idle ──────────────────────────────────► Connecting ──────────────────────────────► Alive
//!    ▲  ▲                                        │                                    ▲  │
//!    │  └──── failed, not in time: backoff ──────┘                          returned  │  │ none returns
//!    │                                                                                │  ▼
//!    └─────────────────── closed, or the restart failed ◄──────────────────────────── Silent
//!                                              (if it stays so for a while, restart: offer, answer)
//!   Alive: carries, or is held back: it was left a moment ago, or the relay is measured better
//! ```
//!
//! - The initiator of the pairing offers; its partner may ask it to. If both offer, the initiator's
//!   counts.
//! - Every attempt has a number, greater than all before; those of the initiator are odd. What
//!   belongs to an older one is ignored. A partner that numbers nothing (simple-peer) is told apart
//!   by the user names in its descriptions.
//! - A connection has one name here, its [`LinkId`], also through ICE restarts. What an older one
//!   reports is ignored.
//!
//! No IO, no clock, no chance: feed it with [`Negotiation::handle`], carry out what
//! [`Negotiation::poll_output`] says, and come back with [`Input::Timeout`] when
//! [`Negotiation::poll_timeout`] is due.

mod beat;
mod choice;
mod interface;
mod link;
mod recent;
mod rounds;

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

pub use self::interface::{
    Input, LinkCommand, LinkEvent, LinkId, Output, PathConfig, PathPolicy, WhyLeft,
};
use self::{choice::Choice, link::Link, recent::Recent};
pub use crate::wire::{Beat, BeatKind, DirectMessage};
use crate::{PairingId, Signal, Step};

/// Answers of the server of which the quickest counts: those of a quarter of a minute.
const ANSWERS: usize = 4;

/// One end's half of a direct path. See the [module's page](self).
#[derive(Debug)]
pub struct Negotiation {
    config: PathConfig,
    /// The pairing as this end knows it now; it stands in heartbeats.
    pairing: PairingId,
    /// The pairing under which the links are counted.
    origin: PairingId,
    initiator: bool,
    /// Whether signals get through, and frames by the relay.
    relay: bool,
    /// How long the server takes to answer, and the partner's to answer that, as it said last.
    server: Recent<ANSWERS>,
    partner_server: Option<Duration>,
    /// The highest number of an attempt, of either end.
    attempt: u64,
    /// Whether the partner numbers its attempts; simple-peer does not.
    numbers: bool,
    /// Offers that the partner may make at once: when they all may again.
    offers_at: Option<Instant>,
    links: u32,
    link: Option<Link>,
    /// When to begin the next attempt; none if there is nothing to wait for.
    retry_at: Option<Instant>,
    /// When the last connection was begun, and when one was restarted last.
    began_at: Option<Instant>,
    restarted_at: Option<Instant>,
    /// Attempts that failed, or made a path that did not last, since something changed.
    failures: u32,
    choice: Choice,
    outputs: VecDeque<Output>,
}

impl Negotiation {
    /// The direct path of a pairing that has just been made, by this end or by its partner. The
    /// initiator begins at once.
    #[must_use]
    pub fn new(config: PathConfig, pairing: PairingId, initiator: bool, now: Instant) -> Self {
        let mut negotiation = Self {
            config: config.bounded(),
            pairing,
            origin: pairing,
            initiator,
            relay: true,
            server: Recent::new(),
            partner_server: None,
            attempt: 0,
            numbers: false,
            offers_at: None,
            links: 0,
            link: None,
            retry_at: None,
            began_at: None,
            restarted_at: None,
            failures: 0,
            choice: Choice::default(),
            outputs: VecDeque::new(),
        };
        if initiator {
            negotiation.begin(now);
        }
        negotiation
    }

    /// Whether the direct path carries what this end says.
    #[must_use]
    pub const fn carries(&self) -> bool {
        self.choice.carries()
    }

    /// Whether there is a channel on which heartbeats have returned, though it may be silent now.
    #[must_use]
    pub fn stands(&self) -> bool {
        self.beats().is_some_and(beat::Beats::was_proven)
    }

    /// The present connection.
    #[must_use]
    pub fn link(&self) -> Option<LinkId> {
        self.link.as_ref().map(|link| link.id)
    }

    /// The mean round-trip time of the direct path, if there is one.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.beats()?.rtt()
    }

    /// The round-trip time between the two ends by the relay, when nothing waits: the shortest of late,
    /// as far as it is known.
    #[must_use]
    pub fn relay_rtt(&self) -> Option<Duration> {
        Some(self.server.shortest()? + self.partner_server?)
    }

    /// The number of the last ping.
    #[must_use]
    pub fn last_ping(&self) -> u64 {
        self.beats().map_or(0, beat::Beats::last)
    }

    /// The server knows the pairing by another name now.
    pub const fn rename(&mut self, pairing: PairingId, initiator: bool) {
        self.pairing = pairing;
        self.initiator = initiator;
    }

    /// Takes note of what happened.
    pub fn handle(&mut self, input: Input, now: Instant) {
        match input {
            Input::Signalled(signal) => self.signalled(signal, now),
            Input::Link(link, event) if self.link() == Some(link) => self.reported(event, now),
            Input::Link(..) => {} // Of a connection that is no more.
            Input::Relay(is_there) => self.set_relay(is_there, now),
            Input::ServerAnswered(time) => self.server.note(time),
            Input::AddressesChanged if self.is_alive() => {} // If not for long, it falls silent.
            Input::NetworkChanged | Input::AddressesChanged => self.network_changed(now),
            Input::Ended => self.end(now),
            Input::Timeout => {}
        }
        self.keep_time(now);
    }

    /// The next thing to do, if any.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Input::Timeout`] is due, if ever.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let retry = self.retry_at.filter(|_| self.relay && self.link.is_none());
        let link = self.link.as_ref().and_then(Link::poll_timeout);
        let restart = self.link.as_ref().and_then(|link| link.restart);
        let restart = restart.map(|(at, _)| at).filter(|_| self.relay);
        let choice = self.choice.poll_timeout(self.is_alive());
        [retry, link, restart, choice].into_iter().flatten().min()
    }

    fn beats(&self) -> Option<&beat::Beats> {
        self.link.as_ref()?.channel.as_ref()
    }

    /// Whether heartbeats return on both sides, whatever carries at present.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.beats().is_some_and(beat::Beats::is_alive)
    }

    fn command(&mut self, command: LinkCommand) {
        if let Some(link) = self.link() {
            self.outputs.push_back(Output::Link(link, command));
        }
    }

    fn signal(&mut self, attempt: u64, step: Step) {
        if self.relay {
            self.outputs.push_back(Output::Signal(Signal::new(attempt, step)));
        }
    }

    /// What the host reports of the present connection.
    fn reported(&mut self, event: LinkEvent, now: Instant) {
        match event {
            LinkEvent::Described(attempt, sdp) => self.described(attempt, sdp),
            LinkEvent::Gathered(candidate) => self.gathered(candidate),
            LinkEvent::Opened => {
                if let Some(link) = &mut self.link
                    && link.channel.is_none()
                {
                    let PathConfig { beat_interval, beat_timeout, .. } = self.config;
                    link.channel = Some(beat::Beats::new(beat_interval, beat_timeout, now));
                }
            }
            LinkEvent::Beat(beat) => self.beat(&beat, now),
            LinkEvent::Heard => {
                if let Some(beats) = self.link.as_mut().and_then(|link| link.channel.as_mut()) {
                    beats.heard(now);
                }
            }
            LinkEvent::Closed => self.lost(now),
        }
    }

    fn beat(&mut self, beat: &Beat, now: Instant) {
        let Some(beats) = self.link.as_mut().and_then(|link| link.channel.as_mut()) else {
            return;
        };
        beats.received(beat, now);
        self.partner_server = beat.server.map(Duration::from_micros).or(self.partner_server);
        if beat.kind == BeatKind::Ping {
            self.say(BeatKind::Pong, beat.n);
        }
        let direct = self.beats().and_then(beat::Beats::shortest);
        self.choice.measured(direct, self.relay_rtt(), now);
    }

    fn say(&mut self, kind: BeatKind, n: u64) {
        let ok = self.beats().is_some_and(beat::Beats::returns);
        let server = self.server.shortest().and_then(|time| time.as_micros().try_into().ok());
        self.command(LinkCommand::Beat(Beat { kind, n, pairing: self.pairing, ok, server }));
    }

    /// Does what is due, whatever came before.
    fn keep_time(&mut self, now: Instant) {
        let ping = self.link.as_mut().and_then(|link| link.channel.as_mut()?.timeout(now));
        if let Some(n) = ping {
            self.say(BeatKind::Ping, n);
        }
        self.watch_link(now);
        if self.relay && self.link.is_none() && self.retry_at.is_some_and(|at| at <= now) {
            self.begin(now);
        }
        self.choose(now);
    }

    fn choose(&mut self, now: Instant) {
        let alive = self.is_alive();
        let relay = self.relay && self.config.policy != PathPolicy::DirectOnly;
        match self.choice.choose(alive, relay, &self.config, now) {
            Some(Ok(())) => {
                let rtt = self.rtt().unwrap_or_default();
                self.outputs.push_back(Output::Taken { rtt });
            }
            Some(Err(why)) => self.outputs.push_back(Output::Left(why)),
            None => {}
        }
    }

    fn set_relay(&mut self, is_there: bool, now: Instant) {
        let was_there = std::mem::replace(&mut self.relay, is_there);
        if is_there && !was_there && !self.is_alive() {
            // Signals may have been lost with it.
            self.failures = 0;
            self.repeat(now);
        }
    }

    /// What failed did so on another network, this end's or the partner's.
    const fn forgive(&mut self) {
        self.failures = 0;
        self.choice.forgive();
    }

    fn network_changed(&mut self, now: Instant) {
        self.forgive();
        if self.relay {
            self.try_anew(now);
        } else if self.initiator {
            self.retry_at = Some(now); // When the server can be reached.
        }
    }

    fn end(&mut self, now: Instant) {
        self.drop_link(now);
        self.retry_at = None;
        self.relay = false;
    }
}
