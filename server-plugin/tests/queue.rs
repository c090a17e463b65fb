//! The queue of a client: the bytes that were handed over and those that were taken; and the gates that
//! hold back whoever fills it.

/// The primitives that the library has from `std`.
mod sync {
    pub(crate) use std::sync::{Arc, Mutex, MutexGuard, PoisonError, atomic};
}

#[path = "../src/outbound/gate.rs"]
mod gate;
#[path = "../src/outbound/queue.rs"]
mod queue;

use std::{
    future::poll_fn,
    pin::pin,
    sync::Arc,
    task::{Context, Waker},
};

use crate::gate::{Gate, Intake};
use crate::queue::{
    Class::{Answer, Control, Relayed},
    Meter, Queue, QueueLimits,
};

const LIMITS: QueueLimits = QueueLimits { relayed: 100, soft: 100, hard: 200 };

fn metered() -> (Arc<Queue>, Arc<Meter>) {
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

#[test]
fn answers_close_the_gate_above_the_soft_limit_and_it_opens_below_half() {
    let (queue, meter) = metered();

    assert!(queue.reserve(100, Answer) && !queue.gate().is_closed());
    assert!(queue.reserve(50, Answer) && queue.gate().is_closed());
    meter.took(99);
    assert!(queue.gate().is_closed());
    meter.took(1);
    assert!(!queue.gate().is_closed());
}

#[test]
fn what_is_handed_over_meanwhile_keeps_the_gate_closed_for_longer() {
    let (queue, meter) = metered();
    assert!(queue.reserve(150, Answer));

    meter.took(60);
    assert!(queue.reserve(100, Answer));
    meter.took(139);
    assert!(queue.gate().is_closed());
    meter.took(1);
    assert!(!queue.gate().is_closed());
}

#[test]
fn many_small_packets_close_the_gate_as_well() {
    let queue = Queue::new(QueueLimits { relayed: 1 << 20, soft: 1 << 20, hard: 1 << 21 }, 0);
    let meter = Arc::new(Meter::new());
    queue.set_meter(Some(meter.clone()));

    let relayed = (0..2000).take_while(|_| queue.reserve(10, Relayed)).count();
    assert_eq!((relayed, queue.gate().is_closed()), (768, false));
    assert!(queue.reserve(10, Answer) && queue.gate().is_closed());
    meter.took(10 * 384);
    assert!(queue.gate().is_closed());
    meter.took(10);
    assert!(!queue.gate().is_closed() && queue.reserve(10, Relayed));
}

#[test]
fn a_new_meter_opens_the_gate() {
    let (queue, _meter) = metered();
    assert!(queue.reserve(150, Answer) && queue.gate().is_closed());

    queue.set_meter(Some(Arc::new(Meter::new())));

    assert!(!queue.gate().is_closed());
}

#[test]
fn an_answer_without_room_is_not_missed() {
    let (queue, _meter) = metered();
    assert!(queue.reserve(200, Answer));

    assert!(!queue.reserve(1, Answer));

    assert!(!queue.is_overfull(), "it is kept elsewhere");
}

#[test]
fn a_channel_that_was_full_is_relayed_nothing_until_half_of_it_is_taken() {
    let (queue, meter) = metered();
    assert!(queue.reserve(60, Relayed) && queue.reserve(10, Relayed));
    queue.release(10);

    queue.stall();

    assert!(!queue.reserve(10, Relayed));
    meter.took(29);
    assert!(!queue.reserve(10, Relayed));
    meter.took(1);
    assert!(queue.reserve(10, Relayed));
}

fn is_open(intake: &Intake) -> bool {
    let mut cx = Context::from_waker(Waker::noop());
    pin!(poll_fn(|cx| intake.poll_open(cx))).poll(&mut cx).is_ready()
}

#[test]
fn reading_waits_while_any_of_its_gates_is_closed() {
    let (first, second, intake) = (Gate::new(), Gate::new(), Arc::new(Intake::new()));
    let _attached = [first.attach(&intake), second.attach(&intake)];

    assert!(is_open(&intake));
    first.set_closed(true);
    second.set_closed(true);
    second.set_closed(true);
    assert!(!is_open(&intake));
    first.set_closed(false);
    assert!(!is_open(&intake));
    second.set_closed(false);
    assert!(is_open(&intake));
}

#[test]
fn a_gate_that_is_gone_holds_nobody_back() {
    let (gate, intake) = (Gate::new(), Arc::new(Intake::new()));
    gate.set_closed(true);

    let attached = gate.attach(&intake);
    assert!(!is_open(&intake));
    drop(attached);
    assert!(is_open(&intake));

    gate.set_closed(false);
    gate.set_closed(true);
    assert!(is_open(&intake));
}

#[tokio::test]
async fn who_waits_goes_on_when_the_gate_opens() {
    let (gate, intake) = (Gate::new(), Arc::new(Intake::new()));
    let _attached = gate.attach(&intake);
    gate.set_closed(true);

    let waiting = poll_fn(|cx| intake.poll_open(cx));
    tokio::join!(waiting, async { gate.set_closed(false) });
}

#[test]
fn two_that_fill_each_other_both_go_on_once_both_read() {
    let ((first, to_first), (second, to_second)) = (metered(), metered());
    let intakes = [Arc::new(Intake::new()), Arc::new(Intake::new())];
    let _attached = [second.gate().attach(&intakes[0]), first.gate().attach(&intakes[1])];

    assert!(first.reserve(150, Answer) && second.reserve(150, Answer));
    assert!(intakes.iter().all(|intake| !is_open(intake)));
    // Sending does not depend on reading.
    to_first.took(150);
    to_second.took(150);

    assert!(intakes.iter().all(|intake| is_open(intake)));
}
