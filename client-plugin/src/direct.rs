//! The WebRTC data channel between two clients: how it is opened, used and closed.
//!
//! It knows nothing of pairings and sessions: a [`P2pClient`](crate::P2pClient) makes one for its
//! pairing by itself, and it can be used alone. Whoever owns a [`DirectConnection`] carries its
//! signals to the partner and back, and decides what travels over it.
//!
//! ```text
//! offerer                                     answerer
//! DirectConnection::offer                     DirectConnection::answer
//!   Signal(offer)      ── carried by the owner ──▶  signal(offer)
//!   signal(answer)     ◀──                          Signal(answer), then candidates
//!   Signal(candidate)  ◀─▶                          signal(candidate)
//!   Open                 the main channel           Open
//!   Message              both ways, and raw channels Message
//!   Closed               exactly once, the last     Closed
//! ```
//!
//! | file | subject |
//! |---|---|
//! | `config` | servers, addresses, timers, limits |
//! | `connection` | the handle and its events |
//! | `owner` | the one task of a connection |
//! | `running` | what that does with a connection that has been built |
//! | `opener` | how a raw channel is opened |
//! | `channel` | one data channel: messages, backpressure |
//! | `message` | what travels over it, what it promises |
//! | `link` | what the channels of a connection share |
//! | `inbox` | what waits to be read of a raw channel, and what may be sent over it |
//! | `pump` | what carries it there |
//! | `stream` | a channel as `AsyncRead + AsyncWrite` |
//! | `window` | how many bytes may be in flight |
//! | `signal` | simple-peer's JSON, and what is refused of it |
//! | `stack` | what is asked of webrtc 0.21, and its peculiarities |
//! | `runtime` | Tokio as its driver sees it |
//! | `faults` | UDP that loses and delays, with the feature `udp-faults` |
//! | `error` | what can go wrong |

mod channel;
mod config;
mod connection;
mod error;
#[cfg(feature = "udp-faults")]
mod faults;
mod inbox;
mod link;
mod message;
mod opener;
mod owner;
mod pump;
mod running;
mod runtime;
mod signal;
mod stack;
mod stream;
mod window;

pub use channel::DirectChannel;
pub use config::{DirectConfig, IceServer};
pub use connection::{DirectConnection, DirectEvent, DirectEvents};
pub use error::{ChannelEnd, ChannelError, DirectEnd, DirectSendError, SignalError};
#[cfg(feature = "udp-faults")]
pub use faults::{Fate, UdpFaults, UdpWay};
pub use message::{ChannelMessage, ChannelOptions};
pub use stream::ChannelStream;
