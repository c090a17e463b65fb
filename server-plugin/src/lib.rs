#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod ack;
mod admission;
mod bridge;
mod builder;
mod connection;
mod events;
mod guest;
mod handlers;
mod keeper;
mod legacy;
mod listener;
mod relay;
mod server;
mod socket;

pub use admission::Handshake;
pub use builder::P2pServerBuilder;
pub use events::{Events, EventsError};
pub use listener::{QuickAckListener, QuickAckStream};
pub use server::P2pServer;
pub use socketio_p2p_protocol::{
    BrokerEvent as Event, BrokerStats as Stats, ClientEntry, ClientId, ClientState, Code,
    DuplicatePolicy, EndReason, ListPolicy, PairingId,
};
