//! The bytes that wait in the server for one client.
//!
//! socketioxide tells neither how much is queued nor when it was sent. So the plugin counts the
//! bytes that it hands over, and the stream of the connection counts the bytes that the network
//! took. The difference waits. Bytes are counted before they can be sent, and never more than they
//! are on the wire, so the network never took less than was counted. It took a little more, for
//! pings and for what others sent. Whenever it took everything, counting starts anew.

use std::{
    fmt,
    time::{Duration, Instant},
};

use crate::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

/// The bytes that the network took of one connection since it began.
#[derive(Debug)]
pub(crate) struct Meter(AtomicU64);

impl Meter {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    pub(crate) fn took(&self, bytes: usize) {
        self.0.fetch_add(bytes as u64, Ordering::Release);
    }

    pub(crate) fn total(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

/// Limits on what waits for one client, in bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct QueueLimits {
    /// The size from which on nothing is relayed to it.
    pub(crate) soft: usize,
    /// The size from which on nothing is sent to it at all.
    pub(crate) hard: usize,
}

/// Classes of what is handed over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Class {
    /// Messages of its partner, which can wait.
    Relayed,
    /// Messages of the server.
    Control,
}

/// The queue of one client.
pub(crate) struct Queue {
    limits: QueueLimits,
    /// The bytes a second that are assumed to be taken where there is no meter.
    assumed_rate: usize,
    state: Mutex<QueueState>,
}

struct QueueState {
    outflow: OutflowRate,
    /// The bytes handed over since all were taken.
    handed: u64,
    /// The bytes that had been taken then.
    base: u64,
    overfull: bool,
}

enum OutflowRate {
    Metered(Arc<Meter>),
    Assumed { since: Instant, rate: usize },
}

impl OutflowRate {
    fn total(&self) -> u64 {
        match self {
            Self::Metered(meter) => meter.total(),
            Self::Assumed { since, rate } => {
                let micros = since.elapsed().as_micros();
                let second = Duration::from_secs(1).as_micros();
                u64::try_from(micros * *rate as u128 / second).unwrap_or(u64::MAX)
            }
        }
    }
}

impl QueueState {
    fn waiting(&mut self) -> u64 {
        let total = self.outflow.total();
        let taken = total.saturating_sub(self.base);
        if taken >= self.handed {
            (self.handed, self.base) = (0, total);
            return 0;
        }
        self.handed - taken
    }
}

impl Queue {
    pub(crate) fn new(limits: QueueLimits, assumed_rate: usize) -> Self {
        let outflow = OutflowRate::Assumed { since: Instant::now(), rate: assumed_rate };
        let state = QueueState { outflow, handed: 0, base: 0, overfull: false };
        Self { limits, assumed_rate, state: Mutex::new(state) }
    }

    /// Sets the meter of the connection. Without one a rate is assumed.
    pub(crate) fn set_meter(&self, meter: Option<Arc<Meter>>) {
        let outflow = match meter {
            Some(meter) => OutflowRate::Metered(meter),
            None => OutflowRate::Assumed { since: Instant::now(), rate: self.assumed_rate },
        };
        let mut state = self.lock();
        state.base = outflow.total();
        state.handed = 0;
        state.outflow = outflow;
    }

    /// Counts bytes that are about to be handed over. Returns `false` if there is no room for them;
    /// they must not be handed over then.
    pub(crate) fn reserve(&self, bytes: usize, class: Class) -> bool {
        let bytes = bytes as u64;
        let mut state = self.lock();
        let waiting = state.waiting();
        let has_room = match class {
            // A message that is longer than the limit would otherwise never be sent.
            Class::Relayed => waiting == 0 || waiting + bytes <= self.limits.soft as u64,
            // Messages of the server are short, except a list of very many clients.
            Class::Control => waiting < self.limits.hard as u64,
        };
        if has_room {
            state.handed += bytes;
        } else {
            state.overfull |= class == Class::Control;
        }
        has_room
    }

    /// Takes back bytes that could not be handed over after all.
    pub(crate) fn release(&self, bytes: usize) {
        let mut state = self.lock();
        state.handed = state.handed.saturating_sub(bytes as u64);
    }

    /// Returns whether the client missed a message of the server.
    pub(crate) fn is_overfull(&self) -> bool {
        self.lock().overfull
    }

    /// Returns the bytes that wait.
    pub(crate) fn waiting(&self) -> u64 {
        self.lock().waiting()
    }

    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limits, .. } = self;
        let waiting = self.waiting();
        f.debug_struct("Queue")
            .field("limits", limits)
            .field("waiting", &waiting)
            .finish_non_exhaustive()
    }
}
