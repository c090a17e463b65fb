//! The sending of emits, and of values that the window did not take at once.

use std::time::Instant;

use super::{
    CallId, EmitOptions, PendingCall, Session,
    outgoing::{Unsent, ValueKind, ValuePart},
    reassembly,
    window::{FrameRole, Unacked},
};
use crate::{Body, Cause, Code, Outcome, limits::CHUNK_BYTES};

impl Session {
    pub(super) fn emit(&mut self, call: CallId, body: Body, options: EmitOptions, now: Instant) {
        let EmitOptions { expires, via, .. } = options;
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
        match refused {
            Some(code) if options.wants_reply() => {
                self.resolve(call, Outcome::NotExecuted(Cause::Code(code)));
            }
            Some(_) => {}
            None if size > CHUNK_BYTES => {
                self.outgoing.push_value(&body, size, ValueKind::Emit(call, options));
            }
            None => {
                let frame = Unacked::new(body, FrameRole::Emit, size, expires).via(via);
                let seq = self.enqueue(frame, now);
                self.note_call(seq, call, options);
            }
        }
    }

    /// Notes that an emit was sent whose reply is wanted.
    fn note_call(&mut self, seq: u64, call: CallId, options: EmitOptions) {
        if let Some(reply_by) = options.reply_by {
            self.calls.insert(seq, PendingCall { call, reply_by });
        }
    }

    /// Tells the partner which callers gave up, as far as the window takes it.
    pub(super) fn send_cancels(&mut self, now: Instant) {
        while !self.window.is_full()
            && let Some(to) = self.given_up.pop_front()
        {
            let cancel = Body::Cancel { to };
            let size = cancel.size();
            self.enqueue(Unacked::new(cancel, FrameRole::Part, size, None), now);
        }
    }

    /// Sends what the window takes by now.
    pub(super) fn send_outgoing(&mut self, now: Instant) {
        while let Some(reply) = self.outgoing.next_reply(&self.window) {
            let size = reply.size();
            self.enqueue(Unacked::new(reply, FrameRole::Reply, size, None), now);
        }
        if let Some(cause) = self.outgoing.overdue(now) {
            self.give_up(Some(cause), now);
        }
        let has_path = self.path().is_some();
        while self.answers_by().is_some()
            && let Some(part) = self.outgoing.next_part(&self.window, has_path)
        {
            let ValuePart { body, via, answers, complete } = part;
            let size = body.size();
            match complete.map(|value| (value.kind, value.size)) {
                None => {
                    let frame = Unacked::new(body, FrameRole::Part, size, None).via(via);
                    self.enqueue(if answers { frame.answering() } else { frame }, now);
                }
                Some((ValueKind::Emit(call, options), size)) => {
                    let role = FrameRole::Emit;
                    let frame = Unacked::new(body, role, size, options.expires).via(via);
                    let seq = self.enqueue(frame, now);
                    self.note_call(seq, call, options);
                }
                Some((ValueKind::Reply, _)) => {
                    self.enqueue(Unacked::new(body, FrameRole::Reply, size, None), now);
                }
            }
        }
    }

    /// Gives up a large emit that was not sent, and resolves its call if there is a cause.
    fn give_up(&mut self, cause: Option<Cause>, now: Instant) {
        let Some(Unsent { call, begun }) = self.outgoing.take_emit() else { return };
        if let (Some(call), Some(cause)) = (call, cause) {
            self.resolve(call, Outcome::NotExecuted(cause));
        }
        if begun {
            let size = Body::Drop.size();
            self.enqueue(Unacked::new(Body::Drop, FrameRole::Part, size, None), now);
        }
    }

    pub(super) fn cancelled(&mut self, call: CallId, now: Instant) {
        let given_up = self.calls.extract_if(.., |_, pending| pending.call == call);
        self.given_up.extend(given_up.map(|(seq, _)| seq));
        if self.outgoing.is_of(call) {
            self.give_up(None, now);
        }
    }
}
