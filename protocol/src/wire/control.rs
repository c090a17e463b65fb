//! Control messages, in the order of PROTOCOL.md.

mod client;
mod server;
mod welcome;

pub use self::{
    client::{ClientMessage, client_message, target},
    server::{ServerMessage, server_message},
    welcome::{ClientEntry, ClientState, EndedPairing, PairingInfo, Presence, Welcome},
};

/// A number that a requester chose, unique on its connection. Its answer carries it.
///
/// For a v1 client it is the id of the native acknowledgement.
pub type ReqId = u64;
