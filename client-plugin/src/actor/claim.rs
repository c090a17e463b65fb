//! The claim on an emit: either its caller withdraws it, or the actor takes it and sends it.

use crate::sync::atomic::{AtomicU8, Ordering};

/// A claim that is decided once, for one of two sides.
#[derive(Debug)]
pub(crate) struct Claim(AtomicU8);

const UNDECIDED: u8 = 0;
const TAKEN: u8 = 1;
const WITHDRAWN: u8 = 2;

impl Claim {
    pub(crate) fn new() -> Self {
        Self(AtomicU8::new(UNDECIDED))
    }

    fn decide(&self, state: u8) -> bool {
        self.0.compare_exchange(UNDECIDED, state, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Takes the emit for the actor, which then sends it. Returns `false` if the claim was decided
    /// before.
    pub(crate) fn take(&self) -> bool {
        self.decide(TAKEN)
    }

    /// Withdraws the emit for its caller, so that it is never sent. Returns `false` if the claim was
    /// decided before.
    pub(crate) fn withdraw(&self) -> bool {
        self.decide(WITHDRAWN)
    }
}
