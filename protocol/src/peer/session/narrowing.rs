//! What the relay took and takes no more: a later connection may have lower limits.
//!
//! A frame has its number once it was sent, and the partner takes the numbers in order. In place of a
//! frame that no longer fits, a `drop` or a short reply with the same number is sent again, so that the
//! session does not wait for it.

use std::time::Instant;

use super::{
    Session,
    outgoing::{LargeValue, ValueKind},
    window::{FrameRole, Unacked},
};
use crate::{Body, Cause, Code, Outcome, Refusal, limits::CHUNK_BYTES, wire};

/// Returns true if a frame with this content may be relayed.
fn fits(body: &Body, bytes: usize, depth: usize) -> bool {
    let is_flat = match body {
        Body::Emit { args, .. } | Body::Reply { result: Ok(args), .. } => {
            wire::depth(args.as_json()) <= depth
        }
        _ => true,
    };
    is_flat && body.size() <= bytes
}

/// Returns what is sent in place of a frame.
fn substitute(body: &Body) -> Body {
    match body {
        Body::Reply { to, .. } => too_large(*to),
        _ => Body::Drop,
    }
}

fn too_large(to: u64) -> Body {
    Body::Reply { to, result: Err(Refusal::new(Code::TooLarge, "the reply is too large")) }
}

impl Session {
    pub(super) fn narrowed(&mut self, bytes: usize, depth: usize, now: Instant) {
        // The parts of a value follow one another: without one of them the others are of no use.
        let mut is_spoilt = false;
        let unfit = self.window.replace(|body| {
            let is_part = matches!(body, Body::Part { .. });
            let is_unfit = !fits(body, bytes, depth) || (is_part && is_spoilt);
            match body {
                Body::Part { last, .. } => is_spoilt = is_unfit && !last,
                Body::Drop => is_spoilt = false,
                _ => {}
            }
            is_unfit.then(|| substitute(body))
        });
        for seq in unfit {
            if let Some(pending) = self.calls.remove(&seq) {
                // It may have arrived before.
                self.resolve(pending.call, Outcome::Unknown(Cause::Code(Code::TooLarge)));
            }
        }
        self.outgoing.replace_replies(|body| (!fits(body, bytes, depth)).then(|| substitute(body)));
        if CHUNK_BYTES + Body::Drop.size() > bytes {
            for value in self.outgoing.take_values() {
                self.give_up_value(value, now);
            }
        }
    }

    fn give_up_value(&mut self, value: LargeValue, now: Instant) {
        if value.is_begun() {
            let answers = matches!(value.kind, ValueKind::Reply);
            let frame = Unacked::new(Body::Drop, FrameRole::Part, Body::Drop.size(), None);
            self.enqueue(if answers { frame.answering() } else { frame }, now);
        }
        match value.kind {
            ValueKind::Emit(call, options) if options.wants_reply() => {
                self.resolve(call, Outcome::NotExecuted(Cause::Code(Code::TooLarge)));
            }
            ValueKind::Emit(..) => {}
            ValueKind::Reply => {
                if let Some(to) = value.replies_to() {
                    self.send_reply(too_large(to), now);
                }
            }
        }
    }
}
