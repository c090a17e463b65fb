//! The events of a world, each at its moment.

use crate::{
    ConnId, LinkId, PairingId,
    sim::{
        client::{Asked, Handled},
        legacy::event::LegacyEvent,
    },
};

/// An event at a moment.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Event {
    ArriveUp(ConnId),
    ArriveDown(ConnId),
    /// The server notices that a connection is gone.
    ServerLoses(ConnId),
    /// The client notices it.
    ClientLoses(ConnId),
    Connect(usize),
    /// The host announces a connection to the broker.
    Announce(ConnId),
    /// An event of a link reaches its owner.
    Link(usize, LinkId),
    /// Something passes again between two clients.
    Join(usize, usize),
    /// An application does something.
    Act(usize),
    /// An application has decided on a request of this source.
    Consent(usize, Asked, bool),
    /// A handler is done.
    Finish(usize, Handled),
    Alarm(usize),
    ServerAlarm,
    Fault,
    /// A hostile client acts.
    Hostile(usize),
    Legacy(usize, LegacyEvent),
    /// A v1 client whose queue was full reads on.
    Reads(ConnId),
    /// The arbiter of pairings says yes or no.
    Granted(PairingId, bool),
}
