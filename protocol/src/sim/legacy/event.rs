//! The moments of a v1 client.

use crate::{
    ConnId, PairingId, ReqId,
    sim::{client::Handled, oracle::ClientNo},
};

/// A moment of a v1 client.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum LegacyEvent {
    Connect,
    Act,
    Finish(Handled),
    /// Its page has decided on a question of this connection.
    Decide(ConnId, LegacyQuestion),
    /// It sends its registration again, if that still waits.
    Repeat(ConnId, ClientNo),
    /// It takes its registration back, if that still waits.
    TakeBack(ConnId, ClientNo),
    /// It sends an answer again, unless it was acknowledged.
    Resend(ConnId, bool, u64),
    /// It confirms the end of its pairing.
    Release(ConnId, PairingId),
}

/// A question of the server.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct LegacyQuestion {
    pub(super) req: ReqId,
    pub(super) source: ClientNo,
}
