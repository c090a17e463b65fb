//! The connection to the server, by rust_socketio.

pub(crate) mod connector;
pub(crate) mod socket;
