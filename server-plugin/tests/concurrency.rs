//! The state that threads share, in many of the orders in which it can be used.
//!
//! The files of the library are compiled once more, with the primitives of shuttle as `crate::sync`.

#![allow(dead_code, reason = "the library's files have more than what threads share")]

/// The primitives that the library has from `std`.
mod sync {
    pub(crate) use std::sync::PoisonError;

    pub(crate) use shuttle::sync::{
        Arc, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard, atomic,
    };
}

#[path = "../src/step/connections.rs"]
mod connections;
#[path = "../src/outbound/gate.rs"]
mod gate;
#[path = "../src/outbound/queue.rs"]
mod queue;
#[path = "../src/relay/route_cell.rs"]
mod route_cell;

use shuttle::{
    check_random,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
};

use socketio_p2p_protocol::ConnId;

use crate::{
    connections::Connections,
    queue::{Class, Meter, Queue, QueueLimits},
    route_cell::{Announced, RouteCell},
};

const ORDERS: usize = 2000;

const LIMITS: QueueLimits = QueueLimits { relayed: 30, soft: 30, hard: 60 };

/// A way to hand over a message of so many bytes.
type HandOver = fn(&Arc<Queue>, usize, Class, &mpsc::Sender<usize>);

fn counted_before(queue: &Arc<Queue>, bytes: usize, class: Class, socket: &mpsc::Sender<usize>) {
    if queue.reserve(bytes, class) {
        socket.send(bytes).unwrap();
    }
}

/// Counts too late: the network may take it before, and then it seems to wait for ever.
fn counted_after(queue: &Arc<Queue>, bytes: usize, class: Class, socket: &mpsc::Sender<usize>) {
    socket.send(bytes).unwrap();
    queue.reserve(bytes, class);
}

/// Lets a partner and the server send to one client, which reads what comes.
fn what_was_taken_does_not_wait(hand_over: HandOver) {
    let meter = Arc::new(Meter::new());
    let queue = Queue::new(LIMITS, 0);
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

/// A way to decide whether bytes may be handed over, and to count them: in one step, or in two.
type Reserve = fn(&Arc<Queue>) -> bool;

fn two_speak_at_once(reserve: Reserve) {
    let queue = Queue::new(LIMITS, 0);
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

/// A way to wait until a pairing is known on both sides.
trait Waits: Send + Sync + 'static {
    fn not_yet() -> Self;
    fn wait(&self, for_present_step: impl FnOnce());
}

impl Waits for Announced {
    fn not_yet() -> Self {
        Self::not_yet()
    }

    fn wait(&self, for_present_step: impl FnOnce()) {
        self.wait(for_present_step);
    }
}

/// A latch that opens before it has waited: a second thread does not wait.
struct Hasty(AtomicBool);

impl Waits for Hasty {
    fn not_yet() -> Self {
        Self(AtomicBool::new(false))
    }

    fn wait(&self, for_present_step: impl FnOnce()) {
        if !self.0.swap(true, Ordering::SeqCst) {
            for_present_step();
        }
    }
}

/// Sets a route and tells both ends in one step. The first end sends at once, on two threads: over
/// polling two requests may come at a time.
fn the_news_comes_first<T: Waits>() {
    let broker = Arc::new(Mutex::new(()));
    let cell = Arc::new(RouteCell::<T>::empty());
    let second_knows = Arc::new(AtomicBool::new(false));

    let speaking = [(); 2].map(|()| {
        let (broker, cell, second_knows) = (broker.clone(), cell.clone(), second_knows.clone());
        thread::spawn(move || {
            let Some(announced) = cell.read() else { return };
            announced.wait(|| drop(broker.lock().unwrap()));
            assert!(second_knows.load(Ordering::SeqCst), "the news came after a message");
        })
    });
    {
        let _step = broker.lock().unwrap();
        cell.replace(Some(Arc::new(T::not_yet())));
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
    check_random(the_news_comes_first::<Announced>, ORDERS);
}

#[test]
#[should_panic(expected = "the news came after a message")]
fn taking_note_before_waiting_is_caught() {
    check_random(the_news_comes_first::<Hasty>, ORDERS);
}

const CONN: ConnId = ConnId(1);

/// A socket, which is either open or closed.
type Closed = Arc<AtomicBool>;

/// A way to make a new connection known, to the broker and to the shell around it.
type Admit = fn(&Connections<Closed>, &Mutex<bool>, Closed);

fn known_to_the_shell_first(connections: &Connections<Closed>, broker: &Mutex<bool>, new: Closed) {
    let admitted = connections.admit(CONN, new, || {
        *broker.lock().unwrap() = true;
        Ok::<(), ()>(())
    });
    admitted.unwrap();
}

fn known_to_the_broker_first(connections: &Connections<Closed>, broker: &Mutex<bool>, new: Closed) {
    *broker.lock().unwrap() = true;
    connections.admit(CONN, new, || Ok::<(), ()>(())).unwrap();
}

/// Removes a client on one thread, as a kick, a take-over or a second resume does, while another
/// thread admits it.
fn a_client_is_removed_while_it_is_admitted(admit: Admit) {
    let broker = Arc::new(Mutex::new(false));
    let connections = Arc::new(Connections::<Closed>::new());
    let closed = Arc::new(AtomicBool::new(false));

    let removing = {
        let (broker, connections) = (broker.clone(), connections.clone());
        thread::spawn(move || {
            let removes = std::mem::replace(&mut *broker.lock().unwrap(), false);
            if removes && let Some(socket) = connections.remove(CONN) {
                socket.store(true, Ordering::SeqCst);
            }
        })
    };
    admit(&connections, &broker, closed.clone());
    removing.join().unwrap();

    let is_known = *broker.lock().unwrap();
    assert_ne!(is_known, closed.load(Ordering::SeqCst), "nobody closes its socket");
    assert_eq!(is_known, connections.get(CONN).is_some());
}

#[test]
fn a_client_that_is_removed_while_it_is_admitted_is_closed() {
    check_random(|| a_client_is_removed_while_it_is_admitted(known_to_the_shell_first), ORDERS);
}

#[test]
#[should_panic(expected = "nobody closes its socket")]
fn a_client_that_the_broker_knows_before_the_shell_is_caught() {
    check_random(|| a_client_is_removed_while_it_is_admitted(known_to_the_broker_first), ORDERS);
}

#[test]
fn a_gate_is_open_once_everything_is_taken_in_every_order() {
    let fill_and_take = || {
        let (queue, meter) = (Queue::new(LIMITS, 0), Arc::new(Meter::new()));
        queue.set_meter(Some(meter.clone()));
        let (socket, network) = mpsc::channel();
        let partner = {
            let queue = queue.clone();
            thread::spawn(move || {
                for _ in 0..4 {
                    while !queue.reserve(20, Class::Answer) {
                        thread::yield_now();
                    }
                    socket.send(20).unwrap();
                }
            })
        };

        while let Ok(bytes) = network.recv() {
            meter.took(bytes);
        }

        partner.join().unwrap();
        assert!(!queue.gate().is_closed());
    };
    check_random(fill_and_take, ORDERS);
}
