//! How a session sends emits, and whatever its window does not take at once.

use std::time::Instant;

use super::{
    Call, CallId, Session,
    bulk::{Cut, Kind, Terms, Unsent},
    reassembly,
    window::{Kept, Role},
};
use crate::{Body, Cause, Code, Outcome, limits::CHUNK_BYTES};

impl Session {
    pub(super) fn emit(&mut self, body: Body, terms: Terms, now: Instant) {
        let Terms { call, expires, via } = terms;
        let size = body.size();
        let refused = if via.is_some_and(|path| !self.has(path)) {
            Some(Code::NoRoute)
        } else if !self.has_room() {
            Some(Code::Congested) // The caller should have waited.
        } else if size > reassembly::MOST {
            Some(Code::TooLarge)
        } else {
            expires.filter(|at| *at <= now).map(|_| Code::Expired)
        };
        match (refused, call) {
            (Some(code), Some((call, _))) => {
                self.resolve(call, Outcome::NotExecuted(Cause::Code(code)));
            }
            (Some(_), None) => {}
            (None, _) if size > CHUNK_BYTES => {
                self.bulk.push_value(&body, size, Kind::Emit(terms));
            }
            (None, _) => {
                let seq = self.enqueue(Kept::new(body, Role::Emit, size, expires).via(via), now);
                self.note_call(seq, call);
            }
        }
    }

    /// An emit was sent, and somebody waits for its reply.
    fn note_call(&mut self, seq: u64, call: Option<(CallId, Instant)>) {
        if let Some((id, deadline)) = call {
            self.calls.insert(seq, Call { id, deadline });
        }
    }

    /// Sends what the window takes by now.
    pub(super) fn send_bulk(&mut self, now: Instant) {
        while let Some(reply) = self.bulk.next_reply(&self.window) {
            let size = reply.size();
            self.enqueue(Kept::new(reply, Role::Reply, size, None), now);
        }
        if let Some(cause) = self.bulk.overdue(now) {
            self.give_up(Some(cause), now);
        }
        let emits_go = self.path().is_some();
        while self.answers_by().is_some()
            && let Some(Cut { part, via, answers, complete }) =
                self.bulk.next_part(&self.window, emits_go)
        {
            let Some(value) = complete else {
                let size = part.size();
                let kept = Kept::new(part, Role::Part, size, None).via(via);
                self.enqueue(if answers { kept.answering() } else { kept }, now);
                continue;
            };
            match value.kind {
                Kind::Emit(Terms { call, expires, .. }) => {
                    let kept = Kept::new(part, Role::Emit, value.size, expires).via(via);
                    let seq = self.enqueue(kept, now);
                    self.note_call(seq, call);
                }
                Kind::Reply => {
                    let size = part.size();
                    self.enqueue(Kept::new(part, Role::Reply, size, None), now);
                }
            }
        }
    }

    /// Takes a large emit back that was not sent, and says why to whoever waits for its reply.
    fn give_up(&mut self, cause: Option<Cause>, now: Instant) {
        let Some(Unsent { call, begun }) = self.bulk.take_emit() else { return };
        if let (Some(call), Some(cause)) = (call, cause) {
            self.resolve(call, Outcome::NotExecuted(cause));
        }
        if begun {
            let size = Body::Drop.size();
            self.enqueue(Kept::new(Body::Drop, Role::Part, size, None), now);
        }
    }

    pub(super) fn cancelled(&mut self, call: CallId, now: Instant) {
        self.calls.retain(|_, pending| pending.id != call);
        if self.bulk.is_of(call) {
            self.give_up(None, now);
        }
    }
}
