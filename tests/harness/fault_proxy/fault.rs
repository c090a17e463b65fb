//! The faults that can happen to a connection, and their counts.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A fault of one connection. A fault with a duration ends by itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// Every piece, in both directions, waits so long before it goes on.
    Delay {
        /// The added delay.
        by: Duration,
        /// The duration of the fault.
        lasts: Duration,
    },
    /// Both ends are told that the connection was reset, and what was under way is lost.
    Reset,
    /// Both ends are told that the other has finished, and what was under way is lost.
    Finish,
    /// Discards all that is sent in these directions from now on, the end of the connection
    /// included, without notice.
    HalfOpen(Ways),
    /// Both directions take only so many bytes a second.
    Throttle {
        /// The rate in bytes per second.
        rate: usize,
        /// The duration of the fault.
        lasts: Duration,
    },
    /// Splits the data into pieces of at most so many bytes.
    Split {
        /// The length of a piece.
        most: usize,
        /// The duration of the fault.
        lasts: Duration,
    },
    /// Merges the data of so much time into one piece.
    Merge {
        /// The time.
        within: Duration,
        /// The duration of the fault.
        lasts: Duration,
    },
    /// Stops both directions; afterwards they continue where they were.
    Freeze {
        /// The duration of the fault.
        lasts: Duration,
    },
}

/// Directions that [`Fault::HalfOpen`] swallows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ways {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
    /// Both.
    Both,
}

/// The kinds of [`Fault`], to be counted and chosen.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[expect(missing_docs, reason = "they are those of `Fault`")]
pub enum Kind {
    Delay,
    Reset,
    Finish,
    HalfOpen,
    Throttle,
    Split,
    Merge,
    Freeze,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Delay,
        Self::Reset,
        Self::Finish,
        Self::HalfOpen,
        Self::Throttle,
        Self::Split,
        Self::Merge,
        Self::Freeze,
    ];

    /// Returns whether a connection ends with it, or can only be given up.
    #[must_use]
    pub const fn ends_the_connection(self) -> bool {
        matches!(self, Self::Reset | Self::Finish | Self::HalfOpen)
    }
}

impl Fault {
    /// Returns the kind of the fault.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Delay { .. } => Kind::Delay,
            Self::Reset => Kind::Reset,
            Self::Finish => Kind::Finish,
            Self::HalfOpen(_) => Kind::HalfOpen,
            Self::Throttle { .. } => Kind::Throttle,
            Self::Split { .. } => Kind::Split,
            Self::Merge { .. } => Kind::Merge,
            Self::Freeze { .. } => Kind::Freeze,
        }
    }
}

/// The number of faults of each kind.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts([u64; Kind::ALL.len()]);

impl Counts {
    /// Of one kind.
    #[must_use]
    pub const fn of(&self, kind: Kind) -> u64 {
        self.0[kind as usize]
    }

    /// Of all kinds.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.total())?;
        let mut lead = " (";
        for kind in Kind::ALL.into_iter().filter(|kind| self.of(*kind) > 0) {
            write!(f, "{lead}{} {}", self.of(kind), format!("{kind:?}").to_lowercase())?;
            lead = ", ";
        }
        f.write_str(if self.total() > 0 { ")" } else { "" })
    }
}

/// The same while it is counted.
#[derive(Debug, Default)]
pub(super) struct Counters([AtomicU64; Kind::ALL.len()]);

impl Counters {
    pub(super) fn count(&self, kind: Kind) {
        self.0[kind as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn now(&self) -> Counts {
        Counts(std::array::from_fn(|kind| self.0[kind].load(Ordering::Relaxed)))
    }
}
