//! Values that this peer wants to send and its window does not take at once: large ones, which are cut
//! into parts one after another, and replies beyond the window's bytes.
//!
//! Nothing in here has a number yet. The parts of a value get theirs as they are sent, so that small
//! frames pass between them. A value counts as sent with its last part.

use std::{collections::VecDeque, time::Instant};

use super::{CallId, EmitOptions, window::Window};
use crate::{
    Body, Cause, Code, Path,
    frame::spelled,
    limits::{CHUNK_BYTES, WINDOW_BYTES},
};

/// The kind of a value.
#[derive(Clone, Copy, Debug)]
pub(super) enum ValueKind {
    /// An emit, with its call and its options.
    Emit(CallId, EmitOptions),
    Reply,
}

/// A value that waits, or is being cut.
#[derive(Debug)]
pub(super) struct LargeValue {
    pub(super) kind: ValueKind,
    /// Bytes that it counts in the window once it was sent.
    pub(super) size: usize,
    text: String,
    /// Bytes of the text that were sent in parts.
    sent: usize,
}

impl LargeValue {
    /// Returns true if parts of it were sent.
    pub(super) const fn is_begun(&self) -> bool {
        self.sent > 0
    }

    /// Returns the number of the emit to which it replies.
    pub(super) fn replies_to(&self) -> Option<u64> {
        match Body::from_json(&self.text) {
            Ok(Body::Reply { to, .. }) => Some(to),
            _ => None,
        }
    }
}

/// A part, as it is sent.
pub(super) struct ValuePart {
    pub(super) body: Body,
    /// The path that carries it while that path is there.
    pub(super) via: Option<Path>,
    /// True for a part of a reply.
    pub(super) answers: bool,
    /// The value, if this is its last part.
    pub(super) complete: Option<LargeValue>,
}

/// An emit that was given up before it was sent.
pub(super) struct Unsent {
    /// The call, if it waits for a reply.
    pub(super) call: Option<CallId>,
    /// True if parts of the emit were sent.
    pub(super) begun: bool,
}

#[derive(Debug, Default)]
pub(super) struct Outgoing {
    /// Replies of one frame.
    replies: VecDeque<Body>,
    /// Large values. The one that is being cut is the first. At most one is an emit.
    values: VecDeque<LargeValue>,
}

impl Outgoing {
    pub(super) fn push_reply(&mut self, reply: Body) {
        self.replies.push_back(reply);
    }

    /// Adds a value that is too large for one frame.
    pub(super) fn push_value(&mut self, body: &Body, size: usize, kind: ValueKind) {
        self.values.push_back(LargeValue { kind, size, text: body.to_json(), sent: 0 });
    }

    /// Puts other replies in the place of those for which there are any.
    pub(super) fn replace_replies(&mut self, substitute: impl Fn(&Body) -> Option<Body>) {
        for reply in &mut self.replies {
            if let Some(other) = substitute(reply) {
                *reply = other;
            }
        }
    }

    /// Removes the large values.
    pub(super) fn take_values(&mut self) -> VecDeque<LargeValue> {
        std::mem::take(&mut self.values)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty() && self.replies.is_empty()
    }

    /// Returns the call and the options of the emit in here, if there is one.
    fn emit(&self) -> Option<(CallId, EmitOptions)> {
        self.values.iter().find_map(|value| match value.kind {
            ValueKind::Emit(call, options) => Some((call, options)),
            ValueKind::Reply => None,
        })
    }

    /// Returns true if there is an emit: the next one has to wait.
    pub(super) fn has_emit(&self) -> bool {
        self.emit().is_some()
    }

    /// Returns true if the emit in here wants a reply.
    pub(super) fn has_call(&self) -> bool {
        self.emit().is_some_and(|(_, options)| options.wants_reply())
    }

    /// Returns when the queued emit should be dropped, if ever.
    pub(super) fn due(&self) -> Option<Instant> {
        let (_, EmitOptions { reply_by, expires, .. }) = self.emit()?;
        [reply_by, expires].into_iter().flatten().min()
    }

    /// Returns why the queued emit should be dropped, or `None` if it is still wanted.
    pub(super) fn overdue(&self, now: Instant) -> Option<Cause> {
        let (_, EmitOptions { reply_by, expires, .. }) = self.emit()?;
        if expires.is_some_and(|at| at <= now) {
            Some(Cause::Code(Code::Expired))
        } else if reply_by.is_some_and(|at| at <= now) {
            Some(Cause::Code(Code::Timeout))
        } else {
            None
        }
    }

    /// Returns true if the queued emit is that of a call which waits for its reply.
    pub(super) fn is_of(&self, call: CallId) -> bool {
        self.emit().is_some_and(|(of, options)| of == call && options.wants_reply())
    }

    /// Removes the queued emit.
    pub(super) fn take_emit(&mut self) -> Option<Unsent> {
        let is_emit = |value: &LargeValue| matches!(value.kind, ValueKind::Emit(..));
        let value = self.values.remove(self.values.iter().position(is_emit)?)?;
        let ValueKind::Emit(call, options) = value.kind else { return None };
        Some(Unsent { call: options.wants_reply().then_some(call), begun: value.is_begun() })
    }

    /// Returns the number of replies in here, and their bytes. They count like those in the window.
    pub(super) fn load(&self) -> (usize, usize) {
        let values = self.values.iter().filter(|value| matches!(value.kind, ValueKind::Reply));
        let sizes = self.replies.iter().map(Body::size).chain(values.map(|value| value.size));
        sizes.fold((0, 0), |(count, bytes), size| (count + 1, bytes + size))
    }

    /// Takes the next reply of one frame, if the window takes it.
    pub(super) fn next_reply(&mut self, window: &Window) -> Option<Body> {
        if window.reply_bytes() >= WINDOW_BYTES { None } else { self.replies.pop_front() }
    }

    /// Takes the next part, if the window takes it. A part of an emit needs a path for emits. A reply
    /// does not wait for an emit that was not begun: the partner's handlers may wait for the reply,
    /// and the emit for a handler.
    pub(super) fn next_part(&mut self, window: &Window, has_path: bool) -> Option<ValuePart> {
        if !window.takes_parts() {
            return None;
        }
        let may_send = |value: &LargeValue| match value.kind {
            ValueKind::Reply => true,
            ValueKind::Emit(..) => has_path && (value.is_begun() || window.fits(value.size)),
        };
        // No value passes one that was begun.
        let is_begun = self.values.front().is_some_and(LargeValue::is_begun);
        let few = if is_begun { 1 } else { self.values.len() };
        let at = self.values.iter().take(few).position(may_send)?;
        let mut value = self.values.remove(at)?;
        let (via, answers) = match value.kind {
            ValueKind::Emit(_, options) => (options.via, false),
            ValueKind::Reply => (None, true),
        };
        let text = piece(&value.text[value.sent..]).to_owned();
        value.sent += text.len();
        let last = value.sent == value.text.len();
        let body = Body::Part { text, last };
        if last {
            return Some(ValuePart { body, via, answers, complete: Some(value) });
        }
        self.values.push_front(value);
        Some(ValuePart { body, via, answers, complete: None })
    }
}

/// Returns as much of a text as fits into one part, spelled as a JSON string.
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
