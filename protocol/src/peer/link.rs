//! The link of a direct path: attempts, offers and answers, candidates, and retries.
//!
//! ```text
//!              begin: offer, answer, candidates          pings of both peers return
//!   Idle ──────────────────────────────────► Connecting ───────────────────────────► Alive
//!    ▲  ▲                                        │                                   ▲  │
//!    │  └──── failed or timed out: backoff ──────┘                          returned │  │ none returns
//!    │                                                                               │  ▼
//!    └─────────────────── closed, or the restart failed ◄─────────────────────────── Silent
//!                                              (after a while: restart, with offer and answer)
//! ```
//!
//! - The initiator of the pairing offers; its partner may ask it to. If both offer (glare), the
//!   initiator's offer counts.
//! - Every attempt has a number, greater than all before; those of the initiator are odd. Signals
//!   of older attempts are ignored. The attempts of a partner that numbers nothing (simple-peer) are
//!   distinguished by the user names in its descriptions.
//! - A connection has one name here, its [`LinkId`], also through ICE restarts. Events of an older
//!   one are ignored.

mod attempts;
mod candidates;
mod present;
mod signals;

use std::fmt;

use bytes::Bytes;

pub(super) use self::attempts::{Attempts, Output};
use crate::{Candidate, PairingId, Sdp, SignalError};

/// The name of one connection between the two peers, never used again. It is local to this peer.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct LinkId {
    /// The pairing as it was called when it was made.
    pub(crate) pairing: PairingId,
    serial: u32,
}

impl LinkId {
    /// Returns the pairing as it was called when the link was made.
    #[must_use]
    pub const fn pairing(self) -> PairingId {
        self.pairing
    }

    /// Returns the id of a link of this pairing.
    pub(crate) const fn new(pairing: PairingId, serial: u32) -> Self {
        Self { pairing, serial }
    }
}

impl fmt::Display for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.pairing, self.serial)
    }
}

/// A message on the first channel of a link.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum LinkMessage {
    /// A text.
    Text(String),
    /// Bytes.
    Binary(Bytes),
}

/// An event of a link, as its driver reports it.
#[derive(Clone, Debug)]
pub enum LinkEvent {
    /// The description for this attempt was made: an offer or an answer.
    Described(u64, Sdp),
    /// A candidate of this peer was found.
    Gathered(Candidate),
    /// The first channel is open.
    Opened,
    /// A message was received on the first channel.
    Received(LinkMessage),
    /// A message was received on another channel.
    Heard,
    /// A message was sent on another channel, and none was received.
    Sent,
    /// The connection is closed, or it failed.
    Closed,
}

impl LinkEvent {
    /// Returns the event of a description that the driver has made for this attempt.
    ///
    /// # Errors
    ///
    /// As for a partner's description: the partner could not read it either.
    pub fn described(attempt: u64, sdp: &str) -> Result<Self, SignalError> {
        Ok(Self::Described(attempt, sdp.parse()?))
    }
}

/// A command to the driver of a link. Any failure is reported as [`LinkEvent::Closed`].
#[derive(Clone, Debug, PartialEq)]
pub enum LinkCommand {
    /// Make the connection, with one ordered and reliable channel, and describe the offer of this
    /// attempt.
    Offer(u64),
    /// Describe another offer for it, with an ICE restart. The last offer may be unanswered.
    Restart(u64),
    /// Accept the offer of this attempt and describe the answer. If there is no connection of this
    /// name, make one. An unanswered offer of this peer is void.
    Answer(u64, Sdp),
    /// Accept this answer.
    Accept(Sdp),
    /// Add a candidate of the partner. A candidate that cannot be used is no failure.
    Add(Candidate),
    /// Send a message on the first channel.
    Send(LinkMessage),
    /// Close the connection and forget it. No report is needed.
    Close,
}
