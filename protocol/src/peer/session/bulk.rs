//! What this end wants to send and its window does not take at once: large values, cut into parts
//! one after another, and replies beyond the window's bytes.
//!
//! Nothing in here has a number yet. The parts of a value get theirs as they go, so that whatever
//! is small passes between them; a value was sent once its last part was.

use std::{collections::VecDeque, time::Instant};

use super::{CallId, window::Window};
use crate::{
    Body, Cause, Code, Path,
    frame::spelled,
    limits::{CHUNK_BYTES, WINDOW_BYTES},
};

/// What the caller of an emit wants.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// Whose call it is and when it must be answered; none if no reply is wanted.
    pub(super) call: Option<(CallId, Instant)>,
    /// When it is too late for a handler.
    pub(super) expires: Option<Instant>,
    /// The path that it takes as long as that is there.
    pub(super) via: Option<Path>,
}

/// What a value is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Emit(Terms),
    Reply,
}

/// A value that waits, or is being cut.
#[derive(Debug)]
pub(super) struct Value {
    pub(super) kind: Kind,
    /// Bytes that it counts in the window once it was sent.
    pub(super) size: usize,
    text: String,
    /// Bytes of the text that went in parts.
    cut: usize,
}

/// A part, as it goes.
pub(super) struct Cut {
    pub(super) part: Body,
    /// The path that it takes as long as that is there.
    pub(super) via: Option<Path>,
    /// Whether it is of a reply.
    pub(super) answers: bool,
    /// The value whose last it is.
    pub(super) complete: Option<Value>,
}

/// An emit that was never sent.
pub(super) struct Unsent {
    pub(super) call: Option<CallId>,
    /// Whether parts of it were.
    pub(super) begun: bool,
}

#[derive(Debug, Default)]
pub(super) struct Bulk {
    /// Replies of one frame.
    replies: VecDeque<Body>,
    /// The one that is being cut is the first. At most one is an emit.
    values: VecDeque<Value>,
}

impl Bulk {
    pub(super) fn push_reply(&mut self, reply: Body) {
        self.replies.push_back(reply);
    }

    /// Adds a value that is too large for one frame.
    pub(super) fn push_value(&mut self, body: &Body, size: usize, kind: Kind) {
        self.values.push_back(Value { kind, size, text: body.to_json(), cut: 0 });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty() && self.replies.is_empty()
    }

    /// What the caller of the emit in here wants.
    fn emit(&self) -> Option<Terms> {
        self.values.iter().find_map(|value| match value.kind {
            Kind::Emit(terms) => Some(terms),
            Kind::Reply => None,
        })
    }

    /// Whether there is an emit: the next one has to wait.
    pub(super) fn has_emit(&self) -> bool {
        self.emit().is_some()
    }

    /// Whether somebody waits for the reply to that emit.
    pub(super) fn has_call(&self) -> bool {
        self.emit().is_some_and(|emit| emit.call.is_some())
    }

    /// When the emit in here is of no use any more.
    pub(super) fn due(&self) -> Option<Instant> {
        let Terms { call, expires, .. } = self.emit()?;
        [call.map(|(_, deadline)| deadline), expires].into_iter().flatten().min()
    }

    /// Why the emit in here is of no use any more, if it is not.
    pub(super) fn overdue(&self, now: Instant) -> Option<Cause> {
        let Terms { call, expires, .. } = self.emit()?;
        if expires.is_some_and(|at| at <= now) {
            Some(Cause::Code(Code::Expired))
        } else if call.is_some_and(|(_, deadline)| deadline <= now) {
            Some(Cause::Code(Code::Timeout))
        } else {
            None
        }
    }

    /// Whether the emit in here is this call's.
    pub(super) fn is_of(&self, call: CallId) -> bool {
        self.emit().is_some_and(|emit| emit.call.is_some_and(|(id, _)| id == call))
    }

    /// Gives the emit in here up.
    pub(super) fn take_emit(&mut self) -> Option<Unsent> {
        let is_emit = |value: &Value| matches!(value.kind, Kind::Emit(_));
        let value = self.values.remove(self.values.iter().position(is_emit)?)?;
        let Kind::Emit(Terms { call, .. }) = value.kind else { return None };
        Some(Unsent { call: call.map(|(id, _)| id), begun: value.cut > 0 })
    }

    /// Replies in here, and their bytes. They count like those in the window.
    pub(super) fn load(&self) -> (usize, usize) {
        let values = self.values.iter().filter(|value| matches!(value.kind, Kind::Reply));
        let sizes = self.replies.iter().map(Body::size).chain(values.map(|value| value.size));
        sizes.fold((0, 0), |(count, bytes), size| (count + 1, bytes + size))
    }

    /// The next reply of one frame, if the window takes it.
    pub(super) fn next_reply(&mut self, window: &Window) -> Option<Body> {
        if window.reply_bytes() >= WINDOW_BYTES { None } else { self.replies.pop_front() }
    }

    /// The next part, if the window takes it, and emits have a path if it is of one. A reply does
    /// not wait for an emit that was not begun: the partner's handlers may wait for the reply, and
    /// the emit for a handler.
    pub(super) fn next_part(&mut self, window: &Window, emits_go: bool) -> Option<Cut> {
        if !window.takes_parts() {
            return None;
        }
        let may_go = |value: &Value| match value.kind {
            Kind::Reply => true,
            Kind::Emit(_) => emits_go && (value.cut > 0 || window.fits(value.size)),
        };
        // Nothing passes one that was begun.
        let is_begun = self.values.front().is_some_and(|value| value.cut > 0);
        let few = if is_begun { 1 } else { self.values.len() };
        let at = self.values.iter().take(few).position(may_go)?;
        let mut value = self.values.remove(at)?;
        let (via, answers) = match value.kind {
            Kind::Emit(terms) => (terms.via, false),
            Kind::Reply => (None, true),
        };
        let text = piece(&value.text[value.cut..]).to_owned();
        value.cut += text.len();
        let last = value.cut == value.text.len();
        let part = Body::Part { text, last };
        if last {
            return Some(Cut { part, via, answers, complete: Some(value) });
        }
        self.values.push_front(value);
        Some(Cut { part, via, answers, complete: None })
    }
}

/// As much of a text as fits into one part, spelled as a JSON string.
fn piece(text: &str) -> &str {
    let mut room = CHUNK_BYTES;
    let end = text.bytes().position(|byte| match room.checked_sub(spelled(byte)) {
        Some(left) => {
            room = left;
            false
        }
        None => true,
    });
    &text[..text.floor_char_boundary(end.unwrap_or(text.len()))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_ends_at_the_border_of_a_character_and_is_a_chunk_as_it_is_spelled() {
        for (text, length) in [
            ("x".repeat(2 * CHUNK_BYTES), CHUNK_BYTES),
            ("\"".repeat(2 * CHUNK_BYTES), CHUNK_BYTES / 2),
            (format!("{}\u{1f600}", "x".repeat(CHUNK_BYTES - 1)), CHUNK_BYTES - 1),
            ("short".to_owned(), 5),
            (String::new(), 0),
        ] {
            assert_eq!(piece(&text).len(), length);
        }
    }
}
