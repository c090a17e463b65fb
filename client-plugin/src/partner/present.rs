//! The present connection of a link to a partner.

use std::collections::VecDeque;

use socketio_p2p_protocol::{
    Signal, Step,
    peer::{LinkEvent, LinkId},
};

use crate::direct::{DirectConnection, DirectEvent, DirectEvents, Moved};

/// The present connection.
pub(super) struct Present {
    pub(super) id: LinkId,
    /// True if it is one of a room.
    pub(super) is_in_room: bool,
    /// Numbers of the attempts whose descriptions are being made, in their order.
    pub(super) attempts: VecDeque<u64>,
    pub(super) connection: DirectConnection,
    pub(super) events: DirectEvents,
    /// Messages over raw channels at the last report.
    pub(super) moved: Moved,
}

impl Present {
    pub(super) fn new(
        id: LinkId,
        attempt: u64,
        (connection, events): (DirectConnection, DirectEvents),
        is_in_room: bool,
    ) -> Self {
        let (attempts, moved) = (VecDeque::from([attempt]), Moved::default());
        Self { id, is_in_room, attempts, connection, events, moved }
    }

    /// Turns a signal of this side into an event of the link, or `None` if the partner has no use for it.
    pub(super) fn signalled(&mut self, signal: Signal) -> Option<LinkEvent> {
        match signal.step {
            Step::Offer(sdp) | Step::Answer(sdp) => {
                Some(LinkEvent::Described(self.attempts.pop_front()?, sdp))
            }
            Step::Candidate(candidate) => Some(LinkEvent::Gathered(candidate)),
            _ => None,
        }
    }
}

/// What the present connection has to report.
pub(super) enum Happening {
    Event(DirectEvent),
    /// Messages over raw channels, after a while without.
    Traffic,
}

pub(super) async fn next_happening(present: &mut Present) -> Happening {
    let Present { events, connection, .. } = present;
    let traffic = async {
        match connection.traffic() {
            Some(traffic) => traffic.wait().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        Some(event) = events.recv() => Happening::Event(event),
        () = traffic => Happening::Traffic,
        else => std::future::pending().await,
    }
}
