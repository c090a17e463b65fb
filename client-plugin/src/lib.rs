#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod actor;
mod alarm;
mod args;
mod builder;
mod client;
mod connector;
#[cfg(feature = "webrtc")]
pub mod direct;
mod emit2;
mod error;
mod events;
mod ext;
mod handlers;
mod incoming;
mod links;
mod requests;
mod socket;
mod start;
mod sync;
mod ticket;

pub use args::ArgsError;
pub use builder::{P2pBuilder, P2pBuilderExt};
pub use client::P2pClient;
pub use emit2::{Emit2, Emit2Reply, Emit2WithoutAck};
pub use error::{ConnectError, EmitError, HandlerError, RegisterError, RequestError};
pub use events::{Events, EventsError};
pub use ext::P2pClientExt;
pub use incoming::{Consent, Incoming, PairingRequest, Reply};
pub use requests::{Clients, Register, Unregister};
pub use socketio_p2p_protocol::{
    Args, Cause, ClientEntry, ClientId, ClientIdError, ClientState, Code, EndReason,
    EndpointEvent as Event, PairingId, PairingInfo, Path, PathConfig, PathPolicy, Presence,
    Refusal, Welcome,
};
// Only to have it built from source; rust_socketio uses it.
#[cfg(feature = "vendored-openssl")]
use openssl as _;
