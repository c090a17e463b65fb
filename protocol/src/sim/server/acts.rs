//! The acts of the server.

use serde_json::Value;

use crate::{
    ConnId, Frame, Outcome, PairingId, ServerMessage, session::Delivery, sim::oracle::CallNo,
};

/// An act of the server.
#[derive(Debug)]
pub(crate) enum Act {
    Tell(ConnId, ServerMessage),
    Relay(ConnId, PairingId, Vec<Frame>),
    Signal(ConnId, PairingId, Value),
    Close(ConnId),
    /// Frames for the v2 partner of a v1 client.
    Bridge(ConnId, PairingId, Frame),
    /// An event for a v1 client.
    Emit(ConnId, PairingId, Delivery),
    /// The outcome of its own event.
    Acknowledge(ConnId, CallNo, Outcome),
    /// The acknowledgement of a v1 client's answer by event.
    Hear(ConnId, u64),
    /// Ask the arbiter of pairings.
    Grant(PairingId),
}
