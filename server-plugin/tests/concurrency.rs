//! State shared between threads, in many of the orders in which it can be used.
//!
//! The files of the library are compiled once more, with shuttle's primitives as `crate::sync`.

#![allow(dead_code, reason = "the library's files have more than what threads share")]

/// The types that the library takes from `std`.
mod sync {
    pub(crate) use std::sync::PoisonError;

    pub(crate) use shuttle::sync::{Arc, Mutex, MutexGuard, RwLock, atomic};
}

#[path = "../src/queue.rs"]
mod queue;
#[path = "../src/slot.rs"]
mod slot;

use shuttle::{
    check_random,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
};

use crate::{
    queue::{Class, Meter, Queue, QueueLimits},
    slot::{News, Slot},
};

const ORDERS: usize = 2000;

const LIMITS: QueueLimits = QueueLimits { soft: 30, hard: 60 };

/// A way to hand over a message of so many bytes.
type HandOver = fn(&Queue, usize, Class, &mpsc::Sender<usize>);

fn counted_before(queue: &Queue, bytes: usize, class: Class, socket: &mpsc::Sender<usize>) {
    if queue.reserve(bytes, class) {
        socket.send(bytes).unwrap();
    }
}

/// The network may take it before it is counted: then it seems to wait for ever.
fn counted_after(queue: &Queue, bytes: usize, class: Class, socket: &mpsc::Sender<usize>) {
    socket.send(bytes).unwrap();
    queue.reserve(bytes, class);
}

/// A partner and the server say something to one client, which reads what comes.
fn what_was_taken_does_not_wait(hand_over: HandOver) {
    let meter = Arc::new(Meter::new());
    let queue = Arc::new(Queue::new(LIMITS, 0));
    queue.set_meter(Some(meter.clone()));
    let (socket, network) = mpsc::channel();

    let reading = thread::spawn(move || {
        while let Ok(bytes) = network.recv() {
            meter.took(bytes);
        }
    });
    let speaking = [Class::Relayed, Class::Control].map(|class| {
        let (queue, socket) = (queue.clone(), socket.clone());
        thread::spawn(move || {
            for _ in 0..3 {
                hand_over(&queue, 10, class, &socket);
            }
        })
    });
    for speaker in speaking {
        speaker.join().unwrap();
    }
    drop(socket);
    reading.join().unwrap();

    assert_eq!(queue.waiting(), 0, "all was taken");
}

#[test]
fn what_the_network_took_does_not_wait() {
    check_random(|| what_was_taken_does_not_wait(counted_before), ORDERS);
}

#[test]
#[should_panic(expected = "all was taken")]
fn counting_after_the_handing_over_is_caught() {
    check_random(|| what_was_taken_does_not_wait(counted_after), ORDERS);
}

/// A reservation of room, decided and counted in one step or in two.
type Reserve = fn(&Queue) -> bool;

fn two_speak_at_once(reserve: Reserve) {
    let queue = Arc::new(Queue::new(LIMITS, 0));
    queue.set_meter(Some(Arc::new(Meter::new())));
    let speaking = [(); 2].map(|()| {
        let queue = queue.clone();
        thread::spawn(move || (0..3).filter(|_| reserve(&queue)).count())
    });

    let admitted: usize = speaking.into_iter().map(|speaker| speaker.join().unwrap()).sum();

    assert_eq!(admitted, 3, "the limit was passed");
    assert_eq!(queue.waiting(), 30);
}

#[test]
fn two_that_speak_at_once_do_not_pass_the_limit() {
    check_random(|| two_speak_at_once(|queue| queue.reserve(10, Class::Relayed)), ORDERS);
}

#[test]
#[should_panic(expected = "the limit was passed")]
fn looking_before_counting_is_caught() {
    let in_two_steps: Reserve = |queue| {
        let has_room = queue.waiting() < 30;
        has_room && queue.reserve(10, Class::Control)
    };
    check_random(move || two_speak_at_once(in_two_steps), ORDERS);
}

/// A latch on which the holder of a route waits until its pairing is known on both sides.
trait Waits: Send + Sync + 'static {
    fn untold() -> Self;
    fn wait(&self, for_present_step: impl FnOnce());
}

impl Waits for News {
    fn untold() -> Self {
        Self::untold()
    }

    fn wait(&self, for_present_step: impl FnOnce()) {
        self.wait(for_present_step);
    }
}

/// One that takes note before it has waited: whoever comes second does not wait.
struct Hasty(AtomicBool);

impl Waits for Hasty {
    fn untold() -> Self {
        Self(AtomicBool::new(false))
    }

    fn wait(&self, for_present_step: impl FnOnce()) {
        if !self.0.swap(true, Ordering::SeqCst) {
            for_present_step();
        }
    }
}

/// A step sets a route and tells both ends; the first speaks at once, on two threads: over polling
/// two requests may come at a time.
fn the_news_comes_first<T: Waits>() {
    let broker = Arc::new(Mutex::new(()));
    let slot = Arc::new(Slot::<T>::empty());
    let second_knows = Arc::new(AtomicBool::new(false));

    let speaking = [(); 2].map(|()| {
        let (broker, slot, second_knows) = (broker.clone(), slot.clone(), second_knows.clone());
        thread::spawn(move || {
            let Some(news) = slot.read() else { return };
            news.wait(|| drop(broker.lock().unwrap()));
            assert!(second_knows.load(Ordering::SeqCst), "the news came after a message");
        })
    });
    {
        let _step = broker.lock().unwrap();
        slot.replace(Some(Arc::new(T::untold())));
        // Here the first is told.
        thread::yield_now();
        second_knows.store(true, Ordering::SeqCst);
    }
    for speaker in speaking {
        speaker.join().unwrap();
    }
}

#[test]
fn no_message_overtakes_the_news_of_its_pairing() {
    check_random(the_news_comes_first::<News>, ORDERS);
}

#[test]
#[should_panic(expected = "the news came after a message")]
fn taking_note_before_waiting_is_caught() {
    check_random(the_news_comes_first::<Hasty>, ORDERS);
}
