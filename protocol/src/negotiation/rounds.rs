//! Attempts: beginning, signals of both ends, failing, and trying again.

use std::time::{Duration, Instant};

use super::{
    LinkCommand, LinkId, Negotiation, Output, WhyLeft,
    beat::Beats,
    link::{Link, Role, Round},
};
use crate::{
    Candidate, Sdp, Signal, Step, WhyAnew,
    limits::{CANDIDATES, DIRECT_STEADY},
};

/// Offers that a partner may make at once; then one in the time after which a failed attempt is
/// tried again. Each may cost a connection.
const OFFERS: u32 = 8;

impl Negotiation {
    /// The number of this end's next attempt.
    const fn next_attempt(&mut self) -> u64 {
        let is_odd = self.attempt % 2 == 1;
        self.attempt += if is_odd == self.initiator { 2 } else { 1 };
        self.attempt
    }

    fn make_link(&mut self, round: Round, remote_session: Option<String>, now: Instant) {
        self.drop_link(now);
        self.links += 1;
        self.retry_at = None;
        self.began_at = Some(now);
        self.link = Some(Link {
            id: LinkId { pairing: self.origin, serial: self.links },
            remote_session,
            round,
            channel: None,
            alive_since: None,
            deadline: Some(now + self.config.timeout),
            restart: None,
        });
    }

    pub(super) fn drop_link(&mut self, now: Instant) {
        self.command(LinkCommand::Close);
        self.link = None;
        if self.choice.closed(&self.config, now) {
            self.outputs.push_back(Output::Left(WhyLeft::Closed));
        }
    }

    /// When a partner may make this end begin anew: not as often as it likes.
    pub(super) fn soonest(&self, now: Instant) -> Instant {
        self.began_at.map_or(now, |began| now.max(began + self.config.retry_min))
    }

    /// The same of a restart.
    fn soonest_restart(&self, now: Instant) -> Instant {
        let restarted = self.restarted_at.map(|at| at + self.config.retry_min);
        self.soonest(now).max(restarted.unwrap_or(now))
    }

    /// Leaves the present attempt for one that begins then.
    pub(super) fn begin_at(&mut self, at: Instant, now: Instant) {
        self.drop_link(now);
        self.retry_at = Some(at);
    }

    /// Begins a fresh connection.
    pub(super) fn begin(&mut self, now: Instant) {
        let attempt = self.next_attempt();
        self.make_link(Round::new(Role::Offerer, attempt), None, now);
        self.command(LinkCommand::Offer(attempt));
    }

    /// Begins to find other addresses for the present connection.
    fn restart(&mut self, now: Instant) {
        let attempt = self.next_attempt();
        if let Some(link) = &mut self.link {
            link.round = Round::new(Role::Offerer, attempt);
            link.restart = None;
            link.deadline = Some(now + self.config.timeout);
            self.restarted_at = Some(now);
            self.command(LinkCommand::Restart(attempt));
        }
    }

    /// Something changed: tries again, or has the initiator do so.
    pub(super) fn try_anew(&mut self, now: Instant) {
        let has_channel = self.link.as_ref().is_some_and(|link| link.channel.is_some());
        if !self.initiator {
            self.ask(WhyAnew::Changed);
        } else if has_channel {
            self.restart(now);
        } else {
            self.begin(now);
        }
    }

    /// Signals may have been lost: what they were for is done again.
    pub(super) fn repeat(&mut self, now: Instant) {
        let at = self.soonest_restart(now);
        match &mut self.link {
            // It may be that its restart is still to come.
            Some(link) if link.was_alive() => {
                link.restart.get_or_insert((at, WhyAnew::Silent));
            }
            // A partner that comes and goes is not to cost a connection each time.
            _ if self.initiator => self.begin_at(self.soonest(now), now),
            _ => self.ask(WhyAnew::Changed),
        }
    }

    /// Asks the initiator to offer anew, if it is one that understands.
    fn ask(&mut self, why: WhyAnew) {
        if !self.initiator {
            self.tell(why);
        }
    }

    fn tell(&mut self, why: WhyAnew) {
        if self.numbers {
            self.signal(self.attempt, Step::Renegotiate(Some(why)));
        }
    }

    pub(super) fn signalled(&mut self, signal: Signal, now: Instant) {
        let Signal { attempt, step } = signal;
        self.numbers |= attempt.is_some();
        match step {
            Step::Offer(sdp) => self.offered(attempt, &sdp, now),
            Step::Answer(sdp) => {
                if self.is_present(attempt) {
                    self.answered(sdp);
                }
            }
            Step::Candidate(candidate) => {
                if self.is_present(attempt) {
                    self.candidate(candidate);
                }
            }
            Step::Renegotiate(Some(why)) => {
                // What was asked before the present attempt is granted already. If none is under
                // way, the offer of the last may have been lost.
                let is_new = attempt.is_some_and(|attempt| match self.link {
                    Some(_) => attempt == self.attempt,
                    None => attempt <= self.attempt,
                });
                if is_new && (self.initiator || why == WhyAnew::Silent) {
                    self.asked(why, now);
                }
            }
            Step::Renegotiate(None) | Step::End | Step::Other => {}
        }
    }

    /// Whether a signal belongs to the present attempt: those without a number may.
    fn is_present(&self, attempt: Option<u64>) -> bool {
        let present = self.link.as_ref().map(|link| link.round.attempt);
        present.is_some_and(|present| attempt.is_none_or(|attempt| attempt == present))
    }

    fn offered(&mut self, attempt: Option<u64>, sdp: &Sdp, now: Instant) {
        let is_old = match attempt {
            // Those of this end's parity are its own.
            Some(attempt) => attempt <= self.attempt || (attempt % 2 == 1) == self.initiator,
            None => self.link.as_ref().is_some_and(|link| {
                link.round.role == Role::Answerer
                    && link.round.remote_ufrag.as_deref() == Some(sdp.ufrag())
            }),
        };
        if is_old {
            return;
        }
        // Glare: both have offered. The initiator waits for its answer, unless its offer is for a
        // connection that its partner has left for another.
        let waits = |link: &Link| {
            let is_other = link.remote_session.as_deref().is_some_and(|id| id != sdp.session());
            link.round.is_unanswered() && !is_other
        };
        if self.initiator && self.link.as_ref().is_some_and(waits) || !self.may_offer(now) {
            return;
        }
        self.attempt = match attempt {
            Some(attempt) => attempt,
            // As if the partner had numbered it.
            None => self.attempt + 1 + u64::from(self.attempt.is_multiple_of(2) == self.initiator),
        };
        let mut round = Round::new(Role::Answerer, self.attempt);
        round.remote_ufrag = Some(sdp.ufrag().to_owned());
        let same = |link: &&mut Link| {
            link.channel.is_some() && link.remote_session.as_deref() == Some(sdp.session())
        };
        if let Some(link) = self.link.as_mut().filter(same) {
            link.round = round;
            link.deadline = Some(now + self.config.timeout);
        } else {
            self.make_link(round, Some(sdp.session().to_owned()), now);
        }
        self.command(LinkCommand::Answer(self.attempt, sdp.clone()));
    }

    /// Whether the partner has not offered too often.
    fn may_offer(&mut self, now: Instant) -> bool {
        let each = self.config.retry_min;
        let from = self.offers_at.map_or(now, |at| at.max(now));
        let may = from + each <= now + each * OFFERS;
        if may {
            self.offers_at = Some(from + each);
        }
        may
    }

    fn answered(&mut self, sdp: Sdp) {
        let Some(link) = self.link.as_mut().filter(|link| link.round.is_unanswered()) else {
            return;
        };
        if !link.round.described {
            return; // It answers an offer that was never sent.
        }
        link.remote_session = Some(sdp.session().to_owned());
        link.round.remote_ufrag = Some(sdp.ufrag().to_owned());
        let early = std::mem::take(&mut link.round.their_early);
        let ufrag = sdp.ufrag().to_owned();
        self.command(LinkCommand::Accept(sdp));
        for candidate in early {
            self.add(candidate, &ufrag);
        }
    }

    fn candidate(&mut self, candidate: Candidate) {
        let Some(link) = &mut self.link else { return };
        if link.round.theirs >= CANDIDATES {
            return;
        }
        link.round.theirs += 1;
        match link.round.remote_ufrag.clone() {
            Some(ufrag) => self.add(candidate, &ufrag),
            None => link.round.their_early.push(candidate),
        }
    }

    fn add(&mut self, candidate: Candidate, ufrag: &str) {
        if candidate.ufrag().is_none_or(|of| of == ufrag) {
            self.command(LinkCommand::Add(candidate));
        }
    }

    /// The partner finds the path silent; or, who does not offer itself, wants another attempt than the
    /// present one.
    fn asked(&mut self, why: WhyAnew, now: Instant) {
        let is_proven = self.beats().is_some_and(Beats::was_proven);
        match why {
            WhyAnew::Closed if self.link.is_some() => self.lost(now),
            WhyAnew::Closed => {}
            WhyAnew::Changed if is_proven => {
                self.forgive();
                let at = self.soonest_restart(now);
                if let Some(link) = &mut self.link {
                    link.restart = Some((at, why));
                }
            }
            // Left by both together: what the one that still hears the other says may not get through.
            WhyAnew::Silent => {
                if let Some(beats) = self.link.as_mut().and_then(|link| link.channel.as_mut()) {
                    beats.partner_is_silent();
                }
            }
            WhyAnew::Changed => {
                self.forgive();
                self.begin_at(self.soonest(now), now);
            }
        }
    }

    /// The description that the host was to make.
    pub(super) fn described(&mut self, attempt: u64, sdp: Sdp) {
        let wanted = |round: &&mut Round| round.attempt == attempt && !round.described;
        let Some(round) = self.link.as_mut().map(|link| &mut link.round).filter(wanted) else {
            return;
        };
        round.described = true;
        let early = std::mem::take(&mut round.own_early);
        let step = match round.role {
            Role::Offerer => Step::Offer(sdp),
            Role::Answerer => Step::Answer(sdp),
        };
        self.signal(attempt, step);
        for candidate in early {
            self.signal(attempt, Step::Candidate(candidate));
        }
    }

    /// A candidate that the host has found.
    pub(super) fn gathered(&mut self, candidate: Candidate) {
        let Some(Link { round, .. }) = &mut self.link else { return };
        if round.own >= CANDIDATES {
            return;
        }
        round.own += 1;
        if round.described {
            let attempt = round.attempt;
            self.signal(attempt, Step::Candidate(candidate));
        } else {
            round.own_early.push(candidate);
        }
    }

    /// Looks after the present connection: what has succeeded, what is silent, what took too long.
    pub(super) fn watch_link(&mut self, now: Instant) {
        let alive = self.is_alive();
        let Some(link) = &mut self.link else { return };
        if alive {
            // A restart that is never answered does no harm.
            link.deadline = link.deadline.filter(|at| link.round.is_unanswered() && *at > now);
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
            if link.channel.as_ref().is_some_and(|beats| !beats.returns()) {
                self.tell(WhyAnew::Silent);
            }
        }
        let Some(link) = &self.link else { return };
        if link.deadline.is_some_and(|deadline| deadline <= now) {
            return self.lost(now);
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

    /// The present connection is of no use any more.
    pub(super) fn lost(&mut self, now: Instant) {
        let was_proven = self.beats().is_some_and(Beats::was_proven);
        self.drop_link(now);
        if !self.initiator {
            return self.ask(WhyAnew::Closed);
        }
        self.failures += 1;
        self.retry_at = Some(if was_proven && self.failures == 1 {
            self.soonest(now) // It worked a moment ago.
        } else {
            now + self.delay()
        });
    }

    /// How long to wait after so many failures: twice as long each time, and not at the same moment
    /// as others who failed together.
    fn delay(&self) -> Duration {
        let doublings = (self.failures - 1).min(16);
        let delay = self.config.retry_min.saturating_mul(1 << doublings);
        let delay = delay.min(self.config.retry_max);
        // Between three and five quarters, by the pairing and the attempt.
        delay * 3 / 4 + delay * (spread(self.origin.seed() ^ self.attempt) % 1024) / 2048
    }
}

/// A number that looks like chance (the last step of SplitMix64).
const fn spread(seed: u64) -> u32 {
    let mut x = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (x >> 33) as u32
}
