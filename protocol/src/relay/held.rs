//! Requests of a v1 client that wait until its partner has what the client emitted before them.

use std::{collections::VecDeque, time::Instant};

use crate::{
    ClientMessage,
    limits::{HELD_REQUESTS, V1_LEAVE_TIME},
};

/// The requests of one v1 client, in their order.
///
/// A v1 client ends its pairing by `P2P_UNREGISTER` and does not wait until its emits have arrived. So the
/// request waits until they have, for [`V1_LEAVE_TIME`] at most, and what the client registers after it waits
/// behind it. Other requests [pass](Self::passes).
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
    /// Returns whether a request is carried out at once, whatever waits.
    #[must_use]
    pub const fn passes(request: &ClientMessage) -> bool {
        !matches!(request, ClientMessage::Register { .. } | ClientMessage::Unregister { .. })
    }

    /// Adds a request that was read.
    pub fn push(&mut self, request: ClientMessage) {
        self.requests.push_back(request);
    }

    /// Returns the request that is to be carried out now, if any. `is_unconfirmed`: the client is paired, and its
    /// partner has not taken all that it emitted.
    ///
    /// Call this until it returns `None` after each [`push`](Self::push), when everything is confirmed, and at
    /// [`poll_timeout`](Self::poll_timeout).
    pub fn pop(&mut self, is_unconfirmed: bool, now: Instant) -> Option<ClientMessage> {
        if is_unconfirmed && matches!(self.requests.front()?, ClientMessage::Unregister { .. }) {
            let deadline = *self.deadline.get_or_insert(now + V1_LEAVE_TIME);
            if now < deadline && self.requests.len() <= HELD_REQUESTS {
                return None;
            }
        }
        self.deadline = None;
        self.requests.pop_front()
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

    fn register(req: u64) -> ClientMessage {
        let target = "B".parse().unwrap();
        ClientMessage::Register {
            req: Some(req),
            target,
            payload: None,
            consent_time: None,
            wait: None,
        }
    }

    fn drain(held: &mut HeldRequests, is_unconfirmed: bool, now: Instant) -> Vec<ClientMessage> {
        std::iter::from_fn(|| held.pop(is_unconfirmed, now)).collect()
    }

    #[test]
    fn the_end_of_a_pairing_waits_for_what_was_emitted_and_a_registration_behind_it() {
        let now = Instant::now();
        let mut held = HeldRequests::default();
        for request in [register(1), unregister(2), register(3)] {
            held.push(request);
        }

        assert_eq!(drain(&mut held, true, now), [register(1)]);
        assert_eq!(held.poll_timeout(), Some(now + V1_LEAVE_TIME));
        assert_eq!(drain(&mut held, false, now), [unregister(2), register(3)]);

        assert!(held.is_empty() && held.poll_timeout().is_none());
    }

    #[test]
    fn it_does_not_wait_longer_than_that() {
        let now = Instant::now();
        let mut held = HeldRequests::default();
        held.push(unregister(1));
        assert_eq!(held.pop(true, now), None);

        assert_eq!(held.pop(true, now + V1_LEAVE_TIME), Some(unregister(1)));
    }

    #[test]
    fn a_client_that_requests_more_than_is_held_does_not_wait() {
        let now = Instant::now();
        let mut held = HeldRequests::default();
        held.push(unregister(0));
        let more = u64::try_from(HELD_REQUESTS).unwrap();
        (1..more).for_each(|req| held.push(register(req)));
        assert_eq!(held.pop(true, now), None);

        held.push(register(more));

        assert_eq!(held.pop(true, now), Some(unregister(0)));
        assert_eq!(drain(&mut held, true, now).len(), HELD_REQUESTS);
    }

    #[test]
    fn what_neither_begins_nor_ends_a_pairing_passes() {
        assert!(HeldRequests::passes(&ClientMessage::List { req: None }));
        assert!(!HeldRequests::passes(&register(1)) && !HeldRequests::passes(&unregister(1)));
    }
}
