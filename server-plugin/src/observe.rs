//! The observable state of the plugin for an application.

pub(crate) mod counters;
pub(crate) mod events;
mod limited;
mod logged;
pub(crate) mod peer_addr;

pub(crate) use self::{limited::Limited, logged::logged};
