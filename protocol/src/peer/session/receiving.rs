//! The partner's frames: what is taken in order, and the replies to it.

use std::time::Instant;

use super::{
    Output, Session, Violation,
    outgoing::ValueKind,
    reassembly,
    window::{FrameRole, Unacked},
};
use crate::{
    Args, Body, Cause, Code, Frame, Outcome, Path, Refusal,
    limits::{ACK_DELAY, ACK_EVERY, CHUNK_BYTES, PARTS_UNDER_WAY, RESEND_DELAY, WINDOW_BYTES},
    planted::{self, Fault},
};

impl Session {
    pub(super) fn received(&mut self, path: Path, frame: Frame, now: Instant) {
        let arrived = self.window.arrived();
        if let Err(violation) = self.window.acknowledge(frame.ack, frame.got) {
            return self.violation(violation);
        }
        if self.window.arrived() > arrived {
            self.resend_delay = RESEND_DELAY;
        }
        if planted::is(Fault::DeliverDuplicates)
            && let Some(again) = self.inbox.again(&frame)
        {
            self.outputs.push_back(Output::Deliver(again));
        }
        let noted = match *frame.body {
            Body::Ack => Ok(()),
            Body::Other(_) if frame.seq == 0 => Err(Violation::Unknown),
            _ => self.inbox.insert(frame, path, now),
        };
        if let Err(violation) = noted {
            self.violation(violation);
        }
        self.note_abandoned();
        self.take(now);
    }

    /// Reports the handlers whose callers gave up.
    fn note_abandoned(&mut self) {
        let abandoned = std::iter::from_fn(|| self.inbox.next_abandoned());
        self.outputs.extend(abandoned.map(Output::Abandoned));
    }

    /// Takes what is next in order: replies at once, emits as handlers are free.
    pub(super) fn take(&mut self, now: Instant) {
        while let Some((to, result, path)) = self.inbox.next_reply() {
            let whose = match self.calls.first_key_value() {
                Some((&oldest, _)) if planted::is(Fault::AnswerAnother) => oldest,
                _ => to,
            };
            match self.calls.remove(&whose) {
                Some(call) => {
                    if planted::is(Fault::ReportTwice) {
                        self.calls.insert(to, call);
                    }
                    let outcome = match result {
                        Ok(args) => Outcome::Replied(args, path),
                        Err(refusal) => outcome_of(refusal),
                    };
                    self.resolve(call.call, outcome);
                }
                // It is late, after its deadline or a cancellation.
                None if self.window.was_sent(to) => {}
                None => self.violation(Violation::Reply),
            }
        }
        while !self.paused
            && let Some((delivery, verdict)) = self.inbox.next_delivery(self.replies_if_few(), now)
        {
            match verdict {
                Ok(()) => {
                    self.outputs.push_back(Output::Deliver(delivery));
                    self.note_abandoned();
                }
                Err(code) => {
                    if code == Code::BadEvent {
                        self.violation(Violation::Event);
                    }
                    self.reply(delivery.seq, Err(code.into()), now);
                }
            }
        }
        let taken = self.inbox.taken() - self.acked_taken;
        let unacked = taken.max(self.inbox.arrived() - self.acked_arrived);
        // A partner that cuts a large value waits for them.
        let parts = self.inbox.parts() - self.acked_parts;
        if unacked >= ACK_EVERY || parts >= PARTS_UNDER_WAY as u64 / 2 {
            self.acknowledge(now);
        } else if unacked > 0 || self.inbox.saw_duplicate() {
            self.ack_due.get_or_insert(now + ACK_DELAY);
        }
    }

    pub(super) fn finished(&mut self, seq: u64, result: Result<Args, Refusal>, now: Instant) {
        if self.reply(seq, result, now) {
            self.take(now);
        }
    }

    /// Replies if a reply is wanted. Returns true if a handler was running.
    fn reply(&mut self, seq: u64, result: Result<Args, Refusal>, now: Instant) -> bool {
        let wanted = self.inbox.finish(seq);
        if wanted == Some(true) {
            self.send_reply(Body::Reply { to: seq, result }, now);
        }
        wanted.is_some()
    }

    pub(super) fn send_reply(&mut self, reply: Body, now: Instant) {
        let size = reply.size();
        if let Body::Reply { to, .. } = reply
            && size > reassembly::MOST
        {
            let refusal = Refusal::new(Code::TooLarge, "the reply is too large");
            self.send_reply(Body::Reply { to, result: Err(refusal) }, now);
        } else if size > CHUNK_BYTES {
            self.outgoing.push_value(&reply, size, ValueKind::Reply);
        } else if self.window.reply_bytes() < WINDOW_BYTES {
            self.enqueue(Unacked::new(reply, FrameRole::Reply, size, None), now);
        } else {
            self.outgoing.push_reply(reply);
        }
    }

    /// Returns the number of replies of this peer that have not arrived, or `None` if they hold so many
    /// bytes that no handler may make another.
    fn replies_if_few(&self) -> Option<usize> {
        let (count, bytes) = self.outgoing.load();
        let few = self.window.reply_bytes() + bytes < WINDOW_BYTES;
        few.then(|| self.window.replies() + count)
    }
}

/// Returns the outcome of a reply without a value.
fn outcome_of(refusal: Refusal) -> Outcome {
    match refusal.code {
        // The handler of a v1 client may be missing or slow.
        Code::Timeout => Outcome::Unknown(Cause::Code(Code::Timeout)),
        code if code.is_of_handler() => Outcome::Failed(refusal),
        code => Outcome::NotExecuted(Cause::Code(code)),
    }
}
