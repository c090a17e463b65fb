//! A pairing that the server has forgotten, while the two peers talk on without it, and how the
//! server comes to know it again.
//!
//! ```text
//!              the server was restarted,    register, or       granted   the partner names it so on
//!              the direct path stands       accept                       the direct path
//!   Known ──────────────────────► Forgotten ───────────────► Granted ──────────────────────► Renamed
//!     ▲                               │                         │                               │
//!     │                               └── the path is lost, the partner is with another ─────►  │
//!     │                                                                            over         │
//!     └──────────────── a heartbeat under the new name has returned ────────────────────────────┘
//! ```
//!
//! Only the initiator registers, and its partner consents: so the server asks its policy about the same
//! source and target as when the pairing was made, and no peer can claim to be another.
//!
//! The server grants what looks to it like any other pairing. The partner's heartbeats, which name
//! the pairing, show whether the partner takes it for this one. Were it a new one to the partner, two
//! sessions that know nothing of each other would talk.

use std::time::Instant;

use super::{Heartbeat, HeartbeatKind, Output, Peer, ServerEvent, direct};
use crate::{
    Code, EndReason, PairingId, PairingInfo, Presence,
    limits::{DIRECT_TIMEOUT, REASSERT_INTERVAL},
    planted::{self, Fault},
};

/// Former names that are known: handlers that still run use them.
const FORMER: usize = 8;

/// The server's knowledge of the pairing.
#[derive(Clone, Debug)]
pub(super) enum ServerView {
    /// It knows the pairing by its name.
    Known,
    /// It has forgotten the pairing.
    Forgotten {
        /// True while a registration waits for its answer.
        is_asked: bool,
        /// The time of the next registration, if none waits.
        ask_at: Instant,
    },
    /// It has granted the pairing anew.
    Granted {
        /// The pairing as it calls it now.
        info: PairingInfo,
        /// The time by which the partner must have used that name.
        until: Instant,
        /// The last ping under the former name.
        after: u64,
    },
    /// It knows the pairing by its name, and the partner may not use that name yet.
    Renamed {
        /// The last ping under the former name.
        after: u64,
    },
}

impl Peer {
    /// Returns true while the server has forgotten the pairing.
    #[must_use]
    pub const fn is_forgotten(&self) -> bool {
        matches!(self.server, ServerView::Forgotten { .. })
    }

    /// Returns true if both peers know the pairing by the name that the server has, so that the relay
    /// may carry.
    pub(super) const fn is_known(&self) -> bool {
        matches!(self.server, ServerView::Known)
    }

    /// Returns the name by which the server knows the pairing, or knew it.
    #[must_use]
    pub const fn known_as(&self) -> PairingId {
        match &self.server {
            ServerView::Granted { info, .. } => info.id,
            ServerView::Known | ServerView::Forgotten { .. } | ServerView::Renamed { .. } => {
                self.info.id
            }
        }
    }

    /// Returns true if this grant is for this pairing, which the server has forgotten.
    #[must_use]
    pub fn reasserts(&self, granted: &PairingInfo) -> bool {
        self.is_forgotten() && self.has_direct() && self.info.partner == granted.partner
    }

    pub(super) fn server(&mut self, event: ServerEvent, now: Instant) {
        match event {
            ServerEvent::Lost => {
                self.is_connected = false;
                self.close_relay(now);
                if let ServerView::Forgotten { is_asked, .. } = &mut self.server {
                    *is_asked = false; // The registration is gone with the connection.
                }
            }
            ServerEvent::Welcomed(limits) => {
                self.is_connected = true;
                let former = std::mem::replace(&mut self.limits, limits);
                self.give_up_unfit(former, now);
            }
            ServerEvent::Known => {
                self.is_partner_away = false; // Otherwise the server says so next.
                self.open_relay(now);
                self.reassert(now);
                if self.is_unwanted {
                    self.outputs.push_back(Output::Unregister);
                }
            }
            ServerEvent::Forgotten(reason) => {
                if !self.is_unwanted && (self.is_alive() || self.is_forgotten()) {
                    self.forgotten(now);
                    self.reassert(now);
                } else {
                    self.end(reason, now);
                }
            }
            ServerEvent::Partner(presence) => {
                self.is_partner_away = presence == Presence::Away;
                match presence {
                    Presence::Away => self.close_relay(now),
                    // A state of another version may mean that frames were lost. If the partner is
                    // away, the server refuses them, and they stay in the window.
                    Presence::Back | Presence::Other(_) => self.open_relay(now),
                }
                self.outputs.push_back(Output::Partner(presence));
            }
            ServerEvent::Ended(reason) => {
                // A server that only goes down leaves the two to talk on.
                let goes = matches!(reason, EndReason::ShuttingDown | EndReason::NodeLost);
                if goes && self.is_alive() && self.is_known() && !self.is_unwanted {
                    self.forgotten(now);
                } else {
                    self.end(reason, now);
                }
            }
            ServerEvent::Granted(info) => self.granted(info, now),
            ServerEvent::NotGranted(code) => self.not_granted(code, now),
            ServerEvent::Answered(time) => {
                self.server_rtt = Some(time);
                self.direct(direct::Input::ServerAnswered(time), now);
            }
        }
    }

    fn forgotten(&mut self, now: Instant) {
        if !self.is_forgotten() {
            self.close_relay(now);
            self.server = ServerView::Forgotten { is_asked: false, ask_at: now };
        }
    }

    /// Returns true if it is this peer that registers the other anew.
    fn registers(&self) -> bool {
        self.info.initiator || planted::is(Fault::SwapRoles)
    }

    pub(super) fn next_reassertion(&self) -> Option<Instant> {
        match &self.server {
            ServerView::Forgotten { is_asked: false, ask_at }
                if self.is_connected && self.registers() =>
            {
                Some(*ask_at)
            }
            ServerView::Granted { until, .. } => Some(*until),
            _ => None,
        }
    }

    /// Registers the partner anew if it is time and this peer is the initiator, and gives up what was
    /// granted in vain.
    pub(super) fn reassert(&mut self, now: Instant) {
        if self.next_reassertion().is_none_or(|at| now < at) {
            return;
        }
        if self.is_forgotten() {
            self.server = ServerView::Forgotten { is_asked: true, ask_at: now };
            self.outputs.push_back(Output::Register);
        } else {
            self.part(EndReason::Disconnected, now);
        }
    }

    fn not_granted(&mut self, code: Code, now: Instant) {
        if !matches!(self.server, ServerView::Forgotten { is_asked: true, .. }) {
            return;
        }
        // A partner that is busy is with another: it gave this pairing up.
        if code == Code::TargetBusy || !code.is_retryable() {
            return self.end(EndReason::Disconnected, now);
        }
        let ask_at = now + REASSERT_INTERVAL;
        self.server = ServerView::Forgotten { is_asked: false, ask_at };
    }

    /// Notes that the server has granted the pairing anew. Heartbeats use the new name from now on,
    /// and the partner's are to show that the partner goes on as well.
    fn granted(&mut self, info: PairingInfo, now: Instant) {
        if !self.reasserts(&info) {
            return;
        }
        let Some(direct) = &mut self.direct else { return };
        direct.rename(info.id, info.initiator);
        let after = direct.last_ping();
        if planted::is(Fault::TrustGrant) {
            let old = std::mem::replace(&mut self.info, info);
            self.former.push_back(old.id);
            return self.known_again(now);
        }
        self.is_partner_away = false;
        self.server = ServerView::Granted { info, until: now + DIRECT_TIMEOUT, after };
    }

    /// Ends a pairing that the server has forgotten, or is not to learn of.
    pub(super) fn part(&mut self, reason: EndReason, now: Instant) {
        let may_be_granted = match self.server {
            // What this peer has asked for, or accepted.
            ServerView::Forgotten { .. } => self.is_connected,
            ServerView::Granted { .. } => true,
            ServerView::Known | ServerView::Renamed { .. } => false,
        };
        if may_be_granted {
            self.outputs.push_back(Output::Unregister);
        }
        self.end(reason, now);
    }

    /// Ends the pairing if there is neither a server that knows it nor a direct path.
    pub(super) fn watch_standing(&mut self, now: Instant) {
        if self.stands() {
            return;
        }
        match self.server {
            ServerView::Forgotten { .. } | ServerView::Granted { .. } => {
                self.part(EndReason::Disconnected, now);
            }
            // The partner goes on, or ends what this peer does not end.
            ServerView::Renamed { .. } => self.known_again(now),
            ServerView::Known => {}
        }
    }

    fn known_again(&mut self, now: Instant) {
        self.server = ServerView::Known;
        self.open_relay(now);
        self.outputs.push_back(Output::Reasserted(self.info.clone()));
    }

    /// Notes the name that the partner's heartbeat uses.
    pub(super) fn partner_names(&mut self, heartbeat: &Heartbeat, now: Instant) {
        if self.ended {
            return;
        }
        if let ServerView::Granted { info, after, .. } = &self.server
            && info.id == heartbeat.pairing
        {
            let (info, after) = (info.clone(), *after);
            let old = std::mem::replace(&mut self.info, info);
            self.former.push_back(old.id);
            if self.former.len() > FORMER {
                self.former.pop_front();
            }
            self.server = ServerView::Renamed { after };
        }
        if let ServerView::Renamed { after } = self.server
            && self.info.id == heartbeat.pairing
            && heartbeat.kind == HeartbeatKind::Pong
            && heartbeat.n > after
        {
            self.known_again(now);
        }
    }
}
