//! The acknowledgements that v1 clients owe, in the order in which they come.
//!
//! socketioxide (0.18.9) hands an acknowledgement to the future that waits for it, but calls the handler of an event
//! itself. So an event could overtake the acknowledgement before it. What must not overtake one first has those
//! handled that have come: without a look at all the others that are owed.
//!
//! All of a connection or of a pairing are waited for together, by one task: a task for each would take more memory
//! than the events themselves.

use std::{
    collections::{BTreeMap, VecDeque},
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Wake, Waker},
};

use socketio_p2p_protocol::{Args, peer::v1::NoAck};
use tokio::{sync::Notify, task::unconstrained};

use crate::outbound::socket::Acknowledged;

/// The acknowledgements that are owed, by what each is about.
pub(crate) struct Awaited<K> {
    owed: BTreeMap<K, OwedAck>,
    arrivals: Arc<Arrivals<K>>,
}

/// Names of acknowledgements.
pub(crate) trait AckKey: Copy + Ord + Send + Sync + 'static {}

/// An acknowledgement that is owed.
enum OwedAck {
    /// Its arrival would not be noticed.
    New(Acknowledged, Waker),
    /// Its arrival is noted when it comes.
    Waiting(Acknowledged, Waker),
    /// It came before it was looked at first: behind those whose arrival was noted by then.
    Came(Result<Args, NoAck>),
}

/// Names of the acknowledgements that may have come.
#[derive(Debug)]
pub(crate) struct Arrivals<K> {
    keys: Mutex<VecDeque<K>>,
    /// Notified with each of them.
    task: Notify,
}

struct Arrival<K> {
    key: K,
    arrivals: Arc<Arrivals<K>>,
}

impl<K: AckKey> Awaited<K> {
    /// Returns where arrivals are noted.
    pub(crate) const fn arrivals(&self) -> &Arc<Arrivals<K>> {
        &self.arrivals
    }

    /// Waits for an acknowledgement. It counts as one that may have come.
    pub(crate) fn expect(&mut self, key: K, ack: Acknowledged) {
        let arrivals = self.arrivals.clone();
        let waker = Arc::new(Arrival { key, arrivals }).into();
        self.owed.insert(key, OwedAck::New(ack, waker));
        self.arrivals.lock().push_back(key);
    }

    /// Does not wait for an acknowledgement any more.
    pub(crate) fn forget(&mut self, key: K) {
        self.owed.remove(&key);
    }

    /// Does not wait any more for the first in the order of the names, if more than so many are waited for.
    pub(crate) fn forget_beyond(&mut self, limit: usize) {
        if self.owed.len() > limit {
            self.owed.pop_first();
        }
    }

    /// Does not wait for any.
    pub(crate) fn clear(&mut self) {
        self.owed.clear();
    }

    /// Returns whether none is waited for.
    pub(crate) fn is_empty(&self) -> bool {
        self.owed.is_empty()
    }

    /// Returns the number of those that are waited for.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.owed.len()
    }

    /// Returns the next acknowledgement that has come, or the reason for its absence.
    pub(crate) fn next(&mut self) -> Option<(K, Result<Args, NoAck>)> {
        loop {
            let key = self.arrivals.lock().pop_front()?;
            let Some(owed) = self.owed.remove(&key) else { continue };
            let (mut ack, waker, is_new) = match owed {
                OwedAck::New(ack, waker) => (ack, waker, true),
                OwedAck::Waiting(ack, waker) => (ack, waker, false),
                OwedAck::Came(ack) => return Some((key, ack)),
            };
            // A read loop that has used up its turn would not be shown that it is there.
            let polled = pin!(unconstrained(ack.as_mut())).poll(&mut Context::from_waker(&waker));
            match polled {
                Poll::Pending => _ = self.owed.insert(key, OwedAck::Waiting(ack, waker)),
                Poll::Ready(ack) if is_new => {
                    self.owed.insert(key, OwedAck::Came(ack));
                    self.arrivals.lock().push_back(key);
                }
                Poll::Ready(ack) => return Some((key, ack)),
            }
        }
    }
}

impl<K> Default for Awaited<K> {
    fn default() -> Self {
        let arrivals = Arrivals { keys: Mutex::default(), task: Notify::new() };
        Self { owed: BTreeMap::new(), arrivals: Arc::new(arrivals) }
    }
}

impl<K> Arrivals<K> {
    /// Wakes the task that waits, to look after something else.
    pub(crate) fn notify(&self) {
        self.task.notify_one();
    }

    /// Waits for an arrival. Cancel safe.
    pub(crate) async fn wait(&self) {
        self.task.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<K>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: AckKey> Wake for Arrival<K> {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.arrivals.lock().push_back(self.key);
        self.arrivals.notify();
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    impl AckKey for u64 {}

    fn owe(awaited: &mut Awaited<u64>, seq: u64) -> oneshot::Sender<Args> {
        let (sender, receiver) = oneshot::channel();
        let ack = async move { receiver.await.map_err(|_| NoAck::Gone) };
        awaited.expect(seq, Box::pin(ack));
        sender
    }

    fn come(awaited: &mut Awaited<u64>) -> Vec<(u64, bool)> {
        std::iter::from_fn(|| awaited.next()).map(|(seq, ack)| (seq, ack.is_ok())).collect()
    }

    #[test]
    fn one_that_comes_before_it_is_looked_at_does_not_overtake_those_that_came_before() {
        let mut awaited = Awaited::default();
        let one = owe(&mut awaited, 1);
        assert_eq!(come(&mut awaited), []);
        let two = owe(&mut awaited, 2);

        one.send(Args::default()).unwrap();
        two.send(Args::default()).unwrap();

        assert_eq!(come(&mut awaited), [(1, true), (2, true)]);
    }

    #[test]
    fn acknowledgements_are_handled_in_the_order_in_which_they_come() {
        let mut awaited = Awaited::default();
        let [one, two, three] = [1, 2, 3].map(|seq| owe(&mut awaited, seq));
        assert_eq!(come(&mut awaited), []);

        three.send(Args::default()).unwrap();
        drop(one);
        two.send(Args::default()).unwrap();

        assert_eq!(come(&mut awaited), [(3, true), (1, false), (2, true)]);
    }

    #[test]
    fn one_that_comes_at_once_is_handled() {
        let mut awaited = Awaited::default();
        owe(&mut awaited, 1).send(Args::default()).unwrap();

        assert_eq!(come(&mut awaited), [(1, true)]);
    }

    #[test]
    fn one_that_nobody_waits_for_any_more_is_dropped() {
        let mut awaited = Awaited::default();
        let [one, two] = [1, 2].map(|seq| owe(&mut awaited, seq));
        assert_eq!(come(&mut awaited), []);

        awaited.forget(1);

        assert!(one.is_closed() && one.send(Args::default()).is_err());
        two.send(Args::default()).unwrap();
        assert_eq!(come(&mut awaited), [(2, true)]);
    }
}
