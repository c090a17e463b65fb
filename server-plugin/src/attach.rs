//! The attachment of the plugin to an application: its settings, its connect handler, and the
//! identity of a connection.

pub(crate) mod builder;
pub(crate) mod identity;
mod newcomer;
mod wrap;
