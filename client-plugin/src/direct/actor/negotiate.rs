//! Descriptions and candidates, both ways.

use socketio_p2p_protocol::{Candidate, CandidatePlaces, Sdp, Signal, Step};

use super::super::channel::DirectChannel;
use super::super::error::DirectEnd;
use super::super::event::DirectEvent;
use super::super::message::{ChannelOptions, ChannelTerms};
use super::super::role::Role;
use super::super::signal::{Request, is_local_name, is_usable, own_answer, own_offer};
use super::{ConnectionActor, OpeningOutcome};

/// The name of the main channel. A partner may give it another one.
const MAIN: &str = "socketio-p2p";

impl ConnectionActor {
    /// Opens the main channel and makes an offer to the partner.
    pub(super) async fn offer(&mut self) -> Result<(), DirectEnd> {
        let channel =
            self.connection.open(MAIN, ChannelOptions::default()).await.map_err(failed)?;
        let terms =
            ChannelTerms { label: MAIN.to_owned(), protocol: String::new(), is_ordered: true };
        let main = DirectChannel::main(channel, terms, self.channels.clone());
        self.openings.push(Box::pin(async move {
            match main.opened().await {
                Ok(()) => OpeningOutcome::Main(main),
                Err(_) => OpeningOutcome::MainClosed,
            }
        }));
        let sdp = self.connection.offer().await.map_err(failed)?;
        let offer = own_offer(&sdp, self.connection.udp_buffer()).map_err(failed)?;
        self.names_section(&offer);
        self.report(DirectEvent::Signal(offer));
        Ok(())
    }

    /// Handles a signal of the partner.
    pub(super) async fn signalled(&mut self, request: Request) -> Result<(), DirectEnd> {
        match (request, self.role) {
            (Request::Offer(offer), role) if self.is_described() || role == Role::Answerer => {
                if self.partner.as_ref().is_some_and(|before| before.ufrag() != offer.ufrag()) {
                    self.connection.restarted();
                }
                let answer = self.connection.answer(offer.without_candidates()).await;
                let answer = answer.map_err(refused)?;
                self.described_by(&offer);
                let answer = self.in_turn(answer);
                let answer =
                    own_answer(&answer, self.connection.udp_buffer(), &offer).map_err(refused)?;
                self.names_section(&answer);
                // Before this side's candidates, which wait in webrtc's events.
                self.report(DirectEvent::Signal(answer));
                self.try_candidates().await;
            }
            (Request::Answer(answer), Role::Offerer) if !self.is_described() => {
                self.connection.answered(answer.without_candidates()).await.map_err(refused)?;
                self.described_by(&answer);
                self.try_candidates().await;
            }
            (Request::Candidate(candidate), _) => {
                self.keep(candidate);
                self.try_candidates().await;
            }
            (Request::Nothing, _) => {}
            (Request::Offer(_) | Request::Answer(_), role) => {
                tracing::debug!(?role, "ignored an unexpected description");
            }
        }
        Ok(())
    }

    const fn is_described(&self) -> bool {
        self.partner.is_some()
    }

    /// Puts a description of the partner in the place of the one before. What the first one states of the channels
    /// holds for good.
    fn described_by(&mut self, partner: &Sdp) {
        match &self.partner {
            None => {
                self.channels.described_by(partner);
                self.is_dtls_client = says(partner, "a=setup:passive");
            }
            Some(before) if before.ufrag() != partner.ufrag() => {
                self.places = CandidatePlaces::of_partner(self.connection.addresses());
            }
            Some(_) => {}
        }
        self.candidates.retain(|candidate| {
            partner.concerns(candidate) && candidate.ufrag().is_none_or(|it| it == partner.ufrag())
        });
        self.partner = Some(partner.clone());
        for candidate in partner.candidates().iter().filter(|candidate| is_usable(candidate)) {
            self.keep(candidate.clone());
        }
    }

    fn keep(&mut self, candidate: Candidate) {
        let is_of_media = |partner: &Sdp| !partner.concerns(&candidate);
        if !self.partner.as_ref().is_some_and(is_of_media) && self.places.take(&candidate) {
            self.candidates.push(candidate);
        }
    }

    /// Tries the candidates that were kept, once there is a description to which they belong.
    async fn try_candidates(&mut self) {
        let Some(partner) = &self.partner else { return };
        let is_present =
            |candidate: &Candidate| candidate.ufrag().is_none_or(|it| it == partner.ufrag());
        let (present, later) =
            std::mem::take(&mut self.candidates).into_iter().partition(is_present);
        self.candidates = later;
        let present: Vec<Candidate> = present;
        for candidate in present {
            if let Err(error) = self.connection.add(&candidate).await {
                let is_local_name = is_local_name(candidate.address());
                tracing::debug!(%error, is_local_name, "ignored a candidate");
            }
        }
    }

    /// Returns an answer of webrtc's with the DTLS role that this side has: webrtc 0.21 writes the role that it
    /// prefers, also if an offer leaves the other one, or the connection stands.
    fn in_turn(&self, answer: String) -> String {
        if self.is_dtls_client {
            answer.replace("a=setup:passive", "a=setup:active")
        } else {
            answer
        }
    }

    /// Remembers the name and the place of the data channel section in a description of this side.
    fn names_section(&mut self, own: &Signal) {
        if let Step::Offer(sdp) | Step::Answer(sdp) = &own.step {
            sdp.mid().clone_into(&mut self.mid);
            self.index = sdp.index();
        }
    }

    /// Reports a candidate of this side.
    pub(super) fn gathered(&mut self, candidate: Candidate) {
        let named = Candidate::new(candidate.as_str(), Some(&self.mid), Some(self.index));
        let candidate = named.unwrap_or(candidate);
        let step = Step::Candidate(candidate);
        self.report(DirectEvent::Signal(Signal { attempt: None, step }));
    }
}

/// Returns whether a description has this line.
fn says(description: &Sdp, line: &str) -> bool {
    description.as_str().lines().any(|other| other == line)
}

fn failed(error: impl std::error::Error) -> DirectEnd {
    DirectEnd::Stack(error.to_string())
}

fn refused(error: impl std::error::Error) -> DirectEnd {
    tracing::debug!(%error, "the partner's description was refused");
    DirectEnd::Refused
}
