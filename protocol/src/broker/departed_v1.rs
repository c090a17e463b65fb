//! V1 clients that left while paired and do not know that their pairing ended.

use std::{
    collections::{BTreeMap, VecDeque},
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

    /// Forgets a client that is back. Returns whether it has to be told.
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
        let mut departed = DepartedV1::default();
        let name = |number: usize| -> ClientId { number.to_string().parse().unwrap() };

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
        let mut departed = DepartedV1::default();
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
        let mut departed = DepartedV1::default();
        let name: ClientId = "a".parse().unwrap();
        departed.remember(name.clone(), now);

        assert!(!departed.recall(&name, now + DEPARTED_V1_TIME));
    }
}
