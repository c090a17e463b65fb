//! Everything that travels: the names of events, control messages, frames, signals, heartbeats, and
//! the payloads of v1. The only folder with strings of the wire.

mod control;
pub mod frame;
mod heartbeat;
mod names;
mod shape;
pub mod signal;
mod v1;

use serde::de::DeserializeOwned;
use serde_json::Value;

pub use self::{
    control::{
        ClientEntry, ClientMessage, ClientState, EndedPairing, PairingInfo, Presence, ReqId,
        ServerMessage, Welcome, client_message, server_message, target,
    },
    heartbeat::{DirectMessage, Heartbeat, HeartbeatKind},
    names::*,
    shape::{Shape, depth},
    v1::{v1_answer, v1_error, v1_failed},
};
use crate::{Code, Refusal};

/// A message as a Socket.IO event: its name and its arguments.
pub type Event = (&'static str, Vec<Value>);

/// Why an event is no message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WireError {
    /// What to answer.
    pub refusal: Refusal,
    /// The number of the request, if one could be read.
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

/// Reads an object. Serde would take an array for the fields in their order as well.
fn object<T: DeserializeOwned>(value: Value) -> Result<T, WireError> {
    if !value.is_object() {
        return Err(bad_args("an argument is not an object"));
    }
    serde_json::from_value(value).map_err(|error| bad_args(&error.to_string()))
}
