//! The choice of the main channel among those that a partner opens.
//!
//! A partner that runs this library opens one, and further ones after that. Others may open several at once, which
//! webrtc reports in any order. The main channel is the one that has the configured label, or without a label the ordered
//! one with the lowest number: most stacks number their channels as they make them. A channel without order is the
//! main one only if no other comes in time.

use std::time::Duration;

use socketio_p2p_protocol::limits::CHANNELS;
use tokio::time::Instant;

use super::super::peer_connection::OpenedChannel;

/// Time for which a better channel is waited for.
const WAIT: Duration = Duration::from_millis(200);

/// Channels that came before one was chosen.
#[derive(Default)]
pub(super) struct CandidatesForMain {
    label: Option<String>,
    channels: Vec<OpenedChannel>,
    /// Time at which the best one is chosen.
    pub(super) chosen_at: Option<Instant>,
}

/// The rank of a channel: the least is the best.
type Rank = (bool, usize);

fn rank(is_ordered: bool, number: usize) -> Rank {
    (!is_ordered, number)
}

/// Returns whether no other channel of a partner can be better: its numbers are all even or all odd.
fn is_best(rank: Rank) -> bool {
    rank <= (false, 1)
}

impl CandidatesForMain {
    /// Waits for the channel with this label, or for the best one.
    pub(super) fn new(label: Option<String>) -> Self {
        Self { label, ..Self::default() }
    }

    pub(super) fn push(&mut self, opened: OpenedChannel) {
        if self.label.is_none() {
            self.chosen_at.get_or_insert_with(|| Instant::now() + WAIT);
        }
        self.channels.push(opened);
    }

    /// Returns whether waiting changes nothing, or too many channels wait.
    pub(super) fn is_certain(&self) -> bool {
        self.channels.len() >= CHANNELS
            || self.channels.iter().any(|opened| match &self.label {
                Some(label) => opened.terms.label == *label,
                None => is_best(opened.rank()),
            })
    }

    /// Returns the best channel, and the others by their numbers.
    pub(super) fn choose(&mut self) -> Option<(OpenedChannel, Vec<OpenedChannel>)> {
        let Self { label, mut channels, .. } = std::mem::take(self);
        channels.sort_by_key(|opened| opened.channel.id());
        let best = (0..channels.len()).min_by_key(|&index| {
            let terms = &channels[index].terms;
            (label.as_ref().is_some_and(|label| terms.label != *label), channels[index].rank())
        })?;
        Some((channels.remove(best), channels))
    }
}

impl OpenedChannel {
    fn rank(&self) -> Rank {
        rank(self.terms.is_ordered, self.channel.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_ordered_channel_is_the_best() {
        let ranks = [rank(false, 0), rank(true, 6), rank(true, 4), rank(false, 2)];

        assert_eq!(ranks.iter().min(), Some(&rank(true, 4)));
        assert!(!ranks.iter().any(|&rank| is_best(rank)), "an ordered 2 may come");
        assert!(is_best(rank(true, 0)) && is_best(rank(true, 1)) && !is_best(rank(true, 2)));
    }
}
