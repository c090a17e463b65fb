//! A client's own end of connections to its partner: carries out what the endpoint says about them,
//! and reports what happens on them.

#[cfg(feature = "webrtc")]
mod network;
#[cfg(feature = "webrtc")]
mod webrtc;
#[cfg(feature = "webrtc")]
pub(crate) use webrtc::{Links, Opened};

#[cfg(not(feature = "webrtc"))]
mod none;
#[cfg(not(feature = "webrtc"))]
pub(crate) use none::Links;
