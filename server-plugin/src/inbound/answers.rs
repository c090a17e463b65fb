//! Acknowledgements of a v1 client, in their order among all that it sends.
//!
//! socketioxide (0.18.9) hands an acknowledgement to the task that waits for it, but calls the handler of an event
//! itself. So an event could overtake the acknowledgement before it: a client that says yes to a pairing and calls its
//! partner at once would be refused, and the answer of one that then leaves would be lost. What must not overtake first
//! has the acknowledgements handled that have come.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll, Waker},
};

use serde_json::Value;
use socketio_p2p_protocol::{Args, limits::JSON_DEPTH, wire};
use tokio::task::unconstrained;

/// The acknowledgements that a client owes. The tasks that wait for them own them.
#[derive(Debug, Default)]
pub(crate) struct Answers(Mutex<Vec<Weak<Owed>>>);

/// An acknowledgement that is owed: the wait for it and its handling, with the waker of the task that waits.
pub(crate) struct Owed(Mutex<Option<(Pin<Box<Handling>>, Waker)>>);

type Handling = dyn Future<Output = ()> + Send;

impl Answers {
    /// Notes that the client owes an acknowledgement, which `handling` waits for and handles.
    pub(crate) fn expect(&self, handling: impl Future<Output = ()> + Send + 'static) -> Arc<Owed> {
        // A read loop that has used up its turn would not be shown that it is there.
        let handling: Pin<Box<Handling>> = Box::pin(unconstrained(handling));
        let owed = Arc::new(Owed(Mutex::new(Some((handling, Waker::noop().clone())))));
        let mut all = lock(&self.0);
        // The others' tasks have ended, or will do so in a moment.
        if all.len() == all.capacity() {
            all.retain(|owed| owed.strong_count() > 0);
        }
        all.push(Arc::downgrade(&owed));
        owed
    }

    /// Handles the acknowledgements that have come.
    pub(crate) fn take(&self) {
        let mut all = lock(&self.0);
        all.retain(|owed| owed.strong_count() > 0);
        let open: Vec<_> = all.iter().filter_map(Weak::upgrade).collect();
        // The handling of one may lead to the next.
        drop(all);
        for owed in open {
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
        let mut owed = lock(&self.0);
        let Some((handling, kept)) = &mut *owed else { return Poll::Ready(()) };
        if let Some(waker) = waker {
            kept.clone_from(waker);
        }
        let polled = handling.as_mut().poll(&mut Context::from_waker(kept));
        if polled.is_ready() {
            *owed = None;
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
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_that_is_nested_too_deep_is_none() {
        let read = |json: &str| read_answer(&Args::from_text(json.to_owned(), Vec::new()).unwrap());

        assert_eq!(read("[true,7]"), [json!(true), json!(7)]);
        assert!(read(r#"[{"$serde_json::private::RawValue":"true"}]"#).is_empty());
        let deep = "[".repeat(JSON_DEPTH + 1) + &"]".repeat(JSON_DEPTH + 1);
        assert!(read(&deep).is_empty());
    }
}
