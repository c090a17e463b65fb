//! A pairing that the server has forgotten, while the two ends talk on without it, and how it comes
//! to know it again.
//!
//! ```text
//!              the server was restarted,               granted           the partner says on the
//!              the direct path stands       register                     direct path that it goes on
//!   Known ──────────────────────► Forgotten ───────────────► Granted ──────────────────────► Renamed
//!     ▲                               │                         │                               │
//!     │                               └── the path is lost, the partner is somebody else's ──►  │
//!     │                                                                            over         │
//!     └──────────────── a heartbeat under the new name has returned ────────────────────────────┘
//! ```
//!
//! The server grants what looks to it like any other pairing. Whether the partner takes it for this
//! one is told by its heartbeats, which name the pairing: were it a new one to the partner, two
//! sessions that know nothing of each other would talk.

use std::time::Instant;

use super::{Answer, Endpoint, EndpointEvent, connection::State};
use crate::{
    ClientId, ClientMessage, Code, EndReason, PairingId, PairingInfo, ReqId,
    limits::{DIRECT_TIMEOUT, REASSERT_INTERVAL},
    negotiation::{Beat, BeatKind},
};

/// Former names that are known: handlers that still run name them.
const FORMER: usize = 8;

/// What the server knows of a pairing.
#[derive(Clone, Debug)]
pub(super) enum Tie {
    /// It knows it by its name.
    Known,
    /// It has forgotten it.
    Forgotten {
        /// The number of the registration that waits.
        asked: Option<ReqId>,
        /// When to register, if none waits.
        ask_at: Instant,
    },
    /// It has granted it anew.
    Granted {
        /// As what.
        info: PairingInfo,
        /// By when the partner must have said that it goes on.
        until: Instant,
        /// Later heartbeats name it.
        after: u64,
    },
    /// It knows it by its name, and it is not certain that the partner knows it by the same.
    Renamed {
        /// Later heartbeats name it.
        after: u64,
    },
}

impl Endpoint {
    fn tie(&self) -> Option<&Tie> {
        self.paired.as_ref().map(|paired| &paired.tie)
    }

    fn set_tie(&mut self, tie: Tie) {
        if let Some(paired) = &mut self.paired {
            paired.tie = tie;
        }
    }

    pub(super) fn is_forgotten(&self) -> bool {
        matches!(self.tie(), Some(Tie::Forgotten { .. }))
    }

    /// The name by which the server knows the pairing, or knew it.
    pub(super) fn known_pairing(&self) -> Option<PairingId> {
        match self.tie()? {
            Tie::Granted { info, .. } => Some(info.id),
            Tie::Known | Tie::Forgotten { .. } | Tie::Renamed { .. } => {
                self.pairing().map(|info| info.id)
            }
        }
    }

    /// The server ended the pairing. If that is only because it goes down, the two talk on.
    pub(super) fn disconnected(&mut self, reason: EndReason, now: Instant) {
        let goes = matches!(reason, EndReason::ShuttingDown | EndReason::NodeLost);
        if goes && self.is_connected() && matches!(self.tie(), Some(Tie::Known)) {
            self.forgotten(now);
        } else {
            self.unpaired(reason, now);
        }
    }

    /// The server knows nothing of the pairing any more.
    pub(super) fn forgotten(&mut self, now: Instant) {
        if self.is_forgotten() {
            return; // It has said so when it went.
        }
        self.close_relay(now);
        self.set_tie(Tie::Forgotten { asked: None, ask_at: now });
    }

    /// The connection is gone, and the registration on it.
    pub(super) fn take_assertion_back(&mut self) {
        if let Some(paired) = &mut self.paired
            && let Tie::Forgotten { asked, .. } = &mut paired.tie
        {
            *asked = None;
        }
    }

    pub(super) fn next_assertion(&self) -> Option<Instant> {
        match self.tie()? {
            Tie::Forgotten { asked: None, ask_at } if self.state == State::Ready => Some(*ask_at),
            Tie::Granted { until, .. } => Some(*until),
            _ => None,
        }
    }

    /// Registers the partner anew when it is time, and gives up what was granted in vain.
    pub(super) fn assert_pairing(&mut self, now: Instant) {
        if self.next_assertion().is_none_or(|at| now < at) {
            return;
        }
        if !self.is_forgotten() {
            return self.part(EndReason::Disconnected, now);
        }
        let Some(target) = self.pairing().map(|info| info.partner.clone()) else { return };
        let req = self.next_req();
        self.send(ClientMessage::Register { req: Some(req), target, payload: None });
        self.set_tie(Tie::Forgotten { asked: Some(req), ask_at: now });
    }

    /// Whether this is the number of the registration that waits.
    pub(super) fn asserts(&self, req: ReqId) -> bool {
        matches!(self.tie(), Some(Tie::Forgotten { asked: Some(asked), .. }) if *asked == req)
    }

    /// The server did not grant it.
    pub(super) fn not_granted(&mut self, code: Code, now: Instant) {
        match code {
            // The partner is with somebody else, or does not want to be with this end.
            Code::TargetBusy | Code::Declined | Code::Forbidden => {
                self.unpaired(EndReason::Disconnected, now);
            }
            // The partner is not back yet: it will ask as well.
            _ => self.set_tie(Tie::Forgotten { asked: None, ask_at: now + REASSERT_INTERVAL }),
        }
    }

    /// Somebody asks for this end, whom the server takes for free.
    pub(super) fn asked_while_forgotten(&mut self, req: ReqId, source: &ClientId) {
        let is_partner = self.pairing().is_some_and(|info| info.partner == *source);
        self.send(if is_partner {
            ClientMessage::Accept { req: Some(req) }
        } else {
            ClientMessage::Decline { req: Some(req), reason: Some("paired".to_owned()) }
        });
    }

    /// What the server would say if it knew.
    pub(super) fn answer_while_forgotten(&self, target: &ClientId) -> Answer {
        match self.pairing() {
            Some(info) if info.partner == *target => Answer::Registered(info.clone()),
            _ => Answer::Refused(Code::SourceBusy.into()),
        }
    }

    /// Ends a pairing of which the server has forgotten, or is not to know.
    pub(super) fn part(&mut self, reason: EndReason, now: Instant) {
        let told = match self.tie() {
            Some(Tie::Forgotten { asked, .. }) => asked.is_some(),
            Some(Tie::Granted { .. }) => true,
            _ => false,
        };
        if told {
            let req = self.next_req();
            self.send(ClientMessage::Unregister { req: Some(req) });
        }
        self.unpaired(reason, now);
    }

    /// Without the server and without a direct path there is no pairing.
    pub(super) fn watch_standing(&mut self, now: Instant) {
        if self.stands() {
            return;
        }
        match self.tie() {
            Some(Tie::Forgotten { .. } | Tie::Granted { .. }) => {
                self.part(EndReason::Disconnected, now);
            }
            // The partner goes on, or ends what this end does not end.
            Some(Tie::Renamed { .. }) => self.known_again(now),
            Some(Tie::Known) | None => {}
        }
    }

    fn known_again(&mut self, now: Instant) {
        self.set_tie(Tie::Known);
        self.open_relay(now);
        if let Some(info) = self.pairing().cloned() {
            self.event(EndpointEvent::Reasserted(info));
        }
    }

    /// Whether the relay may carry: both ends know the pairing by the name that the server has.
    pub(super) fn is_known(&self) -> bool {
        matches!(self.tie(), Some(Tie::Known))
    }

    /// Whether this pairing is that which the server had forgotten. Its heartbeats name it from now
    /// on, and the partner's are to tell whether it goes on there as well.
    pub(super) fn is_granted_anew(&mut self, granted: &PairingInfo, now: Instant) -> bool {
        let Some(paired) = &mut self.paired else { return false };
        if !matches!(paired.tie, Tie::Forgotten { .. }) || paired.info.partner != granted.partner {
            return false;
        }
        let Some(direct) = &mut paired.direct else { return false };
        direct.rename(granted.id, granted.initiator);
        paired.tie = Tie::Granted {
            info: granted.clone(),
            until: now + DIRECT_TIMEOUT,
            after: direct.last_ping(),
        };
        true
    }

    /// The partner's heartbeat names the pairing.
    pub(super) fn partner_names(&mut self, beat: &Beat, now: Instant) {
        let Some(paired) = &mut self.paired else { return };
        if let Tie::Granted { info, after, .. } = &paired.tie
            && info.id == beat.pairing
        {
            let (info, after) = (info.clone(), *after);
            let old = std::mem::replace(&mut paired.info, info);
            paired.former.push_back(old.id);
            if paired.former.len() > FORMER {
                paired.former.pop_front();
            }
            paired.tie = Tie::Renamed { after };
        }
        if let Tie::Renamed { after } = paired.tie
            && paired.info.id == beat.pairing
            && beat.kind == BeatKind::Pong
            && beat.n > after
        {
            self.known_again(now);
        }
    }
}
