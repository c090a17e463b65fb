#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(not(test), warn(clippy::unwrap_used))]
// The front page names items of features.
#![cfg_attr(not(feature = "axum"), allow(rustdoc::broken_intra_doc_links))]

mod attach;
mod connection;
mod inbound;
mod limits;
mod observe;
mod outbound;
mod relay;
mod server;
mod step;
mod sync;
mod tasks;
mod v1;

pub use self::{
    attach::{builder::P2pServerBuilder, identity::Handshake},
    limits::{Rate, ServerLimits},
    observe::{
        counters::{Counters, Stats},
        events::{Events, EventsError, Lagged},
        peer_addr::PeerAddr,
    },
    outbound::{
        listener::{QuickAckListener, QuickAckStream},
        meter::MeteredStream,
    },
    server::P2pServer,
};
#[cfg(feature = "axum")]
pub use outbound::listener::MeteredListener;
pub use socketio_p2p_protocol::{
    BrokerEvent as Event, ClientEntry, ClientId, ClientState, Code, DuplicatePolicy, EndReason,
    ListPolicy, PairingId, RoomName, RoomNameError, wire::Label,
};
// Its types appear in the API.
pub use socketioxide;
