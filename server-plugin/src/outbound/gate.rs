//! Backpressure: a queue that is full holds back the reading from the client that fills it.
//!
//! A [`Gate`] stands before a queue, and is closed while the queue is full. An [`Intake`] is the reading
//! from one client. It goes on while all gates to which it is attached are open. Sending goes on
//! regardless, so two clients that fill each other's queues both find them emptied. What frees a queue must not
//! stand behind its own gate: so the gate before a client's events stays open for longer while the client owes
//! answers.

use std::task::{Context, Poll, Waker};

use crate::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

/// The reading from one client, by all streams on which it comes.
#[derive(Debug)]
pub(crate) struct Intake {
    /// The closed gates to which it is attached.
    closed: AtomicUsize,
    /// The streams that wait.
    readers: Mutex<Vec<Waker>>,
}

impl Intake {
    pub(crate) fn new() -> Self {
        Self { closed: AtomicUsize::new(0), readers: Mutex::new(Vec::new()) }
    }

    /// Returns whether nothing may be read at present.
    pub(crate) fn is_held(&self) -> bool {
        self.closed.load(Ordering::Acquire) > 0
    }

    /// Waits until something may be read.
    pub(crate) fn poll_open(&self, cx: &Context<'_>) -> Poll<()> {
        if !self.is_held() {
            return Poll::Ready(());
        }
        let mut readers = self.lock();
        // The last gate is opened before the readers are woken.
        if !self.is_held() {
            return Poll::Ready(());
        }
        if !readers.iter().any(|reader| reader.will_wake(cx.waker())) {
            readers.push(cx.waker().clone());
        }
        Poll::Pending
    }

    fn hold(&self) {
        self.closed.fetch_add(1, Ordering::AcqRel);
    }

    fn release(&self) {
        if self.closed.fetch_sub(1, Ordering::AcqRel) == 1 {
            let readers = std::mem::take(&mut *self.lock());
            readers.into_iter().for_each(Waker::wake);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Waker>> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A gate before a queue. It is opened and closed by one thread at a time.
#[derive(Debug)]
pub(crate) struct Gate {
    closed: AtomicBool,
    intakes: Mutex<Vec<Arc<Intake>>>,
}

impl Gate {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { closed: AtomicBool::new(false), intakes: Mutex::new(Vec::new()) })
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Opens or closes it.
    pub(crate) fn set_closed(&self, closed: bool) {
        if self.is_closed() == closed {
            return;
        }
        let intakes = self.lock();
        self.closed.store(closed, Ordering::Relaxed);
        for intake in &*intakes {
            if closed { intake.hold() } else { intake.release() }
        }
    }

    /// Lets a reading wait while the gate is closed, until the result is dropped.
    pub(crate) fn attach(self: &Arc<Self>, intake: &Arc<Intake>) -> Attached {
        let mut intakes = self.lock();
        if self.is_closed() {
            intake.hold();
        }
        intakes.push(intake.clone());
        Attached { gate: self.clone(), intake: intake.clone() }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Intake>>> {
        self.intakes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A reading that is attached to a gate.
#[derive(Debug)]
pub(crate) struct Attached {
    gate: Arc<Gate>,
    intake: Arc<Intake>,
}

impl Drop for Attached {
    fn drop(&mut self) {
        let Self { gate, intake } = self;
        let mut intakes = gate.lock();
        if let Some(at) = intakes.iter().position(|other| Arc::ptr_eq(other, intake)) {
            intakes.swap_remove(at);
            if gate.is_closed() {
                intake.release();
            }
        }
    }
}
