//! Descriptions and candidates: what the driver makes is signalled, what is signalled is handed to
//! the driver, each after the description that it belongs to.

use super::{
    Attempts, LinkCommand,
    present::{Exchange, SdpRole},
};
use crate::{Candidate, Sdp, Step, limits::CANDIDATES};

impl Attempts {
    /// Signals the description that the driver was to make, and the candidates that waited for it.
    pub(in crate::peer) fn described(&mut self, attempt: u64, sdp: Sdp) {
        let wanted = |exchange: &&mut Exchange| exchange.attempt == attempt && !exchange.described;
        let Some(exchange) = self.link.as_mut().map(|link| &mut link.exchange).filter(wanted)
        else {
            return;
        };
        exchange.described = true;
        let early = std::mem::take(&mut exchange.own_early);
        let step = match exchange.role {
            SdpRole::Offerer => Step::Offer(sdp),
            SdpRole::Answerer => Step::Answer(sdp),
        };
        self.signal(attempt, step);
        for candidate in early {
            self.signal(attempt, Step::Candidate(candidate));
        }
    }

    /// Signals a candidate that the driver has found.
    pub(in crate::peer) fn gathered(&mut self, candidate: Candidate) {
        let Some(exchange) = self.link.as_mut().map(|link| &mut link.exchange) else { return };
        if exchange.own_count >= CANDIDATES {
            return;
        }
        exchange.own_count += 1;
        if exchange.described {
            let attempt = exchange.attempt;
            self.signal(attempt, Step::Candidate(candidate));
        } else {
            exchange.own_early.push(candidate);
        }
    }

    /// Accepts the partner's answer, and adds its candidates that waited for it.
    pub(super) fn answered(&mut self, sdp: Sdp) {
        let Some(link) = self.link.as_mut().filter(|link| link.exchange.is_unanswered()) else {
            return;
        };
        if !link.exchange.described {
            return; // It answers an offer that was never sent.
        }
        link.remote_session = Some(sdp.session().to_owned());
        link.exchange.remote_ufrag = Some(sdp.ufrag().to_owned());
        let early = std::mem::take(&mut link.exchange.remote_early);
        let ufrag = sdp.ufrag().to_owned();
        self.command(LinkCommand::Accept(sdp));
        for candidate in early {
            self.add(candidate, &ufrag);
        }
    }

    /// Adds a candidate of the partner, or keeps it until its description was received.
    pub(super) fn candidate(&mut self, candidate: Candidate) {
        let Some(exchange) = self.link.as_mut().map(|link| &mut link.exchange) else { return };
        if !exchange.remote_places.take(&candidate) {
            return;
        }
        match exchange.remote_ufrag.clone() {
            Some(ufrag) => self.add(candidate, &ufrag),
            None => exchange.remote_early.push(candidate),
        }
    }

    fn add(&mut self, candidate: Candidate, ufrag: &str) {
        if candidate.ufrag().is_none_or(|of| of == ufrag) {
            self.command(LinkCommand::Add(candidate));
        }
    }
}
