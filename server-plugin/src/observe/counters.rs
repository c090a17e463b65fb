//! Counters of refusals, and gauges of the objects that there are.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use serde::Serialize;
use socketio_p2p_protocol::Code;

/// The objects that there are at present, from [`P2pServer::stats`](crate::P2pServer::stats). When
/// all clients have left for good, everything but `tasks` is 0. They serialise as an object with these
/// names in camel case.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Stats {
    /// Clients that are connected, about to be, or away.
    pub clients: usize,
    /// Clients that are away.
    pub away: usize,
    /// Registrations that wait for an answer.
    pub requests: usize,
    /// Pairings, including those that are being granted.
    pub pairings: usize,
    /// Watches of targets.
    pub watches: usize,
    /// Rooms.
    pub rooms: usize,
    /// Pairings of rooms, one for each two members.
    pub room_pairings: usize,
    /// Connections that are held, including those that are being closed.
    pub connections: usize,
    /// Routes from one peer of a pairing to the other.
    pub routes: usize,
    /// Sessions kept for v1 clients, one a pairing.
    pub bridges: usize,
    /// Tasks of the plugin: its clock while it lives, one for each bridge, one for each v1 client that owes answers, and those that
    /// close connections.
    pub tasks: usize,
}

/// Refusals since the server began, from [`P2pServer::counters`](crate::P2pServer::counters). They serialise
/// as an object with these names in camel case.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Counters {
    /// Messages over a rate.
    pub rate_limited: u64,
    /// Messages whose receiver did not keep up.
    pub congested: u64,
    /// Messages refused for any other reason.
    pub refused: u64,
    /// Clients removed because too many of their messages were refused.
    pub struck_out: u64,
    /// Clients disconnected because they did not read.
    pub unread: u64,
}

/// The counters of refusals. A message that is not refused touches none.
#[derive(Debug, Default)]
pub(crate) struct RefusalCounters {
    rate_limited: AtomicU64,
    congested: AtomicU64,
    refused: AtomicU64,
    struck_out: AtomicU64,
    unread: AtomicU64,
}

impl RefusalCounters {
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

/// A gauge of the objects of one kind. Each object holds a [`Counted`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Gauge(Arc<AtomicUsize>);

/// One object of a gauge, until it is dropped.
#[derive(Debug)]
pub(crate) struct Counted(Gauge);

impl Gauge {
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

/// Gauges of the objects that may outlive their pairing or their socket.
#[derive(Debug, Default)]
pub(crate) struct Gauges {
    pub(crate) connections: Gauge,
    pub(crate) routes: Gauge,
    pub(crate) bridges: Gauge,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_counted_by_their_kind() {
        let counters = RefusalCounters::default();

        for code in [Code::RateLimited, Code::Congested, Code::Congested, Code::BadArgs] {
            counters.refused(code);
        }

        let Counters { rate_limited, congested, refused, struck_out, .. } = counters.read();
        assert_eq!((rate_limited, congested, refused, struck_out), (1, 2, 1, 0));
    }

    #[test]
    fn a_gauge_counts_what_lives() {
        let gauge = Gauge::default();

        let (one, two) = (gauge.count_in(), gauge.count_in());
        assert_eq!(gauge.count(), 2);
        drop((one, two));

        assert_eq!(gauge.count(), 0);
    }
}
