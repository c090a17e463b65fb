//! What threads share, in many of the orders in which it can be used.
//!
//! The files of the library are compiled once more, with shuttle's primitives as `crate::sync`.

/// What the library has from `std`.
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

use crate::claim::Ticket;

const ORDERS: usize = 1000;

/// What the actor and a caller do with an emit.
trait Handover: Send + Sync + 'static {
    fn new() -> Self;
    fn take(&self) -> bool;
    fn withdraw(&self) -> bool;
}

impl Handover for Ticket {
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

/// One that looks first and writes then.
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

/// A caller gives up, because its time is over, while the actor takes its emit up.
fn an_emit_has_one_owner<T: Handover>() {
    let ticket = Arc::new(T::new());
    let of_actor = ticket.clone();

    let actor = thread::spawn(move || of_actor.take());
    let withdrawn = ticket.withdraw();
    let taken = actor.join().unwrap();

    assert!(taken != withdrawn, "taken up: {taken}, taken back: {withdrawn}");
    assert!(!ticket.take() && !ticket.withdraw(), "it was decided once");
}

#[test]
fn an_emit_is_taken_up_or_taken_back() {
    check_random(an_emit_has_one_owner::<Ticket>, ORDERS);
}

#[test]
#[should_panic(expected = "taken up: true, taken back: true")]
fn a_ticket_that_looks_before_it_writes_is_caught() {
    check_random(an_emit_has_one_owner::<Hasty>, ORDERS);
}
