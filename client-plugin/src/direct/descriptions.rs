//! The partner's descriptions that are taken: the first one, and later offers of the same session.

use socketio_p2p_protocol::Sdp;

use super::role::Role;
use super::signal::Request;

/// Later offers that are taken: each has this side gather its candidates again.
const LATER_OFFERS: usize = 64;

/// The partner's descriptions that were taken.
#[derive(Debug, Default)]
pub(crate) struct Descriptions {
    last: Option<Sdp>,
    later_offers: usize,
}

impl Descriptions {
    /// Returns whether this side, which has this role, takes a description now.
    pub(crate) fn takes(&self, own: Role, request: &Request) -> bool {
        match (request, &self.last) {
            (Request::Offer(_), None) => own == Role::Answerer,
            (Request::Answer(_), None) => own == Role::Offerer,
            (Request::Offer(offer), Some(last)) => {
                self.later_offers < LATER_OFFERS && is_of_one_session(offer, last)
            }
            (Request::Answer(_), Some(_)) => false,
            (Request::Candidate(_) | Request::Nothing, _) => true,
        }
    }

    /// Records a request that was taken.
    pub(crate) fn taken(&mut self, request: &Request) {
        if let Request::Offer(sdp) | Request::Answer(sdp) = request {
            self.later_offers += usize::from(self.last.is_some());
            self.last = Some(sdp.clone());
        }
    }
}

/// Returns whether a partner describes one session by both: werift and aiortc number each description as a session of
/// its own, and keep the user name unless they restart ICE.
fn is_of_one_session(one: &Sdp, other: &Sdp) -> bool {
    one.session() == other.session() || one.ufrag() == other.ufrag()
}
