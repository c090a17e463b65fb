//! Control messages, in the order of PROTOCOL.md.

mod client;
mod fields;
mod room_fields;
mod server;
mod welcome;

pub use self::{
    client::{ClientMessage, client_message, target},
    server::{ServerMessage, server_message},
    welcome::{
        ClientEntry, ClientState, EndedPairing, PairingInfo, Presence, RoomState, TargetState,
        Welcome,
    },
};

pub(crate) use self::client::is_number;

/// The number of a request. Its requester chooses it, unique on the connection, and the answer
/// repeats it.
///
/// For a v1 client it is the id of the native acknowledgement.
pub type ReqId = u64;
