//! How many bytes wait in the server for one client.
//!
//! socketioxide tells neither how much is queued nor when it was sent. So the plugin counts what
//! it hands over, and the stream of the connection counts what the network took; the difference
//! waits. What is handed over is counted before it can be sent, and by no more than its length on
//! the wire: so the network never took less of what was sent than was counted. It took a little
//! more, for pings and what others sent; whenever it took everything, counting starts anew.

use std::{
    fmt,
    time::{Duration, Instant},
};

use crate::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

/// Bytes that the network took of one connection, since it began.
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

/// What may wait for one client, in bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct QueueLimits {
    /// From here on nothing is relayed to it.
    pub(crate) soft: usize,
    /// From here on it is told nothing.
    pub(crate) hard: usize,
}

/// What is to be handed over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Class {
    /// From its partner, who can wait.
    Relayed,
    /// From the server.
    Control,
}

/// What waits for one client.
pub(crate) struct Queue {
    limits: QueueLimits,
    /// Bytes a second that are assumed to go where there is no meter.
    assumed_rate: usize,
    state: Mutex<State>,
}

struct State {
    outflow: Outflow,
    /// Bytes handed over since all were taken.
    handed: u64,
    /// What had been taken then.
    base: u64,
    overfull: bool,
}

enum Outflow {
    Metered(Arc<Meter>),
    Assumed { since: Instant, rate: usize },
}

impl Outflow {
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

impl State {
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
        let outflow = Outflow::Assumed { since: Instant::now(), rate: assumed_rate };
        let state = State { outflow, handed: 0, base: 0, overfull: false };
        Self { limits, assumed_rate, state: Mutex::new(state) }
    }

    /// From now on this counts what goes; without it that is assumed.
    pub(crate) fn set_meter(&self, meter: Option<Arc<Meter>>) {
        let outflow = match meter {
            Some(meter) => Outflow::Metered(meter),
            None => Outflow::Assumed { since: Instant::now(), rate: self.assumed_rate },
        };
        let mut state = self.lock();
        state.base = outflow.total();
        state.handed = 0;
        state.outflow = outflow;
    }

    /// Counts so many bytes that are about to be handed over. If there is no room for them, they
    /// must not be.
    pub(crate) fn reserve(&self, bytes: usize, class: Class) -> bool {
        let bytes = bytes as u64;
        let mut state = self.lock();
        let waiting = state.waiting();
        let has_room = match class {
            // One that is longer than the limit would else never go.
            Class::Relayed => waiting == 0 || waiting + bytes <= self.limits.soft as u64,
            // What the server has to say is short, but for a list of very many clients.
            Class::Control => waiting < self.limits.hard as u64,
        };
        if has_room {
            state.handed += bytes;
        } else {
            state.overfull |= class == Class::Control;
        }
        has_room
    }

    /// They could not be handed over after all.
    pub(crate) fn release(&self, bytes: usize) {
        let mut state = self.lock();
        state.handed = state.handed.saturating_sub(bytes as u64);
    }

    /// Whether it missed something that the server had to tell it.
    pub(crate) fn is_overfull(&self) -> bool {
        self.lock().overfull
    }

    /// How many bytes wait.
    pub(crate) fn waiting(&self) -> u64 {
        self.lock().waiting()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
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
