//! The holder of an id for which a newcomer waits: whether it is gone.

use std::time::{Duration, Instant};

use crate::limits::ID_WAIT;

/// What is seen of a holder at one moment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Sign {
    /// Nothing can be said: its stream is not seen, or it cannot be asked at present.
    Unknown,
    /// It was asked, or has to poll, and has done nothing since.
    Silent,
    /// It was heard since it was asked, or its poll waits for something.
    Alive,
}

/// The holder of an id while a newcomer waits for it, for [`ID_WAIT`].
///
/// A holder is gone that was silent whenever anything could be said of it, for at least half of that time. A single
/// sign of life is enough to keep its id.
///
/// # Examples
///
/// ```
/// use std::time::{Duration, Instant};
///
/// use socketio_p2p_protocol::relay::{Holder, Sign};
///
/// let now = Instant::now();
/// let mut holder = Holder::new(now);
/// holder.saw(Sign::Silent);
/// assert!(!holder.is_gone(now + Duration::from_millis(499)));
/// assert!(holder.is_gone(now + Duration::from_secs(1)));
///
/// holder.saw(Sign::Alive);
/// holder.saw(Sign::Silent);
/// assert!(!holder.is_gone(now + Duration::from_secs(1)));
/// ```
#[derive(Clone, Debug)]
pub struct Holder {
    since: Instant,
    sign: Sign,
}

impl Holder {
    /// The time for which a holder is looked at before it may be gone.
    const LOOKED_AT: Duration = Duration::from_millis(ID_WAIT.as_millis() as u64 / 2);

    /// Creates a holder that is looked at from now on.
    #[must_use]
    pub const fn new(now: Instant) -> Self {
        Self { since: now, sign: Sign::Unknown }
    }

    /// Notes what is seen of it.
    pub fn saw(&mut self, sign: Sign) {
        if self.sign != Sign::Alive && sign != Sign::Unknown {
            self.sign = sign;
        }
    }

    /// Returns whether it is gone, as far as was seen.
    #[must_use]
    pub fn is_gone(&self, now: Instant) -> bool {
        self.sign == Sign::Silent && now.duration_since(self.since) >= Self::LOOKED_AT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns whether a holder is gone of which this was seen, one after the other, in the time for which a
    /// newcomer waits.
    fn is_gone(signs: &[Sign]) -> bool {
        let now = Instant::now();
        let mut holder = Holder::new(now);
        for sign in signs {
            holder.saw(*sign);
        }
        holder.is_gone(now + ID_WAIT)
    }

    #[test]
    fn a_holder_that_only_was_silent_is_gone() {
        assert!(is_gone(&[Sign::Silent]));
        assert!(is_gone(&[Sign::Unknown, Sign::Silent, Sign::Unknown]));
    }

    #[test]
    fn one_sign_of_life_keeps_the_id() {
        assert!(!is_gone(&[Sign::Alive]));
        assert!(!is_gone(&[Sign::Silent, Sign::Alive]));
        assert!(!is_gone(&[Sign::Alive, Sign::Silent]));
    }

    #[test]
    fn a_holder_of_which_nothing_is_seen_is_not_gone() {
        assert!(!is_gone(&[]));
        assert!(!is_gone(&[Sign::Unknown]));
    }
}
