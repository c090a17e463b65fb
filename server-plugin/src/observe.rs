//! What an application can see of the plugin.

pub(crate) mod counters;
pub(crate) mod events;
