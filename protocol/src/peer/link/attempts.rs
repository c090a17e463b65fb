//! Attempts: when to begin one, when it has failed, and when to try again.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::{
    LinkCommand, LinkId,
    present::{Exchange, PresentLink, SdpRole},
};
use crate::{
    PairingId, Signal, Step, WhyAnew,
    limits::DIRECT_STEADY,
    peer::path::{Liveness, PathConfig},
    planted::{self, Fault},
};

/// A result of the attempts, to be carried out in this order.
#[derive(Debug)]
pub(in crate::peer) enum Output {
    /// Send a signal over the relay.
    Signal(Signal),
    /// Command the driver of the link. With [`LinkCommand::Close`] the link is no more.
    Link(LinkId, LinkCommand),
    /// The partner says that none of its pings returns.
    PartnerIsSilent,
    /// The partner has other addresses than before.
    PartnerMoved,
}

/// The attempts of one peer at a direct connection.
#[derive(Debug)]
pub(in crate::peer) struct Attempts {
    pub(super) config: PathConfig,
    /// The pairing as it was called when it was made: links are counted under it.
    origin: PairingId,
    pub(super) initiator: bool,
    /// True while signals get through.
    relay: bool,
    /// The highest number of an attempt, of either peer.
    pub(super) attempt: u64,
    /// True once the partner has numbered a signal; simple-peer does not.
    pub(super) numbers: bool,
    /// The time from which the partner may make as many offers at once as ever.
    pub(super) offers_at: Option<Instant>,
    links: u32,
    pub(super) link: Option<PresentLink>,
    /// The time of the next attempt, or `None` if it is not for this peer to begin.
    retry_at: Option<Instant>,
    /// The beginning of the last connection, and of the last restart.
    began_at: Option<Instant>,
    restarted_at: Option<Instant>,
    /// Attempts that failed, or made a path that did not last, since something changed.
    pub(super) failures: u32,
    pub(super) outputs: VecDeque<Output>,
}

impl Attempts {
    /// The attempts of a pairing that has just been made. The initiator begins at once.
    pub(in crate::peer) fn new(
        config: PathConfig,
        pairing: PairingId,
        initiator: bool,
        now: Instant,
    ) -> Self {
        let mut attempts = Self {
            config,
            origin: pairing,
            initiator,
            relay: true,
            attempt: 0,
            numbers: false,
            offers_at: None,
            links: 0,
            link: None,
            retry_at: None,
            began_at: None,
            restarted_at: None,
            failures: 0,
            outputs: VecDeque::new(),
        };
        if initiator {
            attempts.begin(now);
        }
        attempts
    }

    /// Returns the present link.
    pub(in crate::peer) fn link(&self) -> Option<LinkId> {
        self.link.as_ref().map(|link| link.id)
    }

    pub(in crate::peer) const fn set_initiator(&mut self, initiator: bool) {
        self.initiator = initiator;
    }

    pub(in crate::peer) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    pub(in crate::peer) fn poll_timeout(&self) -> Option<Instant> {
        let retry = self.retry_at.filter(|_| self.relay && self.link.is_none());
        let deadline = self.link.as_ref().and_then(|link| link.deadline);
        let restart = self.link.as_ref().and_then(|link| link.restart);
        let restart = restart.map(|(at, _)| at).filter(|_| self.relay);
        [retry, deadline, restart].into_iter().flatten().min()
    }

    pub(super) fn command(&mut self, command: LinkCommand) {
        if let Some(link) = self.link() {
            self.outputs.push_back(Output::Link(link, command));
        }
    }

    pub(super) fn signal(&mut self, attempt: u64, step: Step) {
        if self.relay {
            self.outputs.push_back(Output::Signal(Signal::new(attempt, step)));
        }
    }

    /// Takes the number of this peer's next attempt.
    const fn next_attempt(&mut self) -> u64 {
        let is_odd = self.attempt % 2 == 1;
        self.attempt += if is_odd == self.initiator { 2 } else { 1 };
        self.attempt
    }

    pub(super) fn make_link(
        &mut self,
        exchange: Exchange,
        remote_session: Option<String>,
        now: Instant,
    ) {
        self.drop_link();
        self.links += 1;
        self.retry_at = None;
        self.began_at = Some(now);
        self.link = Some(PresentLink {
            id: LinkId::new(self.origin, self.links),
            remote_session,
            exchange,
            alive_since: None,
            deadline: Some(now + self.config.timeout),
            restart: None,
        });
    }

    fn drop_link(&mut self) {
        if !planted::is(Fault::KeepClosedLink) {
            self.command(LinkCommand::Close);
        }
        self.link = None;
    }

    /// Returns when a partner may make this peer begin anew: not as often as it likes.
    pub(super) fn soonest(&self, now: Instant) -> Instant {
        self.began_at.map_or(now, |began| now.max(began + self.config.retry_min))
    }

    /// Returns the same for a restart.
    pub(super) fn soonest_restart(&self, now: Instant) -> Instant {
        let restarted = self.restarted_at.map(|at| at + self.config.retry_min);
        self.soonest(now).max(restarted.unwrap_or(now))
    }

    /// Leaves the present attempt for one that begins then.
    pub(super) fn begin_at(&mut self, at: Instant) {
        self.drop_link();
        self.retry_at = Some(at);
    }

    /// Begins a fresh connection.
    fn begin(&mut self, now: Instant) {
        let attempt = self.next_attempt();
        self.make_link(Exchange::new(SdpRole::Offerer, attempt), None, now);
        self.command(LinkCommand::Offer(attempt));
    }

    /// Begins the next attempt if it is time.
    pub(in crate::peer) fn begin_if_due(&mut self, now: Instant) {
        if self.relay && self.link.is_none() && self.retry_at.is_some_and(|at| at <= now) {
            self.begin(now);
        }
    }

    /// Begins to find other addresses for the present connection.
    fn restart(&mut self, now: Instant) {
        let attempt = self.next_attempt();
        if let Some(link) = &mut self.link {
            link.exchange = Exchange::new(SdpRole::Offerer, attempt);
            link.restart = None;
            link.deadline = Some(now + self.config.timeout);
            self.restarted_at = Some(now);
            self.command(LinkCommand::Restart(attempt));
        }
    }

    /// Notes that this peer's network changed: tries again, or has the initiator do so. The partner
    /// learns it in either case.
    pub(in crate::peer) fn network_changed(&mut self, life: Liveness, now: Instant) {
        self.failures = 0;
        self.report(WhyAnew::Changed);
        if !self.relay {
            if self.initiator {
                self.retry_at = Some(now); // Once the server can be reached.
            }
        } else if !self.initiator {
            // The initiator begins.
        } else if life.is_open {
            self.restart(now);
        } else {
            self.begin(now);
        }
    }

    /// Notes that the partner numbers its attempts, and knows what such a peer asks for.
    pub(in crate::peer) const fn assume_numbers(&mut self) {
        self.numbers = true;
    }

    /// Notes whether signals get through.
    pub(in crate::peer) fn set_relay(&mut self, is_there: bool, life: Liveness, now: Instant) {
        let was_there = std::mem::replace(&mut self.relay, is_there);
        if is_there && !was_there && !life.is_alive {
            // Signals may have been lost with it.
            self.failures = 0;
            self.repeat(life, now);
        }
    }

    /// Repeats what lost signals were for.
    fn repeat(&mut self, life: Liveness, now: Instant) {
        let at = self.soonest_restart(now);
        match &mut self.link {
            // Its restart may still be to come.
            Some(link) if life.was_alive => {
                link.restart.get_or_insert((at, WhyAnew::Silent));
            }
            // A partner that comes and goes is not to cost a connection each time.
            _ if self.initiator => self.begin_at(self.soonest(now)),
            _ => self.ask(WhyAnew::Changed),
        }
    }

    /// Asks the initiator to offer anew, if it is one that understands.
    fn ask(&mut self, why: WhyAnew) {
        if !self.initiator {
            self.report(why);
        }
    }

    fn report(&mut self, why: WhyAnew) {
        if self.numbers {
            self.signal(self.attempt, Step::Renegotiate(Some(why)));
        }
    }

    /// Looks after the present link: whether it has succeeded, is silent, or took too long.
    pub(in crate::peer) fn watch(&mut self, life: Liveness, now: Instant) {
        let Some(link) = &mut self.link else { return };
        if life.is_alive {
            // A restart that is never answered does no harm.
            link.deadline = link.deadline.filter(|at| link.exchange.is_unanswered() && *at > now);
            let since = *link.alive_since.get_or_insert(now);
            if since + DIRECT_STEADY <= now {
                self.failures = 0;
            }
            link.restart = link.restart.filter(|(_, why)| *why != WhyAnew::Silent);
            return self.restart_if_due(now);
        }
        if link.alive_since.take().is_some() {
            // It has just fallen silent, and may come back by itself.
            link.deadline = Some(now + self.config.timeout);
            link.restart.get_or_insert((now + self.config.restart_after, WhyAnew::Silent));
            if life.is_open && !life.returns {
                self.report(WhyAnew::Silent);
            }
        }
        if planted::is(Fault::RepeatSilent) && life.is_open {
            self.report(WhyAnew::Silent);
        }
        let Some(link) = &self.link else { return };
        if link.deadline.is_some_and(|deadline| deadline <= now) {
            return self.lost(life, now);
        }
        self.restart_if_due(now);
    }

    fn restart_if_due(&mut self, now: Instant) {
        let Some(link) = self.link.as_mut().filter(|_| self.relay) else { return };
        if link.restart.take_if(|(at, _)| *at <= now).is_none() {
            return;
        }
        if self.initiator {
            self.restart(now);
        } else {
            self.ask(WhyAnew::Silent);
        }
    }

    /// Gives the present link up, and plans the next attempt.
    pub(in crate::peer) fn lost(&mut self, life: Liveness, now: Instant) {
        self.drop_link();
        if !self.initiator {
            return self.ask(WhyAnew::Closed);
        }
        self.failures += 1;
        if planted::is(Fault::NeverRetry) {
            return;
        }
        self.retry_at = Some(if life.was_proven && self.failures == 1 {
            self.soonest(now) // It worked a moment ago.
        } else {
            now + self.delay()
        });
    }

    /// Closes the link and ends all attempts.
    pub(in crate::peer) fn end(&mut self) {
        self.drop_link();
        self.retry_at = None;
        self.relay = false;
    }

    /// Returns the wait after so many failures: it doubles each time, with jitter, so that peers that
    /// failed together do not try again together.
    fn delay(&self) -> Duration {
        let doublings = (self.failures - 1).min(16);
        let delay = self.config.retry_min.saturating_mul(1 << doublings);
        let delay = delay.min(self.config.retry_max);
        // Between three and five quarters, by the pairing and the attempt.
        delay * 3 / 4 + delay * (spread(self.origin.seed() ^ self.attempt) % 1024) / 2048
    }
}

/// Returns a number that looks random (the last step of SplitMix64).
const fn spread(seed: u64) -> u32 {
    let mut x = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (x >> 33) as u32
}
