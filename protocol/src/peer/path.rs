//! The direct path as it is measured: alive or silent, carrying or held back. It does not matter
//! here which kind of link carries it.
//!
//! ```text
//!            pings of both peers return                     the link is closed
//!   Opened ──────────────────────────► Alive ◄────► Silent ───────────────────► (none)
//!                                        │  carries; or is held back: it was left a moment ago,
//!                                        │  or the relay is measured to be faster
//! ```

mod config;
mod heartbeat;
mod hold;
mod min_rtt;
mod selection;

use std::time::{Duration, Instant};

pub use self::{
    config::{PathConfig, PathPolicy},
    selection::WhyLeft,
};
use self::{heartbeat::Heartbeats, min_rtt::MinRtt, selection::Selection};
use crate::{
    PairingId,
    wire::{Heartbeat, HeartbeatKind},
};

/// Answers of the server of which the quickest counts: those of a quarter of a minute.
const ANSWERS: usize = 4;

/// The liveness of the present link's channel. Without a channel everything is false.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Liveness {
    /// The channel is open.
    pub(super) is_open: bool,
    /// Pings of both peers return, or have returned at the same time before.
    pub(super) is_alive: bool,
    pub(super) was_alive: bool,
    /// Pings of this peer return, or one has returned before.
    pub(super) returns: bool,
    pub(super) was_proven: bool,
}

/// The direct path of a pairing, over one link after another.
#[derive(Debug)]
pub(super) struct DirectPath {
    /// The heartbeats of the present link, once its channel is open.
    heartbeats: Option<Heartbeats>,
    /// The answers of this peer's server, and the shortest time that the partner stated for its own.
    server: MinRtt<ANSWERS>,
    partner_server: Option<Duration>,
    selection: Selection,
}

impl DirectPath {
    pub(super) fn new() -> Self {
        Self {
            heartbeats: None,
            server: MinRtt::new(),
            partner_server: None,
            selection: Selection::default(),
        }
    }

    pub(super) fn liveness(&self) -> Liveness {
        let Some(heartbeats) = &self.heartbeats else { return Liveness::default() };
        Liveness {
            is_open: true,
            is_alive: heartbeats.is_alive(),
            was_alive: heartbeats.was_alive(),
            returns: heartbeats.returns(),
            was_proven: heartbeats.was_proven(),
        }
    }

    pub(super) const fn carries(&self) -> bool {
        self.selection.carries()
    }

    pub(super) fn rtt(&self) -> Option<Duration> {
        self.heartbeats.as_ref()?.mean_rtt()
    }

    /// Returns the shortest recent round-trip time between the two peers over the relay, as far as
    /// it is known.
    pub(super) fn relay_rtt(&self) -> Option<Duration> {
        Some(self.server.get()? + self.partner_server?)
    }

    pub(super) fn last_ping(&self) -> u64 {
        self.heartbeats.as_ref().map_or(0, Heartbeats::last_ping)
    }

    /// Begins the heartbeats: the channel is open.
    pub(super) fn opened(&mut self, config: &PathConfig, now: Instant) {
        self.heartbeats.get_or_insert_with(|| Heartbeats::new(config, now));
    }

    /// Ends the heartbeats: the link is closed. Returns true if the path carried.
    pub(super) fn closed(&mut self, config: &PathConfig, now: Instant) -> bool {
        self.heartbeats = None;
        self.selection.closed(config, now)
    }

    pub(super) fn server_answered(&mut self, time: Duration) {
        self.server.record(time);
    }

    /// Notes a heartbeat. Returns true if the channel is open, so that a ping is answered.
    pub(super) fn received(&mut self, heartbeat: &Heartbeat, now: Instant) -> bool {
        let Some(heartbeats) = &mut self.heartbeats else { return false };
        heartbeats.received(heartbeat, now);
        let server = heartbeat.server.map(Duration::from_micros);
        self.partner_server = server.or(self.partner_server);
        true
    }

    /// Compares the two paths by what was measured so far.
    pub(super) fn compare(&mut self, now: Instant) {
        let direct = self.heartbeats.as_ref().and_then(Heartbeats::min_rtt);
        self.selection.measured(direct, self.relay_rtt(), now);
    }

    /// Notes a sign of life that is no heartbeat.
    pub(super) const fn heard(&mut self, now: Instant) {
        if let Some(heartbeats) = &mut self.heartbeats {
            heartbeats.heard(now);
        }
    }

    /// Notes that the pairing is in use, by whatever path.
    pub(super) fn used(&mut self, now: Instant) {
        if let Some(heartbeats) = &mut self.heartbeats {
            heartbeats.used(now);
        }
    }

    pub(super) const fn partner_is_silent(&mut self) {
        if let Some(heartbeats) = &mut self.heartbeats {
            heartbeats.partner_is_silent();
        }
    }

    /// Returns a heartbeat with the present state of this peer.
    pub(super) fn heartbeat(&self, kind: HeartbeatKind, n: u64, pairing: PairingId) -> Heartbeat {
        let ok = self.heartbeats.as_ref().is_some_and(Heartbeats::returns);
        let server = self.server.get().and_then(|time| time.as_micros().try_into().ok());
        Heartbeat { kind, n, pairing, ok, server }
    }

    /// Returns the number of the ping that is due, if one is.
    pub(super) fn timeout(&mut self, now: Instant) -> Option<u64> {
        self.heartbeats.as_mut()?.timeout(now)
    }

    /// Takes or leaves the path. Returns the change, or `None` if there is none.
    pub(super) fn choose(
        &mut self,
        relay: bool,
        config: &PathConfig,
        now: Instant,
    ) -> Option<Result<(), WhyLeft>> {
        let alive = self.liveness().is_alive;
        self.selection.choose(alive, relay, config, now)
    }

    /// Forgets the flaps: they happened on another network.
    pub(super) const fn forgive(&mut self) {
        self.selection.forgive();
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let heartbeats = self.heartbeats.as_ref().map(Heartbeats::poll_timeout);
        let selection = self.selection.poll_timeout(self.liveness().is_alive);
        [heartbeats, selection].into_iter().flatten().min()
    }
}
