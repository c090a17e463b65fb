//! A direct path that waits until one of the two peers asks for it.

use std::time::{Duration, Instant};

use super::{
    Peer,
    direct::{self, Direct},
    path::PathConfig,
};
use crate::{PairingInfo, limits::Limits};

impl Peer {
    /// Creates the peer of a pairing, as [`Self::new`] does, whose direct path waits until
    /// [`Input::Upgrade`](super::Input::Upgrade) or a signal of the partner.
    #[must_use]
    pub fn waiting(
        config: PathConfig,
        info: PairingInfo,
        limits: Limits,
        server_rtt: Option<Duration>,
        now: Instant,
    ) -> Self {
        Self::build(config, info, limits, server_rtt, now, true)
    }

    /// Begins with a direct path that waited. The partner's waits too, perhaps: the initiator's offer, or the
    /// request for one, ends that.
    pub(super) fn upgrade(&mut self, asks: bool, now: Instant) {
        if !std::mem::take(&mut self.waits) {
            return;
        }
        let mut direct = Direct::new(self.config, self.info.id, self.info.initiator, now);
        direct.assume_numbers(); // Whoever joins rooms does.
        self.direct = Some(direct);
        if !(self.is_known() && self.is_connected && !self.is_partner_away) {
            self.direct(direct::Input::Relay(false), now);
        }
        if let Some(time) = self.server_rtt {
            self.direct(direct::Input::ServerAnswered(time), now);
        }
        self.carry_out_direct(now);
        if asks && !self.info.initiator {
            self.direct(direct::Input::NetworkChanged, now);
        }
    }
}
