//! One peer's half of a raw channel: what it may send, what it gives back, and how the channel closes.
//!
//! A raw channel belongs to the application. SCTP has one receive buffer for all channels of a connection,
//! so a channel that is not read must not fill it. Ends that both state a window count every message of
//! a channel that loses nothing:
//!
//! ```text
//! sender                                                receiver
//!   a message          ── counts down the window ──▶    is kept until it is read
//!   waits at zero
//!                      ◀── an empty binary message ──   has read a quarter of its window
//!   may send again
//!   leaves             ──────── an empty text ──────▶   reads what came, closes the channel
//! ```
//!
//! A channel that may lose messages is not counted: a message that does not fit is lost. Neither is a
//! channel to a partner that states no window, such as a browser. Such a channel is closed once too much of
//! it is unread.
//!
//! The peer that closes a counted channel sends an empty text as its last message, and the partner closes the
//! channel in turn. If both peers simply closed it, SCTP would keep what was under way in the shared
//! receive buffer as long as the connection lives.

mod carriage;
mod pieces;
mod timely;

use std::time::{Duration, Instant};

pub use self::{
    carriage::Carriage,
    pieces::{Pieces, pieces},
    timely::TimelyWindow,
};
use crate::limits::{
    CHANNEL_FAREWELL, CHANNEL_MESSAGE_BYTES, CHANNEL_OVERHEAD, CHANNEL_QUIET, CHANNEL_UNREAD_BYTES,
    CHANNEL_WINDOW, CHANNEL_WINDOW_MIN, CHANNELS, CHANNELS_IN_ALL,
};

/// The part of a window that is given back at a time: one in so many.
const PART: usize = 4;

/// Bytes that a channel of a partner that counts can hold: its window, which the last message may exceed.
const SHARE: usize = CHANNEL_WINDOW + CHANNEL_MESSAGE_BYTES + CHANNEL_OVERHEAD;

/// Bytes that all channels of a connection may hold: as much as a partner that counts can send.
const UNREAD_IN_ALL: usize = CHANNELS * SHARE;

/// The reason why nothing more comes over a raw channel.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelEnd {
    /// This peer closed the channel.
    #[error("the channel was closed locally")]
    Here,
    /// The partner closed the channel, after everything that it sent. A partner that drops its half
    /// closes it in the same way.
    #[error("the partner closed the channel")]
    Partner,
    /// This peer closed the channel: the application did not read it, and the partner did not wait. Everything
    /// unread is lost.
    #[error("the channel was closed because it was not read")]
    Unread,
    /// The connection of the channel ended, whichever peer closed it. What had not arrived is lost.
    #[error("the channel's connection has ended")]
    Connection,
}

/// One peer's half of one raw channel.
#[derive(Debug)]
pub struct Channel {
    /// The partner's window in bytes, if both peers count.
    partner_window: Option<usize>,
    is_lossy: bool,
    /// Weight of the messages that wait to be read.
    unread: usize,
    /// Weight of the messages that were read and not given back.
    owed: usize,
    /// Rest of the partner's window. A message that exceeds the window makes it negative.
    credit: i64,
    /// Time of the last message.
    came_at: Option<Instant>,
    is_abandoned: bool,
    /// Reason for which this peer closes the channel.
    leaving: Option<ChannelEnd>,
    /// Time at which this peer sent its last message, or closed the channel.
    left_at: Option<Instant>,
    /// Set by the partner's last message.
    has_partner_left: bool,
    is_closing: bool,
    is_closed: bool,
    end: Option<ChannelEnd>,
}

/// A change that concerns a channel.
#[derive(Clone, Copy, Debug)]
pub enum Input {
    /// The application closes the channel, or the host does for this reason.
    Leave(ChannelEnd),
    /// The application has dropped the channel, so nothing of it is read.
    Abandoned,
    /// The message of [`Output::Leave`] was sent.
    SentLeave,
    /// The channel was closed as [`Output::Close`] asked.
    Closed,
    /// The channel is gone; the reason is what the host has seen of it.
    Ended(ChannelEnd),
    /// The time of [`Channel::poll_timeout`] has come, and all messages that came before were reported. The
    /// duration is the round trip of the connection.
    Timeout(Duration),
}

/// An action for the host.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Output {
    /// Send an empty binary message: a quarter of the window was read.
    Grant,
    /// Send an empty text, the last message of this peer. Report it as [`Input::SentLeave`].
    Leave,
    /// Close the channel. Report it as [`Input::Closed`].
    Close,
}

/// The kind of a message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A text.
    Text,
    /// A binary message.
    Binary,
}

/// The fate of a message that came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Arrival {
    /// The application reads it in its turn.
    Kept,
    /// It is lost: the application reads nothing any more, or the channel may lose it.
    Lost,
    /// It gave credit back. More may be sent.
    Credit,
    /// It was the partner's last. Nothing more comes.
    PartnerLeft,
    /// It is too much: everything that waits to be read is lost, and this peer closes the channel.
    Overflowed,
}

/// The reason why a message may not be sent now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SpendError {
    /// The partner's window is used up.
    Full,
    /// The channel has ended, or this peer leaves.
    Closed,
}

/// The fate of a channel that the partner opens.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Admission {
    /// The application gets it.
    Taken,
    /// There are as many as a connection may have: it is closed again.
    Refused,
    /// The partner opens channels faster than they can be closed: the connection ends.
    Overrun,
}

/// Returns whether the windows of a partner that states this one are counted. A partner that states none has
/// a window of 0.
#[must_use]
pub const fn is_counted(window: usize) -> bool {
    window >= CHANNEL_WINDOW_MIN
}

/// Decides about a channel that the partner opens, of a connection that has `open` channels, and `in_all` with
/// those that are on their way to be closed.
#[must_use]
pub const fn admit(open: usize, in_all: usize) -> Admission {
    if in_all >= CHANNELS_IN_ALL {
        Admission::Overrun
    } else if open >= CHANNELS {
        Admission::Refused
    } else {
        Admission::Taken
    }
}

/// Returns what a message counts, for either peer.
#[must_use]
pub const fn weight(len: usize) -> usize {
    len.saturating_add(CHANNEL_OVERHEAD)
}

impl Channel {
    /// Creates the half of a channel to a partner that states this window, or 0.
    #[must_use]
    pub fn new(partner_window: usize, is_lossy: bool) -> Self {
        let partner_window = Some(partner_window).filter(|&window| is_counted(window) && !is_lossy);
        Self {
            partner_window,
            is_lossy,
            unread: 0,
            owed: 0,
            credit: partner_window.map_or(0, signed),
            came_at: None,
            is_abandoned: false,
            leaving: None,
            left_at: None,
            has_partner_left: false,
            is_closing: false,
            is_closed: false,
            end: None,
        }
    }

    /// Takes a message that came. `unread_in_all` is the weight of what waits to be read on all channels of
    /// the connection.
    pub fn received(
        &mut self,
        kind: Kind,
        len: usize,
        unread_in_all: usize,
        now: Instant,
    ) -> Arrival {
        self.came_at = Some(now);
        if len == 0
            && let Some(window) = self.partner_window
        {
            return self.controlled(kind, window);
        }
        if self.is_abandoned || self.end.is_some() {
            return Arrival::Lost;
        }
        let unread = self.unread.saturating_add(weight(len));
        if self.is_lossy && unread > SHARE {
            return Arrival::Lost;
        }
        let is_too_much_in_all = unread_in_all.saturating_add(weight(len)) > UNREAD_IN_ALL;
        if unread > CHANNEL_UNREAD_BYTES || (is_too_much_in_all && unread > SHARE) {
            self.unread = 0;
            self.end = Some(ChannelEnd::Unread);
            self.leaving.get_or_insert(ChannelEnd::Unread);
            return Arrival::Overflowed;
        }
        self.unread = unread;
        Arrival::Kept
    }

    /// Takes an empty message of a partner that counts.
    fn controlled(&mut self, kind: Kind, window: usize) -> Arrival {
        match kind {
            Kind::Text => {
                self.has_partner_left = true;
                self.end.get_or_insert(ChannelEnd::Partner);
                Arrival::PartnerLeft
            }
            Kind::Binary => {
                self.credit = self.credit.saturating_add(signed(window / PART));
                Arrival::Credit
            }
        }
    }

    /// Records that the application has read a message of this length. Returns whether there is a new output.
    pub fn read(&mut self, len: usize) -> bool {
        self.unread = self.unread.saturating_sub(weight(len));
        self.owed = self.owed.saturating_add(weight(len));
        self.partner_window.is_some() && self.owed >= CHANNEL_WINDOW / PART
    }

    /// Counts a message that is about to be sent. The last one may exceed the window.
    ///
    /// # Errors
    ///
    /// [`SpendError::Full`] if the message has to wait for the partner, [`SpendError::Closed`] if it cannot be sent.
    pub fn spend(&mut self, len: usize) -> Result<(), SpendError> {
        if self.end.is_some() || self.leaving.is_some() {
            return Err(SpendError::Closed);
        }
        if self.partner_window.is_some() {
            if self.credit <= 0 {
                return Err(SpendError::Full);
            }
            self.credit = self.credit.saturating_sub(signed(weight(len)));
        }
        Ok(())
    }

    /// Takes back what [`Self::spend`] counted, for a message that was not sent.
    pub fn refund(&mut self, len: usize) {
        if self.partner_window.is_some() {
            self.credit = self.credit.saturating_add(signed(weight(len)));
        }
    }

    /// Takes an input.
    pub fn handle(&mut self, input: Input, now: Instant) {
        match input {
            Input::Leave(reason) => {
                self.leaving.get_or_insert(reason);
            }
            Input::Abandoned => {
                self.is_abandoned = true;
                self.unread = 0;
            }
            Input::SentLeave => {
                self.left_at.get_or_insert(now);
            }
            Input::Closed => {
                self.left_at.get_or_insert(now);
                self.is_closed = true;
            }
            Input::Ended(seen) => {
                let own = self.leaving.filter(|_| self.left_at.is_some());
                self.end.get_or_insert(own.unwrap_or(seen));
                self.is_closed = true;
            }
            Input::Timeout(round_trip) => {
                self.is_closing |= self.closes_at(now, round_trip).is_some_and(|at| at <= now);
            }
        }
    }

    /// Returns the next action, or `None`. The caller carries it out before it asks again.
    pub fn poll_output(&mut self) -> Option<Output> {
        if self.is_closed {
            return None;
        }
        if self.is_closing {
            return Some(Output::Close);
        }
        let counts = self.partner_window.is_some();
        if self.has_partner_left || !counts {
            return None;
        }
        if self.leaving.is_some() {
            return self.left_at.is_none().then_some(Output::Leave);
        }
        let is_due = self.owed >= CHANNEL_WINDOW / PART;
        is_due.then(|| {
            self.owed -= CHANNEL_WINDOW / PART;
            Output::Grant
        })
    }

    /// Returns whether either peer leaves. Otherwise there is no timeout.
    #[must_use]
    pub const fn is_ending(&self) -> bool {
        self.leaving.is_some() || self.has_partner_left
    }

    /// Returns the time at which [`Input::Timeout`] is due, for a connection with this round trip.
    #[must_use]
    pub fn poll_timeout(&self, now: Instant, round_trip: Duration) -> Option<Instant> {
        if self.is_closed { None } else { self.closes_at(now, round_trip) }
    }

    /// Returns the time at which this peer closes the channel: at once if the partner has left; of a partner that
    /// counts, when it has not closed the channel within [`CHANNEL_FAREWELL`]; of another, when nothing comes
    /// any more.
    fn closes_at(&self, now: Instant, round_trip: Duration) -> Option<Instant> {
        if self.has_partner_left {
            return Some(now);
        }
        self.leaving?;
        let quiet_at = self.came_at.map_or(now, |at| at + CHANNEL_QUIET + 2 * round_trip);
        match self.left_at {
            Some(at) => Some(quiet_at.max(at + CHANNEL_FAREWELL)),
            None => self.partner_window.is_none().then_some(quiet_at),
        }
    }

    /// Returns whether this peer has sent its last message or closed the channel, or the channel has ended.
    #[must_use]
    pub const fn has_left(&self) -> bool {
        self.left_at.is_some() || self.end.is_some()
    }

    /// Returns the reason why nothing more comes, once that is known.
    #[must_use]
    pub const fn end(&self) -> Option<ChannelEnd> {
        self.end
    }

    /// Returns the weight of what waits to be read.
    #[must_use]
    pub const fn unread(&self) -> usize {
        self.unread
    }
}

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
