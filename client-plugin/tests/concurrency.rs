//! The state that threads share, under many interleavings.
//!
//! The files of the library are compiled once more, with shuttle's primitives as `crate::sync`.

/// The primitives that the library takes from `std`.
mod sync {
    pub(crate) use std::sync::PoisonError;

    pub(crate) use shuttle::sync::{Mutex, MutexGuard};
}

#[expect(dead_code, reason = "waiting needs a runtime")]
#[path = "../src/actor/emit_queue.rs"]
mod emit_queue;

use std::sync::Arc;

use shuttle::{
    check_random,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use crate::emit_queue::{EmitQueue, Place};

const LANE: u8 = 1;

/// The first entry of a queue.
const FIRST: Place<u8> = Place { lane: LANE, number: 0 };

const ORDERS: usize = 1000;

/// The operations of the actor and of a caller on an emit.
trait Handover: Send + Sync + 'static {
    fn new() -> Self;
    fn take(&self) -> bool;
    fn withdraw(&self) -> bool;
}

impl Handover for EmitQueue<u8, ()> {
    fn new() -> Self {
        let queue = Self::new();
        queue.push(LANE, ());
        queue
    }

    fn take(&self) -> bool {
        self.take(|_| true).is_some()
    }

    fn withdraw(&self) -> bool {
        self.withdraw(FIRST).is_some()
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
    let emit = Arc::new(T::new());
    let of_actor = emit.clone();

    let actor = thread::spawn(move || of_actor.take());
    let withdrawn = emit.withdraw();
    let taken = actor.join().unwrap();

    assert!(taken != withdrawn, "taken: {taken}, withdrawn: {withdrawn}");
    assert!(!emit.take() && !emit.withdraw(), "it is decided once");
}

#[test]
fn an_emit_is_either_taken_or_withdrawn() {
    check_random(an_emit_has_one_owner::<EmitQueue<u8, ()>>, ORDERS);
}

#[test]
#[should_panic(expected = "taken: true, withdrawn: true")]
fn a_claim_that_reads_before_it_writes_is_caught() {
    check_random(an_emit_has_one_owner::<Hasty>, ORDERS);
}

/// A queue that closes while one caller emits and another withdraws.
fn each_emit_has_one_end() {
    let queue = Arc::new(EmitQueue::new());
    let first = queue.push(LANE, 1).unwrap();

    let withdrawing = queue.clone();
    let withdraws = thread::spawn(move || withdrawing.withdraw(first).is_some());
    let emitting = queue.clone();
    let emits = thread::spawn(move || emitting.push(LANE + 1, 2).is_some());
    let taken = Vec::from_iter(queue.take(|_| true));
    let left = Vec::from_iter(queue.close());

    let (was_withdrawn, was_accepted) = (withdraws.join().unwrap(), emits.join().unwrap());
    let ended = |emit| taken.iter().chain(&left).filter(|it| **it == emit).count();
    assert_eq!(ended(1), usize::from(!was_withdrawn));
    assert_eq!(ended(2), usize::from(was_accepted));
    assert!(taken.iter().chain(&left).is_sorted(), "{taken:?}, {left:?}");
}

#[test]
fn an_emit_at_the_end_of_its_client_is_taken_or_withdrawn_or_refused_or_left() {
    check_random(each_emit_has_one_end, ORDERS);
}
