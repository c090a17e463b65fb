//! V1 clients that may believe in a pairing that is over: they left without having confirmed its end, or
//! a server before this one had paired them.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Instant,
};

use crate::{
    ClientId,
    limits::{DEPARTED_V1, DEPARTED_V1_TIME},
};

#[derive(Debug, Default)]
pub(super) struct DepartedV1 {
    /// The time at which each of them is forgotten.
    forgotten: BTreeMap<ClientId, Instant>,
    /// The same in the order in which they left. A client that left more than once stands here more
    /// than once, and only its last entry counts.
    order: VecDeque<(Instant, ClientId)>,
    /// The time at which the first v1 client connected.
    since: Option<Instant>,
    /// Clients that have connected since then, as long as a server before this one counts.
    met: BTreeSet<ClientId>,
}

impl DepartedV1 {
    /// Remembers a client, and forgets the oldest if there are too many.
    pub(super) fn remember(&mut self, id: ClientId, now: Instant) {
        while let Some((forgotten, _)) = self.order.front()
            && (*forgotten <= now || self.order.len() >= DEPARTED_V1)
            && let Some((forgotten, id)) = self.order.pop_front()
        {
            if self.forgotten.get(&id) == Some(&forgotten) {
                self.forgotten.remove(&id);
            }
        }
        let forgotten = now + DEPARTED_V1_TIME;
        self.order.push_back((forgotten, id.clone()));
        self.forgotten.insert(id, forgotten);
    }

    /// Forgets a client that is back. Returns whether it has to be informed that it has no pairing.
    pub(super) fn recall(&mut self, id: &ClientId, now: Instant) -> bool {
        let left = self.forgotten.remove(id).is_some_and(|forgotten| now < forgotten);
        self.may_come_from_before(id, now) || left
    }

    /// Returns whether this may be the first connection of a client since the server started: a page that
    /// came through the restart still has the partner from before.
    fn may_come_from_before(&mut self, id: &ClientId, now: Instant) -> bool {
        let since = *self.since.get_or_insert(now);
        if now >= since + DEPARTED_V1_TIME {
            self.met = BTreeSet::new();
            return false;
        }
        let is_new = !self.met.contains(id);
        if is_new && self.met.len() < DEPARTED_V1 {
            self.met.insert(id.clone());
        }
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a register that has met no client, of a server that is no longer new.
    fn of_old_server(now: Instant) -> DepartedV1 {
        DepartedV1 { since: now.checked_sub(DEPARTED_V1_TIME), ..DepartedV1::default() }
    }

    fn name(number: usize) -> ClientId {
        number.to_string().parse().unwrap()
    }

    #[test]
    fn in_the_first_ten_minutes_each_client_is_told_once() {
        let now = Instant::now();
        let mut departed = DepartedV1::default();

        assert!(departed.recall(&name(1), now));
        assert!(!departed.recall(&name(1), now));
        assert!(departed.recall(&name(2), now + DEPARTED_V1_TIME / 2));
        assert!(!departed.recall(&name(3), now + DEPARTED_V1_TIME));
        assert!(departed.met.is_empty(), "nobody is remembered for longer");
    }

    #[test]
    fn beyond_the_limit_a_client_may_be_told_more_than_once() {
        let now = Instant::now();
        let mut departed = DepartedV1::default();

        for number in 0..=DEPARTED_V1 {
            assert!(departed.recall(&name(number), now));
        }

        assert!(departed.recall(&name(DEPARTED_V1), now));
        assert_eq!(departed.met.len(), DEPARTED_V1);
    }

    #[test]
    fn beyond_the_limit_the_oldest_is_forgotten() {
        let now = Instant::now();
        let mut departed = of_old_server(now);

        for number in 0..=DEPARTED_V1 {
            departed.remember(name(number), now);
        }

        assert!(!departed.recall(&name(0), now));
        assert!(departed.recall(&name(1), now));
        assert!(departed.recall(&name(DEPARTED_V1), now));
    }

    #[test]
    fn a_client_that_leaves_again_and_again_takes_no_more_room() {
        let now = Instant::now();
        let mut departed = of_old_server(now);
        let name: ClientId = "a".parse().unwrap();

        for _ in 0..3 * DEPARTED_V1 {
            departed.remember(name.clone(), now);
            assert!(departed.recall(&name, now));
        }

        assert!(departed.order.len() <= DEPARTED_V1);
        assert!(departed.forgotten.is_empty());
    }

    #[test]
    fn after_ten_minutes_it_is_forgotten() {
        let now = Instant::now();
        let mut departed = of_old_server(now);
        let name: ClientId = "a".parse().unwrap();
        departed.remember(name.clone(), now);

        assert!(!departed.recall(&name, now + DEPARTED_V1_TIME));
    }
}
