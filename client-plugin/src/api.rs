//! The public items of this crate.

pub(crate) mod args;
pub(crate) mod builder;
pub(crate) mod client;
pub(crate) mod emit2;
pub(crate) mod error;
pub(crate) mod events;
pub(crate) mod ext;
pub(crate) mod incoming;
pub(crate) mod server_requests;
