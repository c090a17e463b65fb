//! Requests of a v1 client that wait until its partner has what the client emitted before them.

use std::{collections::VecDeque, time::Instant};

use crate::{
    ClientMessage, Code, Refusal,
    limits::{HELD_REQUESTS, V1_LEAVE_TIME},
};

/// The requests of one v1 client, in their order.
///
/// A v1 client ends its pairing by `P2P_UNREGISTER` and does not wait until its emits have arrived. So the
/// request waits until they have, for [`V1_LEAVE_TIME`] at most, and whatever the client requests after it waits
/// behind it.
///
/// # Examples
///
/// ```
/// use std::time::Instant;
///
/// use socketio_p2p_protocol::{ClientMessage, relay::HeldRequests};
///
/// let now = Instant::now();
/// let mut held = HeldRequests::default();
/// held.push(ClientMessage::Unregister { req: Some(1) });
/// let (unconfirmed, confirmed) = (true, false);
/// assert!(held.pop(unconfirmed, now).is_none());
/// assert!(held.pop(confirmed, now).is_some());
/// ```
#[derive(Debug, Default)]
pub struct HeldRequests {
    requests: VecDeque<ClientMessage>,
    /// The end of the wait of the first one.
    deadline: Option<Instant>,
}

impl HeldRequests {
    /// Adds a request that was read.
    pub fn push(&mut self, request: ClientMessage) {
        self.requests.push_back(request);
    }

    /// Returns the request that is to be carried out now, if any, and what to tell the client before it.
    /// `is_unconfirmed`: it is paired, and its partner has not taken all that it emitted.
    ///
    /// Call this until it returns `None` after each [`push`](Self::push), when everything is confirmed, and at
    /// [`poll_timeout`](Self::poll_timeout).
    pub fn pop(
        &mut self,
        is_unconfirmed: bool,
        now: Instant,
    ) -> Option<(ClientMessage, Option<Refusal>)> {
        let is_last = matches!(self.requests.front()?, ClientMessage::Unregister { .. });
        let undelivered = is_last && is_unconfirmed;
        if undelivered {
            let deadline = *self.deadline.get_or_insert(now + V1_LEAVE_TIME);
            if now < deadline && self.requests.len() <= HELD_REQUESTS {
                return None;
            }
        }
        self.deadline = None;
        let refusal = undelivered.then(|| {
            let why = "the pairing ended before the partner took everything that was emitted";
            Refusal::new(Code::Timeout, why)
        });
        self.requests.pop_front().map(|request| (request, refusal))
    }

    /// Returns whether requests wait.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// Returns when [`pop`](Self::pop) is due at the latest, or `None` if nothing waits.
    #[must_use]
    pub const fn poll_timeout(&self) -> Option<Instant> {
        self.deadline
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unregister(req: u64) -> ClientMessage {
        ClientMessage::Unregister { req: Some(req) }
    }

    fn list(req: u64) -> ClientMessage {
        ClientMessage::List { req: Some(req) }
    }

    fn drain(held: &mut HeldRequests, is_unconfirmed: bool, now: Instant) -> Vec<ClientMessage> {
        std::iter::from_fn(|| held.pop(is_unconfirmed, now)).map(|(request, _)| request).collect()
    }

    #[test]
    fn the_end_of_a_pairing_waits_for_what_was_emitted_and_all_else_behind_it() {
        let now = Instant::now();
        let mut held = HeldRequests::default();
        for request in [list(1), unregister(2), list(3)] {
            held.push(request);
        }

        assert_eq!(drain(&mut held, true, now), [list(1)]);
        assert_eq!(held.poll_timeout(), Some(now + V1_LEAVE_TIME));
        assert_eq!(drain(&mut held, false, now), [unregister(2), list(3)]);

        assert!(held.is_empty() && held.poll_timeout().is_none());
    }

    #[test]
    fn the_client_is_told_if_the_wait_was_in_vain() {
        let now = Instant::now();
        let mut held = HeldRequests::default();
        held.push(unregister(1));
        assert!(held.pop(true, now).is_none());

        let (request, refusal) = held.pop(true, now + V1_LEAVE_TIME).unwrap();

        assert_eq!(request, unregister(1));
        assert_eq!(refusal.unwrap().code, Code::Timeout);
    }

    #[test]
    fn a_client_that_requests_more_than_is_held_does_not_wait() {
        let now = Instant::now();
        let mut held = HeldRequests::default();
        held.push(unregister(0));
        let more = u64::try_from(HELD_REQUESTS).unwrap();
        (1..more).for_each(|req| held.push(list(req)));
        assert!(held.pop(true, now).is_none());

        held.push(list(more));

        assert_eq!(held.pop(true, now).unwrap().0, unregister(0));
        assert_eq!(drain(&mut held, true, now).len(), HELD_REQUESTS);
    }
}
