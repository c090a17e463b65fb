//! Answers to a v1 client that found no room: they are kept until there is some, and the client is not
//! read meanwhile.

use std::collections::VecDeque;

use serde_json::Value;
use socketio_p2p_protocol::{Args, limits::BACKLOG_EMITS_MAX, relay::SendFailure};

use super::{arguments::Arguments, gate::Gate};
use crate::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most answers that are kept: those to as many requests as the server has read already.
const ANSWERS: usize = BACKLOG_EMITS_MAX;

/// An answer.
#[derive(Debug)]
pub(super) enum Answer {
    /// The acknowledgement with this id.
    Ack(i64, Owned),
    /// An event.
    Event(String, Owned),
}

/// Arguments of an answer.
#[derive(Debug)]
pub(super) enum Owned {
    Values(Vec<Value>),
    Args(Args),
}

impl Owned {
    /// Copies arguments: `None` for those that no answer has.
    pub(super) fn new(args: Arguments<'_>) -> Option<Self> {
        match args {
            Arguments::Values(values) => Some(Self::Values(values.to_vec())),
            Arguments::Args(args) => Some(Self::Args(args.clone())),
            Arguments::Raw(_) | Arguments::Binary(_) => None,
        }
    }

    pub(super) fn arguments(&self) -> Arguments<'_> {
        match self {
            Self::Values(values) => Arguments::Values(values),
            Self::Args(args) => Arguments::Args(args),
        }
    }
}

/// The answers that wait for room.
#[derive(Debug)]
pub(super) struct LateAnswers {
    /// The most bytes that are kept.
    limit: usize,
    /// Closed while there are any.
    gate: Arc<Gate>,
    state: Mutex<LateState>,
}

#[derive(Debug, Default)]
struct LateState {
    answers: VecDeque<(Answer, usize)>,
    bytes: usize,
    is_overfull: bool,
}

impl LateAnswers {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, gate: Gate::new(), state: Mutex::default() }
    }

    pub(super) const fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// Keeps an answer of so many bytes. Returns whether it is the first one, so that the caller must start
    /// to send them.
    ///
    /// # Errors
    ///
    /// [`SendFailure::Full`] if there are too many. They are all lost then: the client does not read.
    pub(super) fn keep(&self, answer: Answer, bytes: usize) -> Result<bool, SendFailure> {
        let mut state = self.lock();
        let is_first = state.answers.is_empty();
        let fits = is_first || state.bytes + bytes <= self.limit;
        if state.is_overfull || !fits || state.answers.len() >= ANSWERS {
            state.is_overfull = true;
            return Err(SendFailure::Full);
        }
        state.bytes += bytes;
        state.answers.push_back((answer, bytes));
        self.gate.set_closed(true);
        Ok(is_first)
    }

    /// Sends answers as long as there is room. Returns whether all are sent, or cannot be sent any more.
    pub(super) fn send(&self, send: impl Fn(&Answer) -> Result<(), SendFailure>) -> bool {
        let mut state = self.lock();
        while let Some((answer, bytes)) = state.answers.pop_front() {
            if send(&answer) == Err(SendFailure::Full) {
                state.answers.push_front((answer, bytes));
                return false;
            }
            state.bytes -= bytes;
        }
        self.gate.set_closed(false);
        true
    }

    pub(super) fn are_none(&self) -> bool {
        // Only one who sees it closed can be sent anything out of its turn.
        !self.gate.is_closed()
    }

    /// Returns whether there were too many.
    pub(super) fn is_overfull(&self) -> bool {
        self.lock().is_overfull
    }

    fn lock(&self) -> MutexGuard<'_, LateState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;

    fn ack(id: i64) -> Answer {
        Answer::Ack(id, Owned::Values(Vec::new()))
    }

    #[test]
    fn answers_are_kept_in_their_order_until_there_is_room() {
        let late = LateAnswers::new(100);
        let (room, sent) = (Cell::new(0), RefCell::new(Vec::new()));
        let send = |answer: &Answer| {
            let Answer::Ack(id, _) = answer else { panic!("{answer:?}") };
            room.set(room.get() - 1);
            if room.get() < 0 {
                return Err(SendFailure::Full);
            }
            sent.borrow_mut().push(*id);
            Ok(())
        };

        assert_eq!([1, 2, 3].map(|id| late.keep(ack(id), 10).unwrap()), [true, false, false]);
        room.set(2);
        assert!(!late.send(send) && late.gate().is_closed());
        assert!(!late.keep(ack(4), 10).unwrap());
        room.set(9);
        assert!(late.send(send) && late.are_none());

        assert_eq!(*sent.borrow(), [1, 2, 3, 4]);
        assert!(late.keep(ack(5), 10).unwrap());
    }

    #[test]
    fn more_than_the_limit_is_too_much_unless_it_is_a_single_answer() {
        let late = LateAnswers::new(100);

        assert!(late.keep(ack(1), 150).is_ok());
        assert_eq!(late.keep(ack(2), 1), Err(SendFailure::Full));
        assert!(late.is_overfull());
    }
}
