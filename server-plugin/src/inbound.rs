//! Messages of clients: handlers of their events, their rates, and the remains of refused packets.

pub(crate) mod answers;
pub(crate) mod dispatch;
mod pace;
pub(crate) mod salvage;
pub(crate) mod throttle;

/// The event that takes the place of one that is too long to be read. Its arguments are the name of that
/// event and the bytes of its message. A client that sends it only has itself refused.
pub(crate) const TOO_LARGE: &str = "P2P_TOO_LARGE";
