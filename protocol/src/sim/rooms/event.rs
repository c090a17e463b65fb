//! What happens in a room, and what is on its way.

use crate::{
    ClientMessage, ConnId, Frame, LinkId, PairingId, ServerMessage, Signal, peer::LinkEvent,
    sim::oracle::CallNo,
};

/// The most members of the room, and one client that is too many.
pub(super) const MEMBERS: usize = 10;
pub(super) const CLIENTS: usize = MEMBERS + 1;

/// A message on its way to the server.
#[derive(Clone, Debug)]
pub(super) enum ToServer {
    Message(ClientMessage),
    Frames(PairingId, Vec<Frame>),
    Signal(PairingId, Signal),
}

/// A message on its way to a client.
#[derive(Clone, Debug)]
pub(super) enum ToClient {
    Message(ServerMessage),
    Frames(PairingId, Vec<Frame>),
    Signal(PairingId, Signal),
}

#[derive(Clone, Debug)]
pub(super) enum RoomEvent {
    /// A client makes its connection, in the life in which this was planned.
    Connect(usize, u32),
    Up(ConnId, ToServer),
    Down(ConnId, ToClient),
    /// The server notices that a connection is gone.
    Gone(ConnId),
    /// A client notices that its connection is gone.
    Lost(ConnId),
    /// The deadlines of a client and of the server.
    Alarm(usize),
    ServerAlarm,
    /// The application of a client does something.
    Act(usize),
    /// A handler of a client returns.
    Finish(usize, PairingId, u64, Option<CallNo>),
    Reported(usize, LinkId, LinkEvent),
    Fault,
}
