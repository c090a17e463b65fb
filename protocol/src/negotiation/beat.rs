//! The heartbeat of a direct path: what travels, when it goes, and what it tells.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::recent::Recent;
use crate::wire::{Beat, BeatKind};

/// Pings that may be under way: those of the time after which a path is given up, several times.
const UNDER_WAY: usize = 64;

/// Round trips of which the shortest counts: those of 6 s and a little.
const RECENT: usize = 32;

/// While it is not proven, a path is asked so many times as often.
const PROBES: u32 = 4;

/// The heartbeat of one channel, as one end sees it.
#[derive(Debug)]
pub(super) struct Beats {
    interval: Duration,
    silence: Duration,
    last: u64,
    under_way: VecDeque<(u64, Instant)>,
    next_at: Instant,
    /// When a ping returned last, and when anything was heard.
    returned_at: Option<Instant>,
    heard_at: Instant,
    /// Whether pings return, as far as is known; and whether those of the partner do, as it says.
    returns: bool,
    partner_returns: bool,
    /// Whether both have ever returned at the same time.
    was_alive: bool,
    rtt: Option<Duration>,
    recent: Recent<RECENT>,
}

impl Beats {
    /// The channel has just opened.
    pub(super) const fn new(interval: Duration, silence: Duration, now: Instant) -> Self {
        Self {
            interval,
            silence,
            last: 0,
            under_way: VecDeque::new(),
            next_at: now,
            returned_at: None,
            heard_at: now,
            returns: false,
            partner_returns: false,
            was_alive: false,
            rtt: None,
            recent: Recent::new(),
        }
    }

    /// Whether heartbeats return on both sides.
    pub(super) const fn is_alive(&self) -> bool {
        self.returns && self.partner_returns
    }

    pub(super) const fn returns(&self) -> bool {
        self.returns
    }

    /// The number of the last ping.
    pub(super) const fn last(&self) -> u64 {
        self.last
    }

    /// Whether heartbeats have ever returned on both sides.
    pub(super) const fn was_alive(&self) -> bool {
        self.was_alive
    }

    /// Whether any has ever returned.
    pub(super) const fn was_proven(&self) -> bool {
        self.returned_at.is_some()
    }

    /// The mean round-trip time, of late.
    pub(super) const fn rtt(&self) -> Option<Duration> {
        self.rtt
    }

    /// The shortest of the last round-trip times.
    pub(super) fn shortest(&self) -> Option<Duration> {
        self.recent.shortest()
    }

    /// Something came in that is no heartbeat.
    pub(super) const fn heard(&mut self, now: Instant) {
        self.heard_at = now;
    }

    /// The partner says by another way that none of its own returns.
    pub(super) const fn partner_is_silent(&mut self) {
        self.partner_returns = false;
    }

    /// A heartbeat came in.
    pub(super) fn received(&mut self, beat: &Beat, now: Instant) {
        self.heard_at = now;
        self.partner_returns = beat.ok;
        if beat.kind == BeatKind::Pong {
            self.returned(beat.n, now);
        }
        self.was_alive |= self.is_alive();
    }

    /// A ping came back.
    fn returned(&mut self, n: u64, now: Instant) {
        let Some(at) = self.under_way.iter().position(|(asked, _)| *asked == n) else {
            return;
        };
        // The channel keeps the order: what was asked before is not answered any more.
        let Some((_, sent)) = self.under_way.drain(..=at).next_back() else {
            return;
        };
        let sample = now.saturating_duration_since(sent);
        self.rtt = Some(self.rtt.map_or(sample, |mean| (mean * 7 + sample) / 8));
        self.recent.note(sample);
        self.returned_at = Some(now);
        if !self.returns {
            self.returns = true;
            self.next_at = now; // The partner waits to be told.
        }
    }

    /// When the path is silent, if nothing more comes: what the partner says keeps it for a while,
    /// for under load a heartbeat waits behind other messages.
    fn silent_at(&self) -> Option<Instant> {
        let returned = self.returned_at.filter(|_| self.returns)?;
        let heard = self.heard_at.max(returned) + self.silence;
        Some(heard.min(returned + 3 * self.silence))
    }

    /// What is due: whether a ping goes, and its number.
    pub(super) fn timeout(&mut self, now: Instant) -> Option<u64> {
        if self.silent_at().is_some_and(|at| at <= now) {
            self.returns = false;
            self.next_at = now; // The partner must not believe in it either.
        }
        if now < self.next_at {
            return None;
        }
        let every = if self.is_alive() { self.interval } else { self.interval / PROBES };
        self.next_at = now + every.max(Duration::from_millis(1));
        self.last += 1;
        if self.under_way.len() == UNDER_WAY {
            self.under_way.pop_front();
        }
        self.under_way.push_back((self.last, now));
        Some(self.last)
    }

    pub(super) fn poll_timeout(&self) -> Instant {
        self.silent_at().map_or(self.next_at, |at| at.min(self.next_at))
    }
}
