#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(not(test), warn(clippy::unwrap_used))]
// The front page names items of features.
#![cfg_attr(not(feature = "axum"), allow(rustdoc::broken_intra_doc_links))]

mod ack;
mod admission;
mod bridge;
mod builder;
mod connection;
mod counters;
mod events;
mod guest;
mod handlers;
mod keeper;
mod legacy;
mod limits;
mod listener;
mod meter;
mod peek;
mod queue;
mod relay;
mod requests;
mod server;
mod slot;
mod socket;
mod sync;
mod throttle;

pub use admission::Handshake;
pub use builder::P2pServerBuilder;
pub use counters::{Counters, Stats};
pub use events::{Events, EventsError};
pub use limits::{Rate, ServerLimits};
pub use listener::{QuickAckListener, QuickAckStream};
#[cfg(feature = "axum")]
pub use meter::MeteredListener;
pub use meter::MeteredStream;
pub use server::P2pServer;
pub use socketio_p2p_protocol::{
    BrokerEvent as Event, ClientEntry, ClientId, ClientState, Code, DuplicatePolicy, EndReason,
    ListPolicy, PairingId,
};
