//! Answers of a v1 client to questions of the server, in their order among all that it sends.
//!
//! An answer is the acknowledgement of a question. If an event overtook it, a client that says yes to a pairing and
//! calls its partner at once would be refused, and the answer of one that then leaves would be lost.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use socketio_p2p_protocol::{
    Args, ClientMessage, PairingId, ReqId,
    limits::{JSON_DEPTH, V1_QUESTIONS},
    peer::v1::NoAck,
    wire::{self, v1_answer},
};

use super::awaited::{AckKey, Arrivals, Awaited};
use crate::outbound::socket::Acknowledged;

/// The answers that a client owes.
#[derive(Debug)]
pub(crate) struct Answers {
    /// Held while answers are handled: what comes after them waits.
    turn: Mutex<()>,
    open: Mutex<OpenQuestions>,
    arrivals: Arc<Arrivals<Asked>>,
}

struct OpenQuestions {
    awaited: Awaited<Asked>,
    /// `true` while a task runs [`Answers::attend`].
    is_attended: bool,
}

/// A question to a v1 client, which acknowledges it. Of two of a kind, the older comes first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Asked {
    /// Does it consent to the pairing that this request asks for?
    Register(ReqId),
    /// Does it know that this pairing is over?
    Unregister(PairingId),
}

impl AckKey for Asked {}

impl Answers {
    pub(crate) fn new() -> Self {
        let awaited = Awaited::default();
        let arrivals = awaited.arrivals().clone();
        let open = Mutex::new(OpenQuestions { awaited, is_attended: false });
        Self { turn: Mutex::new(()), open, arrivals }
    }

    /// Waits for the answer to a question. Returns whether the caller has to start a task that
    /// [attends](Self::attend) to it.
    #[must_use]
    pub(crate) fn expect(&self, question: Asked, ack: Acknowledged) -> bool {
        let mut open = lock(&self.open);
        open.awaited.expect(question, ack);
        open.awaited.forget_beyond(V1_QUESTIONS);
        self.arrivals.notify();
        !std::mem::replace(&mut open.is_attended, true)
    }

    /// Handles the answers that have come. A client may owe hundreds: one that answers by event never sends these.
    pub(crate) fn take(&self, mut handle: impl FnMut(ClientMessage)) {
        let _turn = lock(&self.turn);
        loop {
            // The handling of one may lead to the next.
            let next = lock(&self.open).awaited.next();
            let Some((question, ack)) = next else { return };
            if let Some(answer) = question.answer(ack) {
                handle(answer);
            }
        }
    }

    /// Handles answers as they come, until none is owed.
    pub(crate) async fn attend(&self, mut handle: impl FnMut(ClientMessage)) {
        loop {
            self.take(&mut handle);
            if self.is_over() {
                return;
            }
            self.arrivals.wait().await;
        }
    }

    /// Returns whether none is owed. The next question then needs another task.
    fn is_over(&self) -> bool {
        let mut open = lock(&self.open);
        open.is_attended = !open.awaited.is_empty();
        !open.is_attended
    }
}

impl Asked {
    /// Returns what the client says by its acknowledgement, or by the absence of one.
    fn answer(self, ack: Result<Args, NoAck>) -> Option<ClientMessage> {
        match self {
            // A client that answers by event lets this time out.
            Self::Register(req) => ack.ok().map(|args| v1_answer(&read_answer(&args), Some(req))),
            Self::Unregister(pairing) => {
                let is_there = !matches!(ack, Err(NoAck::Missing | NoAck::Gone));
                is_there.then_some(ClientMessage::Released { pairing })
            }
        }
    }
}

impl std::fmt::Debug for OpenQuestions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenQuestions")
            .field("is_attended", &self.is_attended)
            .finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads the answer of a v1 client to a registration: nothing, if it cannot be read.
fn read_answer(args: &Args) -> Vec<Value> {
    match wire::depth(args.as_json()) {
        0..=JSON_DEPTH => args.parse().unwrap_or_default(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::poll_fn,
        pin::Pin,
        sync::atomic::{AtomicUsize, Ordering},
    };

    use serde_json::json;
    use tokio::sync::oneshot;

    use super::*;

    fn yes() -> Args {
        Args::from_text("[true]".into(), Vec::new()).unwrap()
    }

    fn accept(req: ReqId) -> ClientMessage {
        ClientMessage::Accept { req: Some(req) }
    }

    /// Asks a question, whose answer counts how often it is looked for.
    fn ask(
        answers: &Answers,
        req: ReqId,
        polls: &Arc<AtomicUsize>,
    ) -> (oneshot::Sender<Args>, bool) {
        let (answer, mut coming) = oneshot::channel();
        let polls = polls.clone();
        let ack = poll_fn(move |cx| {
            polls.fetch_add(1, Ordering::Relaxed);
            Pin::new(&mut coming).poll(cx).map_err(|_| NoAck::Gone)
        });
        let is_first = answers.expect(Asked::Register(req), Box::pin(ack));
        (answer, is_first)
    }

    fn taken(answers: &Answers) -> Vec<ClientMessage> {
        let mut taken = Vec::new();
        answers.take(|answer| taken.push(answer));
        taken
    }

    #[test]
    fn only_what_has_come_is_polled_again_and_each_is_handled_once() {
        let (answers, polls) = (Answers::new(), Arc::default());
        let mut asked: Vec<_> = (0..50).map(|req| ask(&answers, req, &polls).0).collect();
        assert_eq!(taken(&answers), []);
        assert_eq!(polls.load(Ordering::Relaxed), 50, "each is looked for once");

        assert_eq!(taken(&answers), []);
        assert_eq!(polls.load(Ordering::Relaxed), 50);

        asked.remove(7).send(yes()).unwrap();
        assert_eq!(taken(&answers), [accept(7)]);
        assert_eq!(taken(&answers), []);
        assert_eq!(polls.load(Ordering::Relaxed), 51);
        assert!(asked.iter().all(|answer| !answer.is_closed()));
    }

    #[test]
    fn of_questions_without_end_the_newest_are_awaited() {
        let (answers, polls) = (Answers::new(), Arc::default());
        let mut asked = Vec::new();
        for req in 0..10_000 {
            asked.push(ask(&answers, req, &polls).0);
            assert_eq!(taken(&answers), []);
        }

        let awaited: Vec<_> = asked.iter().map(|answer| !answer.is_closed()).collect();
        let first = awaited.len() - V1_QUESTIONS;
        assert!(awaited[..first].iter().all(|awaited| !awaited));
        assert!(awaited[first..].iter().all(|awaited| *awaited));
        asked.remove(first).send(yes()).unwrap();
        assert_eq!(taken(&answers), [accept(first as ReqId)]);
    }

    #[test]
    fn the_handling_of_an_answer_may_ask_the_next_question() {
        let (answers, polls) = (Answers::new(), Arc::default());
        ask(&answers, 1, &polls).0.send(yes()).unwrap();
        let mut handled = Vec::new();

        answers.take(|answer| {
            if answer == accept(1) {
                ask(&answers, 2, &polls).0.send(yes()).unwrap();
            }
            handled.push(answer);
        });

        assert_eq!(handled, [accept(1), accept(2)]);
    }

    #[tokio::test]
    async fn one_task_attends_to_all_that_is_owed_and_ends_with_the_last() {
        let (answers, polls) = (Answers::new(), Arc::default());
        let (handled, mut answered) = tokio::sync::mpsc::channel(1);

        for round in 0..2 {
            let (first, starts) = ask(&answers, round, &polls);
            assert!(starts);
            let attend = answers.attend(|answer| handled.try_send(answer).unwrap());
            let answer = async {
                let (second, starts) = ask(&answers, round + 10, &polls);
                assert!(!starts, "there is a task already");
                first.send(yes()).unwrap();
                assert_eq!(answered.recv().await, Some(accept(round)));
                drop(second);
            };
            tokio::join!(attend, answer);
        }
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
