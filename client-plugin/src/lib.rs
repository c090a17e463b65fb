#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod actor;
mod api;
#[cfg(feature = "webrtc")]
pub mod direct;
mod partner;
mod server;
mod sync;

pub use actor::rooms::MeshMember;
pub use api::{
    args::ArgsError,
    builder::P2pBuilder,
    builder_ext::P2pBuilderExt,
    client::{P2pClient, WeakP2pClient},
    counters::Counters,
    emit2::Emit2,
    error::{ConnectError, EmitError, RegisterError, RequestError, WatchError},
    events::{Events, EventsError, Lagged},
    ext::P2pClientExt,
    handler_error::HandlerError,
    handler_output::{EncodedResult, HandlerOutput},
    incoming::{Consent, Incoming, PairingRequest},
    mesh::{
        Broadcast2, JoinError, JoinMesh, LeaveMesh, MemberReply, Mesh, MeshEvents, MeshOptions,
        RequestMany,
    },
    reply::Reply,
    server_requests::{Clients, Register, Unregister},
    target_watch::{TargetWatch, WatchTarget},
};
pub use socketio_p2p_protocol::{
    Args, Cause, ClientEntry, ClientEvent as Event, ClientId, ClientIdError, ClientState, Code,
    ConnectFailure, EndReason, IceFault, IceWarning, PairingId, PairingInfo, Path, PathConfig,
    PathPolicy, Presence, Refusal, RoomName, RoomNameError, RoomState, Secret, TargetState,
    Welcome, wire::Label,
};
// Their types appear in the API.
pub use {bytes, rust_socketio, serde_json};

// rust_socketio uses it; this dependency makes it be built from source.
#[cfg(feature = "vendored-openssl")]
use openssl as _;
