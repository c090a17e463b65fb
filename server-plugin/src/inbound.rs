//! Messages of clients: handlers of their events, their rates, and the remains of refused packets.

pub(crate) mod answers;
pub(crate) mod awaited;
pub(crate) mod dispatch;
pub(crate) mod held;
mod pace;
pub(crate) mod throttle;
