//! A newcomer whose id is in use: it waits a moment for the holder, which may be gone or going.
//!
//! ```text
//!              the holder ends, or its transport has ended ─────► another attempt to admit the newcomer
//!   Newcomer ──┤ it is silent for ID_WAIT ────────────────► Remove ─┘
//!              └ it is heard, cannot be asked, or keeps its id ──► Refuse
//! ```

use std::time::Instant;

use super::holder::{Holder, Sign};
use crate::{
    ConnId,
    limits::{ID_ASK_AGAIN, ID_WAIT},
};

/// What a host sees of the transport of a holder at one moment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Seen {
    /// It has ended, though its end was not reported yet.
    Ended,
    /// The host does not see its stream.
    Hidden,
    /// It is a websocket, which has answered the last question or not.
    Websocket(Sign),
    /// It is a websocket from which the host does not read at present.
    Held,
    /// It polls, and becomes a websocket: it does not poll meanwhile.
    Upgrading,
    /// It polls.
    Polling {
        /// `true` while a poll of it waits at the host.
        waits: bool,
    },
}

/// What a host does next for a newcomer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Turn {
    /// Try again to admit it after [`ID_WAIT_STEP`](crate::limits::ID_WAIT_STEP), then look again.
    Wait,
    /// Ask the holder for a sign of life, then do the same.
    Ask,
    /// Remove the holder as a client that has lost its connection, and try again to admit the newcomer.
    Remove,
    /// Refuse it, unless a last attempt to admit it succeeds.
    Refuse,
}

/// A newcomer whose id is in use, while it waits for the holder.
///
/// # Examples
///
/// ```
/// use std::time::Instant;
///
/// use socketio_p2p_protocol::{
///     ConnId,
///     limits::ID_WAIT,
///     relay::{Newcomer, Seen, Sign, Turn},
/// };
///
/// let now = Instant::now();
/// let mut newcomer = Newcomer::new(now);
/// let holder = ConnId(1);
///
/// assert_eq!(newcomer.look(holder, Seen::Websocket(Sign::Unknown), false, now), Turn::Ask);
/// let silent = Seen::Websocket(Sign::Silent);
/// assert_eq!(newcomer.look(holder, silent, false, now), Turn::Wait);
/// assert_eq!(newcomer.look(holder, silent, false, now + ID_WAIT), Turn::Remove);
/// ```
#[derive(Clone, Debug)]
pub struct Newcomer {
    until: Instant,
    holder: Option<PresentHolder>,
}

/// The present holder of the id.
#[derive(Clone, Debug)]
struct PresentHolder {
    conn: ConnId,
    seen: Holder,
    asked_at: Instant,
}

impl Newcomer {
    /// Creates a newcomer that waits from now on, for [`ID_WAIT`].
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self { until: now + ID_WAIT, holder: None }
    }

    /// Looks at the connection that has the id, after an attempt to admit the newcomer has failed. Returns what to
    /// do next.
    ///
    /// `keeps_id` tells whether the holder keeps the id even if it is silent
    /// ([`Broker::keeps_id`](crate::Broker::keeps_id)).
    pub fn look(&mut self, conn: ConnId, seen: Seen, keeps_id: bool, now: Instant) -> Turn {
        if seen == Seen::Ended {
            return Turn::Remove;
        }
        let known = self.holder.take().filter(|holder| holder.conn == conn);
        let is_new = known.is_none();
        let holder = self.holder.insert(known.unwrap_or_else(|| PresentHolder {
            conn,
            seen: Holder::new(now),
            asked_at: now,
        }));
        if !keeps_id {
            holder.seen.saw(sign(seen, is_new));
        }
        if now >= self.until {
            let is_gone = !keeps_id && holder.seen.is_gone(now);
            return if is_gone { Turn::Remove } else { Turn::Refuse };
        }
        // Its end is not read either. A machine that knows nothing of the connection any more refuses the first
        // ping, and the next one fails.
        let asks_again = seen == Seen::Held && now.duration_since(holder.asked_at) >= ID_ASK_AGAIN;
        if is_new || asks_again {
            holder.asked_at = now;
            return Turn::Ask;
        }
        Turn::Wait
    }
}

/// Returns what can be concluded from what is seen of a holder.
const fn sign(seen: Seen, is_new: bool) -> Sign {
    match seen {
        // What it sent before it was asked says nothing.
        Seen::Websocket(_) if is_new => Sign::Unknown,
        Seen::Websocket(sign) => sign,
        Seen::Polling { waits: true } => Sign::Alive,
        Seen::Polling { waits: false } => Sign::Silent,
        Seen::Ended | Seen::Hidden | Seen::Held | Seen::Upgrading => Sign::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::limits::ID_WAIT_STEP;

    const HOLDER: ConnId = ConnId(1);

    /// Has a newcomer look at the holder as often as it does, and returns the last turn.
    fn wait(keeps_id: bool, seen: impl Fn(u32) -> Seen) -> Turn {
        let start = Instant::now();
        let mut newcomer = Newcomer::new(start);
        for step in 0.. {
            let now = start + ID_WAIT_STEP * step;
            match newcomer.look(HOLDER, seen(step), keeps_id, now) {
                Turn::Wait | Turn::Ask => assert!(now < start + ID_WAIT, "it waits too long"),
                turn => return turn,
            }
        }
        unreachable!("it waits for a limited time")
    }

    #[test]
    fn a_holder_that_has_ended_is_removed_at_once() {
        let now = Instant::now();

        let turn = Newcomer::new(now).look(HOLDER, Seen::Ended, false, now);

        assert_eq!(turn, Turn::Remove);
    }

    #[test]
    fn a_holder_that_is_silent_for_that_time_loses_its_id() {
        assert_eq!(wait(false, |_| Seen::Websocket(Sign::Silent)), Turn::Remove);
        assert_eq!(wait(false, |_| Seen::Polling { waits: false }), Turn::Remove);
    }

    #[test]
    fn the_newcomer_is_refused_if_the_holder_is_heard_once() {
        let heard = |step| Seen::Websocket(if step == 7 { Sign::Alive } else { Sign::Silent });
        assert_eq!(wait(false, heard), Turn::Refuse);
        assert_eq!(wait(false, |step| Seen::Polling { waits: step == 0 }), Turn::Refuse);
    }

    #[test]
    fn what_a_websocket_sent_before_it_was_asked_is_no_sign_of_life() {
        let before = |step| Seen::Websocket(if step == 0 { Sign::Alive } else { Sign::Silent });

        assert_eq!(wait(false, before), Turn::Remove);
    }

    #[test]
    fn a_client_whose_place_is_kept_for_its_token_keeps_its_id_even_if_it_is_silent() {
        assert_eq!(wait(true, |_| Seen::Websocket(Sign::Silent)), Turn::Refuse);
        assert_eq!(wait(true, |_| Seen::Polling { waits: false }), Turn::Refuse);
    }

    #[test]
    fn a_client_that_was_silent_and_is_paired_meanwhile_keeps_its_id() {
        let start = Instant::now();
        let mut newcomer = Newcomer::new(start);
        let silent = Seen::Websocket(Sign::Silent);
        newcomer.look(HOLDER, silent, false, start);
        newcomer.look(HOLDER, silent, false, start + ID_WAIT / 2);

        assert_eq!(newcomer.look(HOLDER, silent, true, start + ID_WAIT), Turn::Refuse);
    }

    #[test]
    fn a_holder_that_cannot_be_asked_keeps_its_id() {
        for seen in [Seen::Hidden, Seen::Held, Seen::Upgrading] {
            assert_eq!(wait(false, |_| seen), Turn::Refuse, "{seen:?}");
        }
    }

    #[test]
    fn a_holder_from_which_the_server_does_not_read_is_asked_again() {
        let start = Instant::now();
        let mut newcomer = Newcomer::new(start);
        let mut look = |seen, after| newcomer.look(HOLDER, seen, false, start + after);

        assert_eq!(look(Seen::Held, Duration::ZERO), Turn::Ask);
        assert_eq!(look(Seen::Held, ID_WAIT_STEP), Turn::Wait);
        assert_eq!(look(Seen::Websocket(Sign::Unknown), ID_ASK_AGAIN), Turn::Wait);
        assert_eq!(look(Seen::Held, ID_ASK_AGAIN), Turn::Ask);
        assert_eq!(look(Seen::Held, ID_ASK_AGAIN + ID_WAIT_STEP), Turn::Wait);
    }

    #[test]
    fn another_holder_is_asked_anew_and_has_no_share_in_the_silence_of_the_last() {
        let start = Instant::now();
        let mut newcomer = Newcomer::new(start);
        let silent = Seen::Websocket(Sign::Silent);
        let late = start + ID_WAIT - ID_WAIT_STEP;
        newcomer.look(HOLDER, silent, false, start);
        newcomer.look(HOLDER, silent, false, late);

        assert_eq!(newcomer.look(ConnId(2), silent, false, late), Turn::Ask);
        assert_eq!(newcomer.look(ConnId(2), silent, false, start + ID_WAIT), Turn::Refuse);
    }
}
