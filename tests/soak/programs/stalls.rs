//! Changes of the pairs' paths, and how long the slowest call took that met each of them.

use std::fmt;
use std::time::{Duration, Instant};

use socketio_p2p_protocol::sim::ClientNo;

/// The number of its pair's last changes that a call may have met: more than in the longest call.
const LATELY: usize = 8;

/// A kind of change.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Change {
    /// Left for the relay, for an end said that its network has changed.
    Forced,
    /// Left for the relay, for datagrams are swallowed without notice.
    Cut,
    /// Left for the relay, and nobody made it so: the machine was too busy for heartbeats.
    Unasked,
    /// Taken.
    Taken,
}

/// One change of one pair.
#[derive(Clone, Debug)]
struct Entry {
    change: Change,
    /// The ends that have reported it.
    reported: [bool; 2],
    /// The time at which both had.
    until: Option<Instant>,
    slowest: Duration,
}

/// One pair: where its ends are, and how it came to that.
#[derive(Clone, Debug, Default)]
struct Pair {
    /// The ends that have the direct path.
    direct: [bool; 2],
    /// The ends that have left it since it was last made to be left.
    left: [bool; 2],
    /// Its changes, in order.
    entries: Vec<Entry>,
}

/// All changes of all pairs.
#[derive(Debug)]
pub(crate) struct Stalls(Vec<Pair>);

impl Stalls {
    /// Of so many pairs.
    pub(crate) fn new(pairs: usize) -> Self {
        Self(vec![Pair::default(); pairs])
    }

    /// From now on a pair leaves its direct path, and why.
    pub(crate) fn leaves(&mut self, pair: usize, why: Change) {
        let pair = &mut self.0[pair];
        pair.left = pair.direct.map(|is_direct| !is_direct);
        pair.entries.push(Entry::new(why, pair.left));
    }

    /// A client reports that it has taken the direct path, or left it.
    pub(crate) fn reported(&mut self, who: ClientNo, taken: bool) {
        let (pair, end) = (&mut self.0[who / 2], who % 2);
        pair.direct[end] = taken;
        pair.left[end] |= !taken;
        // What this end has undone before its partner did it is no change of the pair.
        let before = pair.entries.len();
        pair.entries.retain(|entry| {
            let undone = entry.is_taking() != taken && entry.reported[end];
            entry.until.is_some() || !undone
        });
        if pair.entries.len() < before && pair.direct[1 - end] == taken {
            return;
        }
        let awaits = |entry: &Entry| {
            entry.until.is_none() && entry.is_taking() == taken && !entry.reported[end]
        };
        if let Some(entry) = pair.entries.iter_mut().find(|entry| awaits(entry)) {
            entry.reports(end);
        } else {
            let change = if taken { Change::Taken } else { Change::Unasked };
            pair.entries.push(Entry::new(change, pair.direct.map(|is_direct| is_direct == taken)));
        }
    }

    /// A call of this client took so long, until now. If it met a change without notice, whatever
    /// else it met was not why it waited.
    pub(crate) fn met(&mut self, who: ClientNo, took: Duration) {
        let now = Instant::now();
        // The last changes only: before those the call had not begun.
        let lately = self.0[who / 2].entries.iter_mut().rev().take(LATELY);
        let mut met: Vec<_> =
            lately.filter(|entry| entry.until.is_none_or(|until| now - until <= took)).collect();
        if met.iter().any(|entry| entry.is_unnoticed()) {
            met.retain(|entry| entry.is_unnoticed());
        }
        for entry in met {
            entry.slowest = entry.slowest.max(took);
        }
    }

    /// Returns whether both ends of a pair have the direct path.
    pub(crate) fn is_direct(&self, pair: usize) -> bool {
        self.0[pair].direct == [true; 2]
    }

    /// Returns whether both ends of a pair have left it since it was made to be left. They may have it again.
    pub(crate) fn has_left(&self, pair: usize) -> bool {
        self.0[pair].left == [true; 2]
    }

    /// Returns the number of changes of this kind, and the time of the slowest call that met each:
    /// the middle one, one in a hundred, the worst.
    pub(crate) fn of(&self, change: Change) -> Summary {
        let entries = self.0.iter().flat_map(|pair| &pair.entries);
        let of_kind = entries.filter(|entry| entry.change == change && entry.until.is_some());
        let mut slowest: Vec<_> = of_kind.map(|entry| entry.slowest).collect();
        slowest.sort_unstable();
        let at = |share: usize| {
            let place = (slowest.len() * share / 100).min(slowest.len().saturating_sub(1));
            slowest.get(place).copied().unwrap_or_default()
        };
        Summary { count: slowest.len(), p50: at(50), p99: at(99), most: at(100) }
    }
}

impl Entry {
    fn new(change: Change, reported: [bool; 2]) -> Self {
        let until = (reported == [true; 2]).then(Instant::now);
        Self { change, reported, until, slowest: Duration::ZERO }
    }

    fn reports(&mut self, end: usize) {
        self.reported[end] = true;
        if self.reported == [true; 2] {
            self.until = Some(Instant::now());
        }
    }

    fn is_taking(&self) -> bool {
        self.change == Change::Taken
    }

    fn is_unnoticed(&self) -> bool {
        matches!(self.change, Change::Cut | Change::Unasked)
    }
}

/// Changes of one kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Summary {
    pub(crate) count: usize,
    p50: Duration,
    pub(crate) p99: Duration,
    most: Duration,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count, p50, p99, most } = self;
        write!(
            f,
            "{count}; the slowest call meanwhile took {p50:.1?}, p99 {p99:.1?}, at most {most:.1?}"
        )
    }
}
