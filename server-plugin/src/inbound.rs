//! Messages of clients: handlers of their events, their rates, and the remains of refused packets.

pub(crate) mod dispatch;
mod pace;
mod salvage;
pub(crate) mod throttle;
