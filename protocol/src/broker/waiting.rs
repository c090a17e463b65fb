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
}

/// A request that a client was asked and has not answered. It outlives the registration, or the
/// answer could be taken for one to the next.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) target: ClientId,
    deadline: Instant,
}

/// Requests and questions by the server's number, whose order is that of arrival. A question has the
/// number and the deadline of its request.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    requests: BTreeMap<ReqId, Request>,
    questions: BTreeMap<ReqId, Question>,
    /// The deadlines of all of them.
    due: BTreeSet<(Instant, ReqId)>,
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
        self.due.insert((request.deadline, number));
        self.requests.insert(number, request);
    }

    pub(super) fn remove(&mut self, number: ReqId) -> Option<Request> {
        let request = self.requests.remove(&number)?;
        if !self.questions.contains_key(&number) {
            self.due.remove(&(request.deadline, number));
        }
        Some(request)
    }

    /// Returns the number of the request that came first.
    pub(super) fn first(&self) -> Option<ReqId> {
        self.requests.first_key_value().map(|(number, _)| *number)
    }

    /// Notes that the target of a request was asked.
    pub(super) fn open_question(&mut self, number: ReqId) {
        if let Some(request) = self.requests.get(&number) {
            let question = Question { target: request.target.clone(), deadline: request.deadline };
            self.questions.insert(number, question);
        }
    }

    pub(super) fn close_question(&mut self, number: ReqId) -> Option<Question> {
        let question = self.questions.remove(&number)?;
        if !self.requests.contains_key(&number) {
            self.due.remove(&(question.deadline, number));
        }
        Some(question)
    }

    /// Forgets all questions.
    pub(super) fn close_questions(&mut self) {
        self.questions.clear();
        self.due.retain(|(_, number)| self.requests.contains_key(number));
    }

    /// Returns the next deadline.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.due.first().map(|(deadline, _)| *deadline)
    }

    /// Takes the numbers whose deadline is over, in its order.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<ReqId> {
        let mut due = Vec::new();
        while self.due.first().is_some_and(|(deadline, _)| *deadline <= now)
            && let Some((_, number)) = self.due.pop_first()
        {
            due.push(number);
        }
        due
    }
}
