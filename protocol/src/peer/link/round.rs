//! One connection between the two ends, and the round of offer and answer that it is in.

use std::time::Instant;

use super::{LinkId, beat::Beats};
use crate::{Candidate, WhyAnew};

/// A connection that the host makes or has made.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) id: LinkId,
    /// What tells the partner's end of it from its other connections.
    pub(super) remote_session: Option<String>,
    pub(super) round: Round,
    /// There as soon as its channel has opened.
    pub(super) channel: Option<Beats>,
    /// Since when heartbeats return on both sides, if they do.
    pub(super) alive_since: Option<Instant>,
    /// By when a heartbeat must have returned, while none does.
    pub(super) deadline: Option<Instant>,
    /// When it is restarted, and why.
    pub(super) restart: Option<(Instant, WhyAnew)>,
}

/// Who describes first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Role {
    Offerer,
    Answerer,
}

/// An exchange of offer and answer, with the candidates that belong to it.
#[derive(Debug)]
pub(super) struct Round {
    pub(super) role: Role,
    /// Its attempt's number.
    pub(super) attempt: u64,
    /// Whether this end's description has been sent.
    pub(super) described: bool,
    /// The user name in the partner's description, once it is there.
    pub(super) remote_ufrag: Option<String>,
    /// Candidates that wait for the description before them.
    pub(super) own_early: Vec<Candidate>,
    pub(super) their_early: Vec<Candidate>,
    /// How many there were in all.
    pub(super) own: usize,
    pub(super) theirs: usize,
}

impl Round {
    pub(super) const fn new(role: Role, attempt: u64) -> Self {
        Self {
            role,
            attempt,
            described: false,
            remote_ufrag: None,
            own_early: Vec::new(),
            their_early: Vec::new(),
            own: 0,
            theirs: 0,
        }
    }

    /// Whether an answer is still to come.
    pub(super) fn is_unanswered(&self) -> bool {
        self.role == Role::Offerer && self.remote_ufrag.is_none()
    }
}

impl Link {
    /// Whether heartbeats have ever returned on both sides.
    pub(super) fn was_alive(&self) -> bool {
        self.channel.as_ref().is_some_and(Beats::was_alive)
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let beats = self.channel.as_ref().map(Beats::poll_timeout);
        [self.deadline, beats].into_iter().flatten().min()
    }
}
