//! Answers of a v1 client to the server's questions, in their order among all that it sends.
//!
//! socketioxide (0.18.9) hands an acknowledgement to the task that waits for it, but calls the handler of an event
//! itself. So an event could overtake the acknowledgement before it: a client that says yes to a pairing and calls its
//! partner at once would be refused. Each handler therefore first takes the answers that have come.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll, Waker},
};

use socketio_p2p_protocol::ClientMessage;
use tokio::task::unconstrained;

/// The client's answer to a message, which may never come.
pub(crate) type Answer = Pin<Box<dyn Future<Output = Option<ClientMessage>> + Send>>;

/// The questions that a client has not answered. The tasks that wait for the answers own them.
#[derive(Default)]
pub(crate) struct Answers(Mutex<Vec<Weak<Question>>>);

/// A question: its answer, with the waker of the task that waits for it, until it is taken.
pub(crate) struct Question(Mutex<Option<(Answer, Waker)>>);

impl Answers {
    /// Notes that the client owes an answer.
    pub(crate) fn expect(&self, answer: Answer) -> Arc<Question> {
        // A read loop that has used up its turn would not be shown that the answer is there.
        let answer: Answer = Box::pin(unconstrained(answer));
        let question = Arc::new(Question(Mutex::new(Some((answer, Waker::noop().clone())))));
        lock(&self.0).push(Arc::downgrade(&question));
        question
    }

    /// Passes on the answers that have come.
    pub(crate) fn take(&self, mut pass: impl FnMut(ClientMessage)) {
        let mut questions = lock(&self.0);
        questions.retain(|question| question.strong_count() > 0);
        let open: Vec<_> = questions.iter().filter_map(Weak::upgrade).collect();
        // An answer may lead to the next question.
        drop(questions);
        for question in open {
            _ = question.poll(None, &mut pass);
        }
    }
}

impl Question {
    /// Waits until the answer was passed on, by this or by [`Answers::take`].
    pub(crate) async fn answered(&self, mut pass: impl FnMut(ClientMessage)) {
        poll_fn(|cx| self.poll(Some(cx.waker()), &mut pass)).await;
    }

    /// Passes the answer on under the lock: what comes after it waits.
    fn poll(&self, waker: Option<&Waker>, pass: &mut impl FnMut(ClientMessage)) -> Poll<()> {
        let mut question = lock(&self.0);
        let Some((answer, kept)) = &mut *question else { return Poll::Ready(()) };
        if let Some(waker) = waker {
            kept.clone_from(waker);
        }
        let Poll::Ready(message) = answer.as_mut().poll(&mut Context::from_waker(kept)) else {
            return Poll::Pending;
        };
        *question = None;
        if let Some(message) = message {
            pass(message);
        }
        Poll::Ready(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
