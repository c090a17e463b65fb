//! The connection to the partner: carries out the client's commands for it, and reports its events.

#[cfg(feature = "webrtc")]
mod address_watch;
#[cfg(feature = "webrtc")]
mod driver;
#[cfg(feature = "webrtc")]
mod links;
#[cfg(feature = "webrtc")]
mod present;
#[cfg(all(feature = "webrtc", target_os = "linux"))]
mod route_watch;
#[cfg(feature = "webrtc")]
pub(crate) use driver::PartnerLink;

#[cfg(not(feature = "webrtc"))]
mod relay_only;
#[cfg(not(feature = "webrtc"))]
pub(crate) use relay_only::PartnerLink;
