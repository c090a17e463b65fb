//! The short window of a channel that may lose messages: what may be lost does not wait.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::limits::{CHANNEL_PIECE_BYTES, CHANNEL_QUEUE_TIME};

/// Bytes that are handed over at a time, and that may be in any case.
const FEW: usize = 4 * CHANNEL_PIECE_BYTES;

/// Marks that are kept. Between them the times are those of the earlier one.
const MARKS: usize = 64;

/// The times at which bytes were handed to the transport, as long as it holds them. While the oldest is young, the
/// transport keeps up, whatever its rate.
#[derive(Debug, Default)]
pub struct TimelyWindow {
    handed_over: u64,
    /// The number of bytes that were handed over up to a time, and that time.
    marks: VecDeque<(u64, Instant)>,
}

impl TimelyWindow {
    /// Returns the number of bytes that may be handed over to a transport that holds this many. A few may always:
    /// only what comes later shows the transport that something was lost.
    pub fn room(&mut self, held: usize, round_trip: Duration, now: Instant) -> usize {
        let gone = self.handed_over.saturating_sub(held as u64);
        while self.marks.front().is_some_and(|(up_to, _)| *up_to <= gone) {
            self.marks.pop_front();
        }
        let oldest = self.marks.front();
        if oldest.is_none_or(|(_, at)| now <= *at + round_trip + CHANNEL_QUEUE_TIME) {
            return FEW;
        }
        FEW.saturating_sub(held)
    }

    /// Notes that a message of this length is handed over.
    pub fn handed_over(&mut self, len: usize, now: Instant) {
        self.handed_over += len as u64;
        let is_full = self.marks.len() == MARKS;
        match self.marks.back_mut() {
            Some((up_to, at)) if is_full || *at == now => *up_to = self.handed_over,
            _ => self.marks.push_back((self.handed_over, now)),
        }
    }
}
