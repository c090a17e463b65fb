//! The events of a v1 client that its session has not taken.

use std::{collections::VecDeque, time::Instant};

use crate::{
    Args, Code, ReqId,
    limits::{
        BACKLOG_BYTES, BACKLOG_BYTES_MAX, BACKLOG_EMIT_BYTES, BACKLOG_EMITS_MAX,
        BACKLOG_OWING_BYTES,
    },
    planted::{self, Fault},
};

#[derive(Debug)]
pub(super) struct Emit {
    pub(super) event: String,
    pub(super) args: Args,
    /// The id of the client's acknowledgement, and its deadline.
    pub(super) call: Option<(ReqId, Instant)>,
}

impl Emit {
    /// Returns the bytes of its text and its blobs.
    fn size(&self) -> usize {
        self.args.size() + self.event.len()
    }
}

/// `true` from the moment in which a backlog is over a limit until it is under half of it.
#[derive(Debug, Default)]
struct Fullness(bool);

impl Fullness {
    const fn note(&mut self, bytes: usize, limit: usize) {
        let share = if self.0 { 2 } else { 1 };
        self.0 = bytes > limit / share;
    }
}

/// A queue of events, in their order.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    emits: VecDeque<Emit>,
    /// The bytes of their texts and blobs.
    bytes: usize,
    /// By the limit for a client that owes nothing.
    full: Fullness,
    /// By the limit for a client that owes answers to its partner.
    full_owing: Fullness,
}

impl Backlog {
    /// Adds an event.
    ///
    /// # Errors
    ///
    /// [`Code::Congested`] if there is no room for it.
    pub(super) fn push(&mut self, emit: Emit) -> Result<(), Code> {
        // One that is longer than the backlog may be the only one.
        let too_long = !self.emits.is_empty() && self.bytes + emit.size() > BACKLOG_BYTES_MAX;
        if self.emits.len() >= BACKLOG_EMITS_MAX || too_long {
            return Err(Code::Congested);
        }
        if self.emits.len() >= 512 && planted::is(Fault::DropBurst) {
            return Ok(());
        }
        self.bytes += emit.size();
        self.emits.push_back(emit);
        self.note_size();
        Ok(())
    }

    /// Returns whether no event waits.
    pub(super) fn is_empty(&self) -> bool {
        self.emits.is_empty()
    }

    /// Takes the next event out.
    pub(super) fn pop(&mut self) -> Option<Emit> {
        let at =
            if planted::is(Fault::ReverseBacklog) { self.emits.len().checked_sub(1)? } else { 0 };
        self.remove(at)
    }

    /// Takes an event out whose deadline is over.
    pub(super) fn pop_expired(&mut self, now: Instant) -> Option<Emit> {
        let expired = |emit: &Emit| emit.call.is_some_and(|(_, deadline)| deadline <= now);
        let at = self.emits.iter().position(expired)?;
        self.remove(at)
    }

    /// Returns the next deadline.
    pub(super) fn deadline(&self) -> Option<Instant> {
        // The deadlines come in the order of the events, but not each event has one.
        self.emits.iter().find_map(|emit| emit.call).map(|(_, at)| at)
    }

    /// Returns whether nothing should be added for the time being. `owes`: the client owes answers, which come
    /// behind what it emits.
    pub(super) const fn is_full(&self, owes: bool) -> bool {
        if owes { self.full_owing.0 } else { self.full.0 }
    }

    fn remove(&mut self, at: usize) -> Option<Emit> {
        let emit = self.emits.remove(at)?;
        self.bytes -= emit.size();
        self.note_size();
        Some(emit)
    }

    fn note_size(&mut self) {
        let memory = self.bytes + self.emits.len() * BACKLOG_EMIT_BYTES;
        self.full.note(memory, BACKLOG_BYTES);
        self.full_owing.note(memory, BACKLOG_OWING_BYTES);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn emit(bytes: usize) -> Emit {
        let text = format!("[\"{}\"]", "x".repeat(bytes));
        Emit { event: "e".into(), args: Args::from_text(text, Vec::new()).unwrap(), call: None }
    }

    #[test]
    fn a_backlog_is_full_above_its_limit_and_until_it_is_under_half_of_it() {
        for (owes, bytes) in [(false, 0), (false, 10 * 1024), (true, 0), (true, 10 * 1024)] {
            let mut backlog = Backlog::default();
            while !backlog.is_full(owes) {
                backlog.push(emit(bytes)).unwrap();
            }
            let most = backlog.emits.len();

            let mut left = most;
            while backlog.is_full(owes) {
                backlog.pop().unwrap();
                left -= 1;
            }

            assert!((most / 2 - 1..=most / 2).contains(&left), "{left} of {most}");
        }
    }

    #[test]
    fn a_full_backlog_still_takes_what_is_read_already() {
        for owes in [false, true] {
            let mut backlog = Backlog::default();
            while !backlog.is_full(owes) {
                backlog.push(emit(16 * 1024)).unwrap();
            }

            let mut taken = 0;
            while backlog.push(emit(16 * 1024)).is_ok() {
                taken += 16 * 1024;
            }

            let read_already = crate::limits::CONNECTION_MESSAGE_BYTES - 32 * 1024;
            assert!(taken >= read_already, "{taken}");
            assert!(backlog.bytes <= BACKLOG_BYTES_MAX);
        }
    }

    #[test]
    fn a_full_backlog_takes_little_more_memory_than_its_limit() {
        /// What an allocation takes beside its bytes.
        const ALLOCATION: usize = 16;
        for (owes, limit) in [(false, BACKLOG_BYTES), (true, BACKLOG_OWING_BYTES)] {
            for bytes in [0, 20, 200, 2000] {
                let mut backlog = Backlog::default();
                while !backlog.is_full(owes) {
                    backlog.push(emit(bytes)).unwrap();
                }

                let places = backlog.emits.capacity() * size_of::<Emit>();
                let each = |emit: &Emit| emit.size() + 2 * ALLOCATION;
                let memory = places + backlog.emits.iter().map(each).sum::<usize>();

                assert!(memory <= limit + limit / 4, "{bytes}: {memory} of {limit}");
            }
        }
    }

    #[test]
    fn one_event_may_be_longer_than_the_backlog() {
        let mut backlog = Backlog::default();

        assert!(backlog.push(emit(2 * BACKLOG_BYTES_MAX)).is_ok());
        assert_eq!(backlog.push(emit(0)), Err(Code::Congested));
        backlog.pop();
        assert!(!backlog.is_full(false));
    }
}
