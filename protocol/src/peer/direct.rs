//! The direct path of one peer: a `link` makes it, a `path` measures it,
//! and each learns from the other here.
//!
//! No IO, no clock, no randomness: feed it with [`Direct::handle`], carry out what
//! [`Direct::poll_output`] returns, and come back with [`Input::Timeout`] when
//! [`Direct::poll_timeout`] is due.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::{
    link::{self, Attempts, LinkCommand, LinkEvent, LinkId},
    path::{DirectPath, PathConfig, PathPolicy, WhyLeft},
};
use crate::{
    PairingId, Signal,
    wire::{Heartbeat, HeartbeatKind},
};

/// An input.
#[derive(Clone, Debug)]
pub enum Input {
    /// A signal of the partner was received.
    Signalled(Signal),
    /// An event of a link was reported. [`LinkEvent::Received`] counts as a sign of life.
    Link(LinkId, LinkEvent),
    /// A heartbeat was received on a link.
    Heartbeat(LinkId, Heartbeat),
    /// Both peers have a connection to the server, so that signals and frames get through; or not.
    Relay(bool),
    /// The server answered in this time.
    ServerAnswered(Duration),
    /// The application knows that this machine has other addresses than before, and wants the path
    /// made anew.
    NetworkChanged,
    /// The driver has noticed other addresses. A path that is alive is left alone.
    AddressesChanged,
    /// The pairing ended.
    Ended,
    /// A deadline may be due.
    Timeout,
}

/// An output, to be carried out in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Send a signal over the relay.
    Signal(Signal),
    /// Command the driver of a link.
    Link(LinkId, LinkCommand),
    /// Send a heartbeat on a link.
    Heartbeat(LinkId, Heartbeat),
    /// The direct path carries what this peer sends from now on.
    Taken {
        /// The round-trip time as measured so far.
        rtt: Duration,
    },
    /// The direct path no longer carries what this peer sends.
    Left(WhyLeft),
}

/// One peer's half of a direct path. See the [module's page](self).
#[derive(Debug)]
pub struct Direct {
    config: PathConfig,
    /// The pairing as this peer knows it now, for its heartbeats.
    pairing: PairingId,
    /// True while frames get through by the relay.
    relay: bool,
    path: DirectPath,
    link: Attempts,
    outputs: VecDeque<Output>,
}

impl Direct {
    /// The direct path of a pairing that has just been made. The initiator begins at once.
    #[must_use]
    pub fn new(config: PathConfig, pairing: PairingId, initiator: bool, now: Instant) -> Self {
        let config = config.bounded();
        let mut direct = Self {
            config,
            pairing,
            relay: true,
            path: DirectPath::new(),
            link: Attempts::new(config, pairing, initiator, now),
            outputs: VecDeque::new(),
        };
        direct.drain(now);
        direct
    }

    /// Returns true while the direct path carries what this peer sends.
    #[must_use]
    pub const fn carries(&self) -> bool {
        self.path.carries()
    }

    /// Returns true while pings of both peers return, whatever carries at present.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.path.liveness().is_alive
    }

    /// Returns true while there is a channel on which a ping has returned, though it may be silent
    /// now.
    #[must_use]
    pub fn stands(&self) -> bool {
        self.path.liveness().was_proven
    }

    /// Returns the present link.
    #[must_use]
    pub fn link(&self) -> Option<LinkId> {
        self.link.link()
    }

    /// Returns the mean round-trip time of the direct path, if there is one.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.path.rtt()
    }

    /// Returns the shortest recent round-trip time between the two peers over the relay, as far as it
    /// is known.
    #[must_use]
    pub fn relay_rtt(&self) -> Option<Duration> {
        self.path.relay_rtt()
    }

    /// Returns the number of the last ping.
    #[must_use]
    pub fn last_ping(&self) -> u64 {
        self.path.last_ping()
    }

    /// Notes that the partner numbers its attempts, and knows what such a peer asks for.
    pub(super) const fn assume_numbers(&mut self) {
        self.link.assume_numbers();
    }

    /// Notes that the server knows the pairing by another name now.
    pub const fn rename(&mut self, pairing: PairingId, initiator: bool) {
        self.pairing = pairing;
        self.link.set_initiator(initiator);
    }

    /// Notes that frames of the session are sent or received, by whatever path: heartbeats are frequent
    /// while the pairing is used. The next ping may be due at once.
    pub fn used(&mut self, now: Instant) {
        self.path.used(now);
    }

    /// Handles an input.
    pub fn handle(&mut self, input: Input, now: Instant) {
        let life = self.path.liveness();
        match input {
            Input::Signalled(signal) => self.link.signalled(signal, life, now),
            Input::Link(link, event) if self.link() == Some(link) => self.reported(event, now),
            Input::Heartbeat(link, heartbeat) if self.link() == Some(link) => {
                self.heartbeat(&heartbeat, now);
            }
            Input::Link(..) | Input::Heartbeat(..) => {} // Of a link that is no more.
            Input::Relay(is_there) => {
                self.path.used(now); // What took one end's connection may have taken the path.
                self.relay = is_there;
                self.link.set_relay(is_there, life, now);
            }
            Input::ServerAnswered(time) => self.path.server_answered(time),
            // If it is not alive any more, it falls silent soon.
            Input::AddressesChanged if life.is_alive => self.path.used(now),
            Input::NetworkChanged | Input::AddressesChanged => {
                self.path.forgive();
                self.link.network_changed(life, now);
            }
            Input::Ended => {
                self.relay = false;
                self.link.end();
            }
            Input::Timeout => {}
        }
        self.drain(now);
        self.keep_time(now);
    }

    /// Returns the next output, if any.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Returns when [`Input::Timeout`] is due, if ever.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        [self.link.poll_timeout(), self.path.poll_timeout()].into_iter().flatten().min()
    }

    fn reported(&mut self, event: LinkEvent, now: Instant) {
        match event {
            LinkEvent::Described(attempt, sdp) => self.link.described(attempt, sdp),
            LinkEvent::Gathered(candidate) => self.link.gathered(candidate),
            LinkEvent::Opened => self.path.opened(&self.config, now),
            LinkEvent::Received(_) => self.path.heard(now),
            LinkEvent::Heard => {
                self.path.heard(now);
                self.path.used(now);
            }
            LinkEvent::Sent => self.path.used(now),
            LinkEvent::Closed => self.link.lost(self.path.liveness(), now),
        }
    }

    fn heartbeat(&mut self, heartbeat: &Heartbeat, now: Instant) {
        if !self.path.received(heartbeat, now) {
            return;
        }
        if heartbeat.kind == HeartbeatKind::Ping {
            self.send_heartbeat(HeartbeatKind::Pong, heartbeat.n);
        }
        self.path.compare(now);
    }

    fn send_heartbeat(&mut self, kind: HeartbeatKind, n: u64) {
        if let Some(link) = self.link() {
            let heartbeat = self.path.heartbeat(kind, n, self.pairing);
            self.outputs.push_back(Output::Heartbeat(link, heartbeat));
        }
    }

    /// Carries out what the attempts put out.
    fn drain(&mut self, now: Instant) {
        while let Some(output) = self.link.poll_output() {
            match output {
                link::Output::Signal(signal) => self.outputs.push_back(Output::Signal(signal)),
                link::Output::Link(link, command) => {
                    let is_closed = command == LinkCommand::Close;
                    self.outputs.push_back(Output::Link(link, command));
                    if is_closed && self.path.closed(&self.config, now) {
                        self.outputs.push_back(Output::Left(WhyLeft::Closed));
                    }
                }
                link::Output::PartnerIsSilent => self.path.partner_is_silent(),
                link::Output::PartnerMoved => self.path.forgive(),
            }
        }
    }

    /// Does what is due, whatever the input was.
    fn keep_time(&mut self, now: Instant) {
        if let Some(n) = self.path.timeout(now) {
            self.send_heartbeat(HeartbeatKind::Ping, n);
        }
        self.link.watch(self.path.liveness(), now);
        self.drain(now);
        self.link.begin_if_due(now);
        self.drain(now);
        let relay = self.relay && self.config.policy != PathPolicy::DirectOnly;
        match self.path.choose(relay, &self.config, now) {
            Some(Ok(())) => {
                let rtt = self.rtt().unwrap_or_default();
                self.outputs.push_back(Output::Taken { rtt });
            }
            Some(Err(why)) => self.outputs.push_back(Output::Left(why)),
            None => {}
        }
    }
}
