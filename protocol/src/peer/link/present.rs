//! The present link, and its exchange of offer and answer.

use std::time::Instant;

use super::LinkId;
use crate::{Candidate, CandidatePlaces, WhyAnew};

/// A connection that the driver makes or has made.
#[derive(Debug)]
pub(super) struct PresentLink {
    pub(super) id: LinkId,
    /// The session id in the partner's description, which distinguishes its connections.
    pub(super) remote_session: Option<String>,
    pub(super) exchange: Exchange,
    /// The time at which pings of both peers began to return, while they do.
    pub(super) alive_since: Option<Instant>,
    /// The time by which a heartbeat must have returned, while none does.
    pub(super) deadline: Option<Instant>,
    /// The time of the next restart, and its reason.
    pub(super) restart: Option<(Instant, WhyAnew)>,
}

/// The role of this peer in an exchange.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum SdpRole {
    Offerer,
    Answerer,
}

/// An exchange of offer and answer, with the candidates that belong to it.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) role: SdpRole,
    /// The number of its attempt.
    pub(super) attempt: u64,
    /// True once this peer's description was sent.
    pub(super) described: bool,
    /// The user name in the partner's description, once it was received.
    pub(super) remote_ufrag: Option<String>,
    /// Candidates that wait for the description of their peer.
    pub(super) own_early: Vec<Candidate>,
    pub(super) remote_early: Vec<Candidate>,
    /// The number of this peer's candidates so far.
    pub(super) own_count: usize,
    /// The places of the partner's candidates, besides those in its description.
    pub(super) remote_places: CandidatePlaces,
}

impl Exchange {
    pub(super) fn new(role: SdpRole, attempt: u64) -> Self {
        Self {
            role,
            attempt,
            described: false,
            remote_ufrag: None,
            own_early: Vec::new(),
            remote_early: Vec::new(),
            own_count: 0,
            remote_places: CandidatePlaces::signalled(),
        }
    }

    /// Returns true while this peer's offer waits for its answer.
    pub(super) fn is_unanswered(&self) -> bool {
        self.role == SdpRole::Offerer && self.remote_ufrag.is_none()
    }
}
