//! V1 clients that left while paired: they do not know that their pairing ended.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Instant,
};

use crate::{
    ClientId,
    limits::{GHOST_TIME, GHOSTS},
};

#[derive(Debug, Default)]
pub(super) struct Ghosts {
    forgotten: BTreeMap<ClientId, Instant>,
    /// In the order in which they left. A client that left more than once stands here more than
    /// once, and only its last entry counts.
    order: VecDeque<(Instant, ClientId)>,
}

impl Ghosts {
    /// Remembers one, and forgets the oldest if there are too many.
    pub(super) fn remember(&mut self, id: ClientId, now: Instant) {
        while let Some((forgotten, _)) = self.order.front()
            && (*forgotten <= now || self.order.len() >= GHOSTS)
            && let Some((forgotten, id)) = self.order.pop_front()
        {
            if self.forgotten.get(&id) == Some(&forgotten) {
                self.forgotten.remove(&id);
            }
        }
        let forgotten = now + GHOST_TIME;
        self.order.push_back((forgotten, id.clone()));
        self.forgotten.insert(id, forgotten);
    }

    /// Forgets this client. Returns whether it is back in time and has to be told.
    pub(super) fn recall(&mut self, id: &ClientId, now: Instant) -> bool {
        self.forgotten.remove(id).is_some_and(|forgotten| now < forgotten)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_limit_the_oldest_is_forgotten() {
        let now = Instant::now();
        let mut ghosts = Ghosts::default();
        let name = |number: usize| -> ClientId { number.to_string().parse().unwrap() };

        for number in 0..=GHOSTS {
            ghosts.remember(name(number), now);
        }

        assert!(!ghosts.recall(&name(0), now));
        assert!(ghosts.recall(&name(1), now));
        assert!(ghosts.recall(&name(GHOSTS), now));
    }

    #[test]
    fn a_client_that_leaves_again_and_again_takes_no_more_room() {
        let now = Instant::now();
        let mut ghosts = Ghosts::default();
        let name: ClientId = "a".parse().unwrap();

        for _ in 0..3 * GHOSTS {
            ghosts.remember(name.clone(), now);
            assert!(ghosts.recall(&name, now));
        }

        assert!(ghosts.order.len() <= GHOSTS);
        assert!(ghosts.forgotten.is_empty());
    }

    #[test]
    fn after_ten_minutes_it_is_forgotten() {
        let now = Instant::now();
        let mut ghosts = Ghosts::default();
        let name: ClientId = "a".parse().unwrap();
        ghosts.remember(name.clone(), now);

        assert!(!ghosts.recall(&name, now + GHOST_TIME));
    }
}
