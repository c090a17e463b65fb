//! The cell of a client's requests that wait.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use socketio_p2p_protocol::{ClientMessage, relay::HeldRequests};

/// The requests of a v1 client that wait until its partner has what the client emitted before them.
#[derive(Debug, Default)]
pub(crate) struct Held(Mutex<HeldState>);

#[derive(Debug, Default)]
struct HeldState {
    requests: HeldRequests,
    /// Set while a task carries out what is due: requests that come meanwhile are carried out after that, in
    /// their order. No lock is held meanwhile.
    is_taken: bool,
    /// Set while a task waits for the rest.
    has_task: bool,
}

/// What is left after everything that is due was carried out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Left {
    Nothing,
    /// Requests wait, and a task for them.
    Watched,
    /// Requests wait, and the caller is to start a task for them.
    Unwatched,
}

impl Held {
    pub(crate) fn push(&self, request: ClientMessage) {
        self.lock().requests.push(request);
    }

    /// Notes that the task has ended.
    pub(crate) fn task_ended(&self) {
        self.lock().has_task = false;
    }

    /// Returns when the wait of the first request ends.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.lock().requests.poll_timeout()
    }

    /// Carries out what is due, in order. `is_unconfirmed`: the partner has not taken all that the client emitted.
    pub(crate) fn drain(
        &self,
        is_unconfirmed: impl Fn() -> bool,
        mut carry_out: impl FnMut(ClientMessage),
    ) -> Left {
        if std::mem::replace(&mut self.lock().is_taken, true) {
            return Left::Watched; // Whoever carries out goes on with the rest.
        }
        let taken = Taken(self);
        loop {
            let is_unconfirmed = is_unconfirmed();
            let mut state = self.lock();
            let Some(request) = state.requests.pop(is_unconfirmed, Instant::now()) else {
                state.is_taken = false;
                let had_task = state.has_task;
                state.has_task |= !state.requests.is_empty();
                std::mem::forget(taken);
                return match (state.requests.is_empty(), had_task) {
                    (true, _) => Left::Nothing,
                    (false, true) => Left::Watched,
                    (false, false) => Left::Unwatched,
                };
            };
            drop(state);
            carry_out(request);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HeldState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives the requests back if a hook of the application panics.
struct Taken<'a>(&'a Held);

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.0.lock().is_taken = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unregister(req: u64) -> ClientMessage {
        ClientMessage::Unregister { req: Some(req) }
    }

    #[test]
    fn what_comes_while_a_request_is_carried_out_is_carried_out_after_it() {
        let held = Held::default();
        held.push(unregister(1));
        let mut done = Vec::new();

        let left = held.drain(
            || false,
            |request| {
                if done.is_empty() {
                    held.push(unregister(2));
                    assert_eq!(held.drain(|| false, |_| panic!("out of turn")), Left::Watched);
                }
                done.push(request);
            },
        );

        assert_eq!((left, done), (Left::Nothing, vec![unregister(1), unregister(2)]));
    }

    #[test]
    fn one_task_waits_for_what_is_not_due() {
        let held = Held::default();
        held.push(unregister(1));
        let wait = || held.drain(|| true, |_| panic!("it has to wait"));

        assert_eq!((wait(), wait()), (Left::Unwatched, Left::Watched));
        assert!(held.deadline().is_some());
        held.task_ended();
        assert_eq!(wait(), Left::Unwatched);
        assert_eq!(held.drain(|| false, drop), Left::Nothing);
    }

    #[test]
    fn a_panic_of_the_application_leaves_the_other_requests_in_their_place() {
        let held = Held::default();
        held.push(unregister(1));
        held.push(unregister(2));
        let panic = || held.drain(|| false, |_| panic!("the application's"));

        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panic)).is_err());

        let mut left = Vec::new();
        held.drain(|| false, |request| left.push(request));
        assert_eq!(left, [unregister(2)]);
    }
}
