//! The kinds of faults of a recorded run.

use fastrand::Rng;

/// A fault.
#[derive(Clone, Copy, Debug)]
pub(super) enum PeerFault {
    /// Nothing gets through on the direct link for a while.
    Silent,
    /// Nothing gets through until the link is restarted.
    Moved,
    /// The link fails at both peers.
    Failed,
    /// A peer loses its connection to the server, and resumes its session.
    Lost(usize),
    /// The server is restarted, and knows the pairing no more.
    Forgotten,
    /// A peer's application, or its driver, finds that the machine has other addresses.
    NetworkChanged(usize),
    AddressesChanged(usize),
    /// A peer sends a message of another version, or one that cannot be read.
    Future(usize),
    Unreadable(usize),
}

impl PeerFault {
    pub(super) fn all(rng: &mut Rng) -> Vec<Self> {
        let end = rng.usize(..2);
        let mut faults = vec![
            Self::Silent,
            Self::Moved,
            Self::Moved,
            Self::Failed,
            Self::Lost(end),
            Self::Forgotten,
            Self::NetworkChanged(1 - end),
            Self::AddressesChanged(end),
            Self::Future(0),
            Self::Future(1),
            Self::Unreadable(end),
        ];
        rng.shuffle(&mut faults);
        faults
    }
}
