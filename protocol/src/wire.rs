//! The wire: names of events, the handshake, control messages, frames, signals, heartbeats and the
//! arguments of v1. No other folder holds a string of the wire.
//!
//! A code, a reason, a state or a kind that this version does not know is kept as its text, in the
//! variant `Other` of its enum. PROTOCOL.md, "Versions that differ", tells how each is treated.

mod control;
pub mod frame;
mod handshake;
mod heartbeat;
pub(crate) mod label;
mod names;
pub(crate) mod rate;
mod shape;
pub mod signal;
mod v1;

use serde::de::DeserializeOwned;
use serde_json::Value;

pub(crate) use self::{control::is_number, label::labels, v1::V1EmitFields};
pub use self::{
    control::{
        ClientEntry, ClientMessage, ClientState, EndedPairing, PairingInfo, Presence, ReqId,
        RoomState, ServerMessage, TargetState, Welcome, client_message, server_message, target,
    },
    handshake::{ConnectAuth, Versions},
    heartbeat::{DirectMessage, Heartbeat, HeartbeatKind},
    label::Label,
    names::*,
    shape::{Shape, depth},
    v1::{v1_answer, v1_error, v1_failed, v1_list, v1_register_error},
};
use crate::{Code, Refusal};

/// A message as a Socket.IO event: its name and its arguments.
pub type WireEvent = (&'static str, Vec<Value>);

/// The reason for which an event is not a message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WireError {
    /// The refusal with which to answer.
    pub refusal: Refusal,
    /// The number of the request, if it could be read.
    pub req: Option<ReqId>,
}

impl From<Code> for WireError {
    fn from(code: Code) -> Self {
        Self { refusal: code.into(), req: None }
    }
}

fn bad_args(message: &str) -> WireError {
    WireError { refusal: Refusal::new(Code::BadArgs, message), req: None }
}

/// Reads an object. Serde alone would also read an array as the fields in their order.
fn object<T: DeserializeOwned>(value: Value) -> Result<T, WireError> {
    if !value.is_object() {
        return Err(bad_args("an argument is not an object"));
    }
    serde_json::from_value(value).map_err(|error| bad_args(&error.to_string()))
}
