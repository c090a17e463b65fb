//! The WebRTC data channel between two clients: how it is opened, used and closed.
//!
//! This module knows nothing of pairings and sessions. A [`P2pClient`](crate::P2pClient) makes a
//! [`DirectConnection`] for its pairing by itself, and an application can use one alone. The owner of a
//! connection carries its signals to the partner and back, and decides what is sent over it.
//!
//! ```text
//! offerer                                        answerer
//! DirectConnection::offer                        DirectConnection::answer
//!   Signal(offer)      ── carried by the owner ──▶  signal(offer)
//!   signal(answer)     ◀──                          Signal(answer), then candidates
//!   Signal(candidate)  ◀─▶                          signal(candidate)
//!   Open                 the main channel           Open
//!   Message              both ways, and raw channels Message
//!   Closed               exactly once, the last     Closed
//! ```

// The files, each of which uses those above it only:
//
// | file | subject |
// |---|---|
// | `ice_provider` | ICE servers that the application provides anew |
// | `server_names` | names of ICE servers, and their lookups |
// | `config`, `error`, `error_codes`, `message` | what an application sets, sees and sends |
// | `window` | bytes that may be in flight |
// | `driver_ticks` | passes of webrtc's driver |
// | `faults` | UDP that loses and delays, with the feature `udp-faults` |
// | `paced` | a socket that leaves what may close a channel to a pass of its own |
// | `runtime` | Tokio as the driver sees it |
// | `local_addresses` | this host's addresses that are bound |
// | `role` | offerer and answerer |
// | `signal` | what is used of the partner's signals |
// | `descriptions` | the partner's descriptions that are taken |
// | `peer_connection` | the parts of webrtc 0.21 that are used, and its peculiarities |
// | `tasks` | futures that the connection's task carries out for others |
// | `traffic` | numbers of messages over raw channels |
// | `channels` | what the channels of a connection share |
// | `delivery` | waiting for what was sent |
// | `remainder` | messages that are reported after the end of their channel |
// | `inbox`, `pump` | what came over a raw channel |
// | `sender` | the state of a channel's sender |
// | `channel`, `sending`, `stream` | one data channel: messages, and bytes |
// | `event`, `shared` | what the handle, the reader of events and the actor share |
// | `actor` | the one task of a connection |
// | `events`, `connection` | the reader of events, and the handle |

mod actor;
mod channel;
mod channels;
mod config;
mod connection;
mod delivery;
mod descriptions;
mod driver_ticks;
mod error;
mod error_codes;
mod event;
mod events;
#[cfg(feature = "udp-faults")]
mod faults;
mod ice_provider;
mod inbox;
mod local_addresses;
mod message;
mod paced;
mod peer_connection;
mod pump;
mod remainder;
mod role;
mod runtime;
mod sender;
mod sending;
mod server_names;
mod shared;
mod signal;
mod stream;
mod tasks;
mod traffic;
mod window;

pub use socketio_p2p_protocol::{IceFault, IceServer, IceWarning, Signal, SignalError, Step};

pub use channel::DirectChannel;
pub use config::DirectConfig;
pub use connection::DirectConnection;
pub use error::{ChannelEnd, ChannelError, DirectEnd, DirectSendError, DirectSignalError};
pub use event::DirectEvent;
pub use events::DirectEvents;
#[cfg(feature = "udp-faults")]
pub use faults::{Fate, UdpFaults, UdpWay};
pub use ice_provider::IceServers;
pub use message::{ChannelMessage, ChannelOptions};
pub use stream::ChannelStream;
pub(crate) use traffic::Moved;
pub(crate) use {ice_provider::IceProvider, server_names::Lookup};
