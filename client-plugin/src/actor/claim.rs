//! Who has an emit: its caller, who may take it back, or the actor, who sends it.

use crate::sync::atomic::{AtomicU8, Ordering};

/// Whether an emit was taken up or taken back: one of the two, once.
#[derive(Debug)]
pub(crate) struct Ticket(AtomicU8);

const WAITING: u8 = 0;
const TAKEN: u8 = 1;
const WITHDRAWN: u8 = 2;

impl Ticket {
    pub(crate) fn new() -> Self {
        Self(AtomicU8::new(WAITING))
    }

    fn set(&self, state: u8) -> bool {
        self.0.compare_exchange(WAITING, state, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// For the actor: it will be sent, unless its caller took it back.
    pub(crate) fn take(&self) -> bool {
        self.set(TAKEN)
    }

    /// For the caller: it will not be sent, unless the actor has it already.
    pub(crate) fn withdraw(&self) -> bool {
        self.set(WITHDRAWN)
    }
}
