//! Acknowledgements of a v1 client, in their order among all that it sends.
//!
//! socketioxide (0.18.9) hands an acknowledgement to the task that waits for it, but calls the handler of an event
//! itself. So an event could overtake the acknowledgement before it: a client that says yes to a pairing and calls its
//! partner at once would be refused, and the answer of one that then leaves would be lost. What must not overtake first
//! has the acknowledgements handled that have come.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use serde_json::Value;
use socketio_p2p_protocol::{Args, limits::JSON_DEPTH, wire};
use tokio::task::unconstrained;

/// The acknowledgements that a client owes. The tasks that wait for them own them.
#[derive(Debug, Default)]
pub(crate) struct Answers(Mutex<Vec<Weak<Owed>>>);

/// An acknowledgement that is owed: the wait for it and its handling.
pub(crate) struct Owed {
    handling: Mutex<Option<Pin<Box<Handling>>>>,
    signal: Arc<Signal>,
}

type Handling = dyn Future<Output = ()> + Send;

/// The waker of a wait, which passes wakes on to the task that waits.
struct Signal {
    /// `true` from the beginning and from each wake on, until the next poll.
    is_due: AtomicBool,
    task: Mutex<Waker>,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_due.store(true, Ordering::Release);
        lock(&self.task).wake_by_ref();
    }
}

impl Answers {
    /// Notes that the client owes an acknowledgement, which `handling` waits for and handles.
    pub(crate) fn expect(&self, handling: impl Future<Output = ()> + Send + 'static) -> Arc<Owed> {
        // A read loop that has used up its turn would not be shown that it is there.
        let handling: Pin<Box<Handling>> = Box::pin(unconstrained(handling));
        let task = Mutex::new(Waker::noop().clone());
        let signal = Arc::new(Signal { is_due: AtomicBool::new(true), task });
        let owed = Arc::new(Owed { handling: Mutex::new(Some(handling)), signal });
        let mut all = lock(&self.0);
        // The others' tasks have ended, or will do so in a moment.
        if all.len() == all.capacity() {
            all.retain(|owed| owed.strong_count() > 0);
        }
        all.push(Arc::downgrade(&owed));
        owed
    }

    /// Handles the acknowledgements that have come. A client may owe hundreds: one that answers questions by event
    /// never sends these.
    pub(crate) fn take(&self) {
        let mut all = lock(&self.0);
        let mut due = Vec::new();
        all.retain(|owed| {
            let Some(owed) = owed.upgrade() else { return false };
            if owed.signal.is_due.load(Ordering::Acquire) {
                due.push(owed);
            }
            true
        });
        // The handling of one may lead to the next.
        drop(all);
        for owed in due {
            _ = owed.poll(None);
        }
    }
}

impl Owed {
    /// Waits until it was handled, by this or by [`Answers::take`].
    pub(crate) async fn handled(&self) {
        poll_fn(|cx| self.poll(Some(cx.waker()))).await;
    }

    /// Handles it, if it has come, under the lock: what comes after it waits.
    fn poll(&self, waker: Option<&Waker>) -> Poll<()> {
        let mut open = lock(&self.handling);
        let Some(handling) = &mut *open else { return Poll::Ready(()) };
        if let Some(waker) = waker {
            lock(&self.signal.task).clone_from(waker);
        }
        // First, so that a wake meanwhile is not forgotten.
        self.signal.is_due.store(false, Ordering::Release);
        let waker = Waker::from(self.signal.clone());
        let polled = handling.as_mut().poll(&mut Context::from_waker(&waker));
        if polled.is_ready() {
            *open = None;
        }
        polled
    }
}

impl std::fmt::Debug for Owed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Owed").finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads the answer of a v1 client to a registration: nothing, if it cannot be read.
pub(crate) fn read_answer(args: &Args) -> Vec<Value> {
    match wire::depth(args.as_json()) {
        0..=JSON_DEPTH => args.parse().unwrap_or_default(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use serde_json::json;
    use tokio::sync::oneshot;

    use super::*;

    #[test]
    fn only_what_has_come_is_polled_again_and_each_is_handled_once() {
        let (answers, polls) = (Answers::default(), Arc::new(AtomicUsize::new(0)));
        let expect = || {
            let (answer, mut coming) = oneshot::channel();
            let polls = polls.clone();
            let owed = answers.expect(async move {
                let waits = poll_fn(|cx| {
                    polls.fetch_add(1, Ordering::Relaxed);
                    Pin::new(&mut coming).poll(cx)
                });
                _ = waits.await;
            });
            (answer, owed)
        };
        let (first, kept) = expect();
        let others: Vec<_> = (0..100).map(|_| expect()).collect();
        answers.take();
        assert_eq!(polls.load(Ordering::Relaxed), 101, "each is looked at once");

        answers.take();
        assert_eq!(polls.load(Ordering::Relaxed), 101);

        first.send(()).unwrap();
        answers.take();
        answers.take();
        assert_eq!(polls.load(Ordering::Relaxed), 102);
        assert!(lock(&kept.handling).is_none());
        assert!(others.iter().all(|(_, owed)| lock(&owed.handling).is_some()));
    }

    #[test]
    fn an_answer_that_is_nested_too_deep_is_none() {
        let read = |json: &str| read_answer(&Args::from_text(json.to_owned(), Vec::new()).unwrap());

        assert_eq!(read("[true,7]"), [json!(true), json!(7)]);
        assert!(read(r#"[{"$serde_json::private::RawValue":"true"}]"#).is_empty());
        let deep = "[".repeat(JSON_DEPTH + 1) + &"]".repeat(JSON_DEPTH + 1);
        assert!(read(&deep).is_empty());
    }
}
