//! The observable state of the plugin for an application.

pub(crate) mod counters;
pub(crate) mod events;
mod logged;
pub(crate) mod peer_addr;

pub(crate) use self::logged::logged;
