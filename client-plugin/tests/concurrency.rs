//! The state that threads share, under many interleavings.
//!
//! The files of the library are compiled once more, with shuttle's primitives as `crate::sync`.

/// The primitives that the library takes from `std`.
mod sync {
    pub(crate) use shuttle::sync::atomic;
}

#[path = "../src/actor/claim.rs"]
mod claim;

use std::sync::Arc;

use shuttle::{
    check_random,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use crate::claim::Claim;

const ORDERS: usize = 1000;

/// The operations of the actor and of a caller on an emit.
trait Handover: Send + Sync + 'static {
    fn new() -> Self;
    fn take(&self) -> bool;
    fn withdraw(&self) -> bool;
}

impl Handover for Claim {
    fn new() -> Self {
        Self::new()
    }

    fn take(&self) -> bool {
        self.take()
    }

    fn withdraw(&self) -> bool {
        self.withdraw()
    }
}

/// A claim that reads first and writes later.
struct Hasty(AtomicBool);

impl Hasty {
    fn set(&self) -> bool {
        let free = !self.0.load(Ordering::SeqCst);
        if free {
            self.0.store(true, Ordering::SeqCst);
        }
        free
    }
}

impl Handover for Hasty {
    fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    fn take(&self) -> bool {
        self.set()
    }

    fn withdraw(&self) -> bool {
        self.set()
    }
}

/// Withdraws an emit at its deadline while the actor takes it.
fn an_emit_has_one_owner<T: Handover>() {
    let claim = Arc::new(T::new());
    let of_actor = claim.clone();

    let actor = thread::spawn(move || of_actor.take());
    let withdrawn = claim.withdraw();
    let taken = actor.join().unwrap();

    assert!(taken != withdrawn, "taken: {taken}, withdrawn: {withdrawn}");
    assert!(!claim.take() && !claim.withdraw(), "it is decided once");
}

#[test]
fn an_emit_is_either_taken_or_withdrawn() {
    check_random(an_emit_has_one_owner::<Claim>, ORDERS);
}

#[test]
#[should_panic(expected = "taken: true, withdrawn: true")]
fn a_claim_that_reads_before_it_writes_is_caught() {
    check_random(an_emit_has_one_owner::<Hasty>, ORDERS);
}
