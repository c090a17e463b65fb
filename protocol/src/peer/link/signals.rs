//! Signals of the partner: its offers, glare, and its requests to offer anew.

use std::time::Instant;

use super::{
    Attempts, LinkCommand, Output,
    present::{Exchange, PresentLink, SdpRole},
};
use crate::{
    Sdp, Signal, Step, WhyAnew, limits::OFFERS, peer::path::Liveness, wire::signal::ATTEMPT_MAX,
};

/// The largest number of an attempt that the partner may begin. As many are left after it.
const OFFER_MAX: u64 = ATTEMPT_MAX / 2;

impl Attempts {
    pub(in crate::peer) fn signalled(&mut self, signal: Signal, life: Liveness, now: Instant) {
        let Signal { attempt, step } = signal;
        self.numbers |= attempt.is_some();
        match step {
            Step::Offer(sdp) => self.offered(attempt, &sdp, life, now),
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
                // A request from before the present attempt is granted already. If none is under
                // way, the offer of the last may have been lost.
                let is_new = attempt.is_some_and(|attempt| match self.link {
                    Some(_) => attempt == self.attempt,
                    None => attempt <= self.attempt,
                });
                if is_new {
                    self.asked(why, life, now);
                }
            }
            Step::Renegotiate(None) | Step::End | Step::Other => {}
        }
    }

    /// Returns true if a signal belongs to the present attempt: one without a number may.
    fn is_present(&self, attempt: Option<u64>) -> bool {
        let present = self.link.as_ref().map(|link| link.exchange.attempt);
        present.is_some_and(|present| attempt.is_none_or(|attempt| attempt == present))
    }

    fn offered(&mut self, attempt: Option<u64>, sdp: &Sdp, life: Liveness, now: Instant) {
        let is_old = match attempt {
            // Those of this peer's parity are its own, and further ones need room.
            Some(attempt) => {
                let is_own = (attempt % 2 == 1) == self.initiator;
                attempt <= self.attempt || attempt > OFFER_MAX || is_own
            }
            None => self.link.as_ref().is_some_and(|link| {
                link.exchange.role == SdpRole::Answerer
                    && link.exchange.remote_ufrag.as_deref() == Some(sdp.ufrag())
            }),
        };
        if is_old {
            return;
        }
        // Glare: both have offered. The initiator waits for its answer, unless its offer is for a
        // connection that its partner has left for another.
        let waits = |link: &PresentLink| {
            let is_other = link.remote_session.as_deref().is_some_and(|id| id != sdp.session());
            link.exchange.is_unanswered() && !is_other
        };
        if self.initiator && self.link.as_ref().is_some_and(waits) || !self.may_offer(now) {
            return;
        }
        self.attempt = match attempt {
            Some(attempt) => attempt,
            // As if the partner had numbered it.
            None => self.attempt + 1 + u64::from(self.attempt.is_multiple_of(2) == self.initiator),
        };
        let mut exchange = Exchange::new(SdpRole::Answerer, self.attempt);
        exchange.remote_ufrag = Some(sdp.ufrag().to_owned());
        let same = |link: &&mut PresentLink| {
            life.is_open && link.remote_session.as_deref() == Some(sdp.session())
        };
        if let Some(link) = self.link.as_mut().filter(same) {
            link.exchange = exchange;
            link.deadline = Some(now + self.config.timeout);
        } else {
            self.make_link(exchange, Some(sdp.session().to_owned()), now);
        }
        self.command(LinkCommand::Answer(self.attempt, sdp.clone()));
    }

    /// Counts an offer of the partner. Returns false if there were too many.
    fn may_offer(&mut self, now: Instant) -> bool {
        let each = self.config.retry_min;
        let from = self.offers_at.map_or(now, |at| at.max(now));
        let may = from + each <= now + each * OFFERS;
        if may {
            self.offers_at = Some(from + each);
        }
        may
    }

    /// Does what the partner asks: it finds the path silent, or, as the one that does not offer,
    /// wants another attempt than the present one.
    fn asked(&mut self, why: WhyAnew, life: Liveness, now: Instant) {
        match why {
            WhyAnew::Closed if self.initiator && self.link.is_some() => self.lost(life, now),
            WhyAnew::Closed => {}
            // Both leave the path together: what the end that still hears the other says may not
            // get through.
            WhyAnew::Silent => self.outputs.push_back(Output::PartnerIsSilent),
            // A reason of another version: the partner wants a new offer.
            WhyAnew::Changed | WhyAnew::Other(_) => {
                self.failures = 0;
                self.outputs.push_back(Output::PartnerMoved);
                if !self.initiator {
                    return; // The offer of the initiator follows.
                }
                if life.was_proven {
                    let at = self.soonest_restart(now);
                    if let Some(link) = &mut self.link {
                        link.restart = Some((at, WhyAnew::Changed));
                    }
                } else {
                    self.begin_at(self.soonest(now));
                }
            }
        }
    }
}
