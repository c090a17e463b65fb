//! The bytes and the packets that wait in the server for one client.
//!
//! socketioxide reports neither how much is queued nor when it was sent. So the plugin counts the
//! bytes that it hands over, and the stream of the connection counts the bytes that the network
//! took. The difference waits. Bytes are counted before they can be sent, and never more than they
//! are on the wire, so the network never took less than was counted. It took a little more, for
//! pings and for what others sent. Whenever it took everything, counting starts anew.
//!
//! A queue that is over a limit closes its [`Gate`], and opens it at half of the limit.

use std::{
    collections::VecDeque,
    fmt,
    sync::Weak,
    time::{Duration, Instant},
};

use super::gate::Gate;
use crate::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

/// The bytes that the network took of one connection since it began.
#[derive(Debug)]
pub(crate) struct Meter {
    total: AtomicU64,
    /// The count from which on the queues below are informed.
    told_at: AtomicU64,
    told: Mutex<Vec<Weak<Queue>>>,
}

impl Meter {
    pub(crate) fn new() -> Self {
        Self {
            total: AtomicU64::new(0),
            told_at: AtomicU64::new(u64::MAX),
            told: Mutex::new(Vec::new()),
        }
    }

    pub(crate) fn took(&self, bytes: usize) {
        let bytes = bytes as u64;
        let total = self.total.fetch_add(bytes, Ordering::SeqCst) + bytes;
        if total >= self.told_at.load(Ordering::SeqCst) {
            let told = {
                let mut told = self.lock();
                self.told_at.store(u64::MAX, Ordering::SeqCst);
                std::mem::take(&mut *told)
            };
            told.iter().filter_map(Weak::upgrade).for_each(|queue| queue.settle());
        }
    }

    pub(crate) fn total(&self) -> u64 {
        self.total.load(Ordering::SeqCst)
    }

    /// Has [`Queue::settle`] called once when the count reaches `at`. Returns `false` if it has already.
    fn tell(&self, queue: &Arc<Queue>, at: u64) -> bool {
        let queue = Arc::downgrade(queue);
        let mut told = self.lock();
        if !told.iter().any(|other| other.ptr_eq(&queue)) {
            told.push(queue);
        }
        self.told_at.fetch_min(at, Ordering::SeqCst);
        self.total() < at
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Weak<Queue>>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Limits on what waits for one client, in bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct QueueLimits {
    /// The size from which on nothing is relayed to it.
    pub(crate) relayed: usize,
    /// The size from which on a client that answers it is not read.
    pub(crate) soft: usize,
    /// The size from which on nothing is sent to it at all.
    pub(crate) hard: usize,
}

/// Packets beyond which nothing is relayed and a client that answers is not read: three quarters of what
/// the channel of the connection takes. The rest is for messages of the server, among them pings.
const PACKETS: usize = socketio_p2p_protocol::limits::QUEUE_PACKETS / 4 * 3;

/// Classes of what is handed over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Class {
    /// Messages of its partner, which can wait.
    Relayed,
    /// Messages of the server.
    Control,
    /// Answers to the client, which are kept if there is no room.
    Answer,
}

/// The queue of one client.
pub(crate) struct Queue {
    limits: QueueLimits,
    /// The bytes a second that are assumed to be taken where there is no meter.
    assumed_rate: usize,
    gate: Arc<Gate>,
    state: Mutex<QueueState>,
}

struct QueueState {
    outflow: OutflowRate,
    /// The bytes handed over since all were taken.
    handed: u64,
    /// The bytes that had been taken then.
    base: u64,
    /// The ends of the packets that wait, counted as `handed`.
    packets: VecDeque<u64>,
    /// The bytes that must have been taken before anything is relayed again: the connection's channel was
    /// full although there seemed to be room.
    stalled_until: u64,
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
            (self.handed, self.base, self.stalled_until) = (0, total, 0);
            self.packets.clear();
            return 0;
        }
        while self.packets.front().is_some_and(|end| *end <= taken) {
            self.packets.pop_front();
        }
        self.handed - taken
    }

    fn is_over(&self, waiting: u64, bytes: usize, packets: usize) -> bool {
        waiting > bytes as u64 || self.packets.len() > packets
    }

    /// Returns the bytes that the network will have taken when no more than this waits.
    fn until(&self, bytes: usize, packets: usize) -> u64 {
        let of_bytes = self.handed.saturating_sub(bytes as u64);
        let over = self.packets.len().checked_sub(packets + 1);
        let of_packets = over.and_then(|at| self.packets.get(at)).copied().unwrap_or(0);
        self.base + of_bytes.max(of_packets)
    }
}

impl Queue {
    pub(crate) fn new(limits: QueueLimits, assumed_rate: usize) -> Arc<Self> {
        let outflow = OutflowRate::Assumed { since: Instant::now(), rate: assumed_rate };
        let state = QueueState {
            outflow,
            handed: 0,
            base: 0,
            packets: VecDeque::new(),
            stalled_until: 0,
            overfull: false,
        };
        Arc::new(Self { limits, assumed_rate, gate: Gate::new(), state: Mutex::new(state) })
    }

    /// Returns the gate that is closed while the queue is over a limit. Without a meter it stays open.
    pub(crate) const fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// Sets the meter of the connection. Without one a rate is assumed.
    pub(crate) fn set_meter(&self, meter: Option<Arc<Meter>>) {
        let outflow = match meter {
            Some(meter) => OutflowRate::Metered(meter),
            None => OutflowRate::Assumed { since: Instant::now(), rate: self.assumed_rate },
        };
        let mut state = self.lock();
        state.base = outflow.total();
        (state.handed, state.stalled_until) = (0, 0);
        state.packets.clear();
        state.outflow = outflow;
        self.gate.set_closed(false);
    }

    /// Counts the bytes of a packet that is about to be handed over. Returns `false` if there is no room
    /// for them; they must not be handed over then.
    pub(crate) fn reserve(self: &Arc<Self>, bytes: usize, class: Class) -> bool {
        let bytes = bytes as u64;
        let mut state = self.lock();
        let waiting = state.waiting();
        let QueueLimits { relayed, soft, hard } = self.limits;
        let has_room = match class {
            // A message that is longer than the limit would otherwise never be sent.
            Class::Relayed => {
                let is_stalled =
                    state.stalled_until > 0 && state.outflow.total() < state.stalled_until;
                waiting == 0
                    || (waiting + bytes <= relayed as u64
                        && state.packets.len() < PACKETS
                        && !is_stalled)
            }
            // Messages of the server are short, except a list of very many clients.
            Class::Control | Class::Answer => waiting < hard as u64,
        };
        if has_room {
            state.handed += bytes;
            let end = state.handed;
            state.packets.push_back(end);
            if class != Class::Relayed && state.is_over(waiting + bytes, soft, PACKETS) {
                self.close_gate(&mut state);
            }
        } else {
            state.overfull |= class == Class::Control;
        }
        has_room
    }

    /// Takes back a packet that could not be handed over after all.
    pub(crate) fn release(&self, bytes: usize) {
        let mut state = self.lock();
        state.handed = state.handed.saturating_sub(bytes as u64);
        state.packets.pop_back();
    }

    /// Notes that the channel of the connection is full, whatever was counted.
    pub(crate) fn stall(&self) {
        let mut state = self.lock();
        let waiting = state.waiting();
        state.stalled_until = state.outflow.total() + waiting / 2;
    }

    /// Returns whether the client missed a message of the server.
    pub(crate) fn is_overfull(&self) -> bool {
        self.lock().overfull
    }

    /// Returns the bytes that wait.
    pub(crate) fn waiting(&self) -> u64 {
        self.lock().waiting()
    }

    /// Opens the gate if the meter went far enough, or has it report again.
    pub(super) fn settle(self: &Arc<Self>) {
        let mut state = self.lock();
        self.close_gate(&mut state);
    }

    /// Closes the gate until the meter has gone far enough.
    fn close_gate(self: &Arc<Self>, state: &mut QueueState) {
        let (bytes, packets) = (self.limits.soft / 2, PACKETS / 2);
        loop {
            let waiting = state.waiting();
            let OutflowRate::Metered(meter) = &state.outflow else { break };
            if !state.is_over(waiting, bytes, packets) {
                break;
            }
            self.gate.set_closed(true);
            if meter.tell(self, state.until(bytes, packets)) {
                return;
            }
        }
        self.gate.set_closed(false);
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
