//! Registrations that wait for their answers, and the questions that they led to.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{ClientId, ReqId};

/// A registration that waits for its answer.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) source: ClientId,
    /// Its numbers: that of the registration, and those of its repetitions.
    pub(super) reqs: Vec<Option<ReqId>>,
    pub(super) target: ClientId,
    pub(super) payload: Option<Value>,
    /// `true` once the target has been asked.
    pub(super) asked: bool,
    /// The time that it waits.
    pub(super) consent_time: Duration,
    pub(super) deadline: Instant,
    /// Its right to wait in line, if it has it.
    pub(super) line: Option<InLine>,
}

/// The right of a request to wait for a busy target.
#[derive(Clone, Copy, Debug)]
pub(super) struct InLine {
    /// The number under which it came: that of its first question, whose order is that of arrival.
    pub(super) ticket: ReqId,
    /// The time until which it may wait.
    pub(super) until: Instant,
    /// The place that was sent to its source last; 0 once the target is asked.
    pub(super) told: Option<usize>,
    /// The time before which its source is sent no other place.
    pub(super) not_before: Instant,
}

/// A request that a client was asked and has not answered. It outlives the registration, or the
/// answer could be taken for one to the next.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) target: ClientId,
    deadline: Instant,
}

/// Requests and questions by the server's number, whose order is that of arrival. A question has the
/// number of its request.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    requests: BTreeMap<ReqId, Request>,
    questions: BTreeMap<ReqId, Question>,
    requests_due: BTreeSet<(Instant, ReqId)>,
    questions_due: BTreeSet<(Instant, ReqId)>,
}

impl Waiting {
    /// Returns the number of requests.
    pub(super) fn len(&self) -> usize {
        self.requests.len()
    }

    pub(super) fn request(&self, number: ReqId) -> Option<&Request> {
        self.requests.get(&number)
    }

    pub(super) fn request_mut(&mut self, number: ReqId) -> Option<&mut Request> {
        self.requests.get_mut(&number)
    }

    pub(super) fn insert(&mut self, number: ReqId, request: Request) {
        self.requests_due.insert((request.deadline, number));
        self.requests.insert(number, request);
    }

    pub(super) fn set_deadline(&mut self, number: ReqId, deadline: Instant) {
        if let Some(request) = self.requests.get_mut(&number) {
            self.requests_due.remove(&(request.deadline, number));
            request.deadline = deadline;
            self.requests_due.insert((deadline, number));
        }
    }

    pub(super) fn remove(&mut self, number: ReqId) -> Option<Request> {
        let request = self.requests.remove(&number)?;
        self.requests_due.remove(&(request.deadline, number));
        Some(request)
    }

    /// Returns the number of the request that came first.
    pub(super) fn first(&self) -> Option<ReqId> {
        self.requests.first_key_value().map(|(number, _)| *number)
    }

    /// Notes that the target of a request was asked, and for how much longer than the request it may answer.
    pub(super) fn open_question(&mut self, number: ReqId, longer: Duration) {
        if let Some(request) = self.requests.get(&number) {
            let deadline = request.deadline + longer;
            let question = Question { target: request.target.clone(), deadline };
            self.questions_due.insert((deadline, number));
            self.questions.insert(number, question);
        }
    }

    pub(super) fn close_question(&mut self, number: ReqId) -> Option<Question> {
        let question = self.questions.remove(&number)?;
        self.questions_due.remove(&(question.deadline, number));
        Some(question)
    }

    /// Forgets all questions.
    pub(super) fn close_questions(&mut self) {
        self.questions.clear();
        self.questions_due.clear();
    }

    /// Returns the next deadline.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let firsts = [self.requests_due.first(), self.questions_due.first()];
        firsts.into_iter().flatten().map(|(deadline, _)| *deadline).min()
    }

    /// Takes the numbers of requests whose deadline is over, in its order.
    pub(super) fn take_due_requests(&mut self, now: Instant) -> Vec<ReqId> {
        take_due(&mut self.requests_due, now)
    }

    /// Takes the numbers of questions whose deadline is over, in its order.
    pub(super) fn take_due_questions(&mut self, now: Instant) -> Vec<ReqId> {
        take_due(&mut self.questions_due, now)
    }
}

fn take_due(deadlines: &mut BTreeSet<(Instant, ReqId)>, now: Instant) -> Vec<ReqId> {
    let mut due = Vec::new();
    while deadlines.first().is_some_and(|(deadline, _)| *deadline <= now)
        && let Some((_, number)) = deadlines.pop_first()
    {
        due.push(number);
    }
    due
}
