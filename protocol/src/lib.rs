#![doc = include_str!("../PROTOCOL.md")]
//!
//! # Names
//!
//! Each state machine has an `Input` and an `Output` of its own, in its module.
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod args;
pub mod broker;
pub mod client;
mod error;
mod ice;
mod id;
pub mod limits;
pub mod peer;
#[cfg(feature = "planted-faults")]
#[doc(hidden)]
pub mod planted;
#[cfg(not(feature = "planted-faults"))]
#[allow(dead_code, unreachable_pub, reason = "public for the simulation's tests of itself only")]
mod planted;
pub mod relay;
mod room;
mod secret;
#[cfg(feature = "sim")]
pub mod sim;
pub mod text;
pub mod wire;

pub use args::Args;
pub use broker::{
    Broker, BrokerConfig, BrokerEvent, BrokerStats, DuplicatePolicy, Hello, ListPolicy, Partner,
};
pub use client::{Client, ClientConfig, ClientEvent, ConnectFailure};
pub use error::{Cause, Code, EndReason, Outcome, Refusal};
pub use ice::{CandidatePlaces, HostAddress, IceFault, IceScheme, IceServer, IceUrl, IceWarning};
pub use id::{
    ClientId, ClientIdError, ConnId, Dialect, PairingId, PairingIdError, ResumeToken,
    ResumeTokenError,
};
pub use peer::{
    LinkId, PathConfig, PathPolicy, Peer,
    session::{self, Session},
};
pub use room::{RoomName, RoomNameError};
pub use secret::Secret;
pub use wire::{
    ClientEntry, ClientMessage, ClientState, EndedPairing, PairingInfo, Presence, ReqId, RoomState,
    ServerMessage, TargetState, Welcome,
    frame::{self, Body, Frame, FrameError},
    signal::{self, Candidate, Sdp, Signal, SignalError, Step, WhyAnew},
};

/// A path between paired clients.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Path {
    /// Through the server.
    Relay,
    /// Over a data channel between the two.
    Direct,
}

impl std::fmt::Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Relay => "relay",
            Self::Direct => "direct",
        })
    }
}
