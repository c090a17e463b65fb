//! Clients other than those under test: their numbers, and the state of hostile ones. And the emits that an
//! application plans.

use std::time::Duration;

use crate::{
    ConnId, LinkId, PairingId, Path, ReqId, ResumeToken,
    sim::oracle::{ClientNo, Manner},
};

/// The number of a client that got in under another client's id.
pub(crate) const STRANGER: ClientNo = ClientNo::MAX;

/// The number from which on those of hostile clients are.
pub(crate) const HOSTILE: ClientNo = 1_000;

/// A client that keeps no rule.
#[derive(Debug, Default)]
pub(crate) struct Hostile {
    pub(crate) conn: Option<ConnId>,
    pub(crate) tokens: Vec<ResumeToken>,
    pub(crate) pairing: Option<PairingId>,
    /// Its link to its partner, and the number of links that it had.
    pub(crate) link: Option<LinkId>,
    pub(crate) links: u32,
    /// The questions that it ever received.
    pub(crate) asked: Vec<ReqId>,
    /// The last number that it gave to a frame, and the last that it saw.
    pub(crate) sent: u64,
    pub(crate) seen: u64,
}

pub(crate) fn name_of(hostile: usize) -> String {
    format!("hostile-{hostile}")
}

/// An emit, as far as its options matter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Emission {
    pub(crate) manner: Manner,
    /// The time until its deadline.
    pub(crate) patience: Duration,
    pub(crate) ttl: Option<Duration>,
    /// About so many bytes.
    pub(crate) size: usize,
    /// The path that it demands.
    pub(crate) via: Option<Path>,
}

impl Emission {
    pub(crate) const fn new(manner: Manner, patience: Duration) -> Self {
        Self { manner, patience, ttl: None, size: 0, via: None }
    }
}
