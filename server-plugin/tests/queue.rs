//! The queue of a client: the bytes that were handed over and those that were taken.

/// The primitives that the library has from `std`.
mod sync {
    pub(crate) use std::sync::{Arc, Mutex, MutexGuard, PoisonError, atomic};
}

#[path = "../src/outbound/queue.rs"]
mod queue;

use std::sync::Arc;

use crate::queue::{
    Class::{Control, Relayed},
    Meter, Queue, QueueLimits,
};

const LIMITS: QueueLimits = QueueLimits { soft: 100, hard: 200 };

fn metered() -> (Queue, Arc<Meter>) {
    let (queue, meter) = (Queue::new(LIMITS, 0), Arc::new(Meter::new()));
    meter.took(1234); // the handshake
    queue.set_meter(Some(meter.clone()));
    (queue, meter)
}

#[test]
fn nothing_is_relayed_beyond_the_soft_limit_but_the_server_may_speak() {
    let (queue, _meter) = metered();

    assert!(queue.reserve(60, Relayed) && queue.reserve(40, Relayed));

    assert!(!queue.reserve(1, Relayed));
    assert!(queue.reserve(1, Control));
    assert!(!queue.is_overfull());
}

#[test]
fn beyond_the_hard_limit_it_is_told_nothing_and_that_is_remembered() {
    let (queue, meter) = metered();
    assert!(queue.reserve(200, Control));

    assert!(!queue.reserve(1, Control));
    meter.took(200);

    assert!(queue.is_overfull(), "it missed something");
}

#[test]
fn what_was_taken_makes_room() {
    let (queue, meter) = metered();
    assert!(queue.reserve(150, Relayed) && !queue.reserve(1, Relayed));

    meter.took(49);
    assert_eq!((queue.waiting(), queue.reserve(1, Relayed)), (101, false));
    meter.took(2);
    assert_eq!((queue.waiting(), queue.reserve(1, Relayed)), (99, true));
}

#[test]
fn what_others_sent_makes_no_room_for_later() {
    let (queue, meter) = metered();
    for _ in 0..100 {
        assert!(queue.reserve(10, Relayed));
        meter.took(14);
        assert_eq!(queue.waiting(), 0);
    }

    assert!(queue.reserve(100, Relayed));
    assert!(!queue.reserve(1, Relayed));
}

#[test]
fn what_was_not_handed_over_does_not_wait() {
    let (queue, _meter) = metered();
    assert!(queue.reserve(100, Relayed));

    queue.release(100);

    assert_eq!(queue.waiting(), 0);
}

#[test]
fn without_a_meter_some_is_assumed_to_go() {
    let stuck = Queue::new(LIMITS, 0);
    assert!(stuck.reserve(100, Relayed) && !stuck.reserve(1, Relayed));

    let fast = Queue::new(LIMITS, usize::MAX);
    for _ in 0..100 {
        assert!(fast.reserve(100, Relayed));
        while fast.waiting() > 0 {}
    }
}

#[test]
fn a_message_may_be_longer_than_the_limit_where_nothing_waits() {
    let (queue, _meter) = metered();

    assert!(queue.reserve(10_000, Relayed));
    assert_eq!(queue.waiting(), 10_000);
}
