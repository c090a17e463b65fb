//! Descriptions and candidates, both ways.

use socketio_p2p_protocol::{Candidate, Sdp, Signal, Step};

use super::super::channel::DirectChannel;
use super::super::error::DirectEnd;
use super::super::event::DirectEvent;
use super::super::message::ChannelOptions;
use super::super::role::Role;
use super::super::signal::{Request, is_local_name, is_usable, own_answer, own_offer};
use super::{ConnectionActor, OpeningOutcome};

/// The name of the main channel. The partner's first channel is the main one, whatever its name.
const MAIN: &str = "socketio-p2p";

impl ConnectionActor {
    /// Opens the main channel and makes an offer to the partner.
    pub(super) async fn offer(&mut self) -> Result<(), DirectEnd> {
        let channel =
            self.connection.open(MAIN, ChannelOptions::default()).await.map_err(failed)?;
        let main = DirectChannel::main(channel, MAIN.to_owned(), self.channels.clone());
        self.openings.push(Box::pin(async move {
            // If it fails, so does the connection, which reports that itself.
            if main.opened().await.is_err() {
                std::future::pending::<()>().await;
            }
            OpeningOutcome::Main(main)
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
            (Request::Offer(offer), Role::Answerer) if !self.is_described => {
                let answer = self.connection.answer(offer.without_candidates()).await;
                let answer = answer.map_err(refused)?;
                self.described_by(&offer);
                // webrtc repeats what it does not know of a strange offer.
                let answer = in_turn(&offer, answer);
                let answer =
                    own_answer(&answer, self.connection.udp_buffer(), &offer).map_err(refused)?;
                self.names_section(&answer);
                // Before this end's candidates, which wait in webrtc's events.
                self.report(DirectEvent::Signal(answer));
                self.try_candidates().await;
            }
            (Request::Answer(answer), Role::Offerer) if !self.is_described => {
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

    fn described_by(&mut self, partner: &Sdp) {
        self.is_described = true;
        self.candidates.retain(|candidate| partner.concerns(candidate));
        self.partner = Some(partner.clone());
        self.channels.described_by(partner);
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
        if !self.is_described {
            return;
        }
        for candidate in std::mem::take(&mut self.candidates) {
            if let Err(error) = self.connection.add(&candidate).await {
                let is_local_name = is_local_name(candidate.address());
                tracing::debug!(%error, is_local_name, "ignored a candidate");
            }
        }
    }

    /// Remembers the name and the place of the data channel section in a description of this end.
    fn names_section(&mut self, own: &Signal) {
        if let Step::Offer(sdp) | Step::Answer(sdp) = &own.step {
            sdp.mid().clone_into(&mut self.mid);
            self.index = sdp.index();
        }
    }

    /// Reports a candidate of this end.
    pub(super) fn gathered(&mut self, candidate: Candidate) {
        let named = Candidate::new(candidate.as_str(), Some(&self.mid), Some(self.index));
        let candidate = named.unwrap_or(candidate);
        let step = Step::Candidate(candidate);
        self.report(DirectEvent::Signal(Signal { attempt: None, step }));
    }
}

/// Returns the answer with the DTLS role that an offer leaves: webrtc 0.21 writes the role that it prefers.
fn in_turn(offer: &Sdp, answer: String) -> String {
    let is_passive = offer.as_str().lines().any(|line| line == "a=setup:passive");
    if is_passive { answer.replace("a=setup:passive", "a=setup:active") } else { answer }
}

fn failed(error: impl std::error::Error) -> DirectEnd {
    DirectEnd::Stack(error.to_string())
}

fn refused(error: impl std::error::Error) -> DirectEnd {
    tracing::debug!(%error, "the partner's description was refused");
    DirectEnd::Refused
}
