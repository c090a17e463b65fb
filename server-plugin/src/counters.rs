//! What the plugin counts: what was refused since it began, and what there is now.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use socketio_p2p_protocol::Code;

/// What there is now, from [`P2pServer::stats`](crate::P2pServer::stats). When everybody has left
/// for good, all of it is 0.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Stats {
    /// Clients that are connected, about to be, or away.
    pub clients: usize,
    /// Clients that are away.
    pub away: usize,
    /// Registrations that wait for an answer.
    pub requests: usize,
    /// Pairings, those being granted among them.
    pub pairings: usize,
    /// Connections that are held, those that are being closed among them.
    pub connections: usize,
    /// Ways from one end of a pairing to the other.
    pub routes: usize,
    /// Sessions kept for v1 clients, one a pairing.
    pub bridges: usize,
    /// Tasks of the plugin: its clock as long as it lives, and one or more a bridge.
    pub tasks: usize,
}

/// What was refused since the server began, from [`P2pServer::counters`](crate::P2pServer::counters).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Counters {
    /// Messages over a limit on how often.
    pub rate_limited: u64,
    /// Messages whose receiver did not keep up.
    pub congested: u64,
    /// Messages refused for all other reasons that were the sender's own fault or bad luck.
    pub refused: u64,
    /// Clients removed because too much of what they said was refused.
    pub struck_out: u64,
    /// Clients disconnected because they did not read.
    pub unread: u64,
}

/// The same, while it is counted. Nothing that goes well touches it.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    rate_limited: AtomicU64,
    congested: AtomicU64,
    refused: AtomicU64,
    struck_out: AtomicU64,
    unread: AtomicU64,
}

impl Tally {
    pub(crate) fn refused(&self, code: Code) {
        let counter = match code {
            Code::RateLimited => &self.rate_limited,
            Code::Congested => &self.congested,
            _ => &self.refused,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn struck_out(&self) {
        self.struck_out.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn unread(&self) {
        self.unread.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> Counters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counters {
            rate_limited: read(&self.rate_limited),
            congested: read(&self.congested),
            refused: read(&self.refused),
            struck_out: read(&self.struck_out),
            unread: read(&self.unread),
        }
    }
}

/// How many objects of a kind there are: what holds one holds a [`Counted`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Census(Arc<AtomicUsize>);

/// One object, until it is dropped.
#[derive(Debug)]
pub(crate) struct Counted(Census);

impl Census {
    pub(crate) fn count_in(&self) -> Counted {
        self.0.fetch_add(1, Ordering::Relaxed);
        Counted(self.clone())
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The objects of the plugin that may outlive what they were made for.
#[derive(Debug, Default)]
pub(crate) struct Objects {
    pub(crate) connections: Census,
    pub(crate) routes: Census,
    pub(crate) bridges: Census,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_counted_by_their_kind() {
        let tally = Tally::default();

        for code in [Code::RateLimited, Code::Congested, Code::Congested, Code::BadArgs] {
            tally.refused(code);
        }

        let Counters { rate_limited, congested, refused, struck_out, .. } = tally.read();
        assert_eq!((rate_limited, congested, refused, struck_out), (1, 2, 1, 0));
    }

    #[test]
    fn a_census_counts_what_lives() {
        let census = Census::default();

        let (one, two) = (census.count_in(), census.count_in());
        assert_eq!(census.count(), 2);
        drop((one, two));

        assert_eq!(census.count(), 0);
    }
}
