//! The public API: everything in here is re-exported at the root of the crate.
//!
//! | file | subject |
//! |---|---|
//! | `builder_ext`, `builder` | settings of a client, and connecting it |
//! | `client` | the handle on a client |
//! | `ext` | the operations of a paired client |
//! | `emit2`, `reply` | an event for the partner, and its reply |
//! | `server_requests` | requests to the server: registering, unregistering, listing |
//! | `target_watch` | watching whether a target can be asked |
//! | `mesh`, `mesh/` | a room whose members are all connected to each other |
//! | `incoming` | events and pairing requests from other clients |
//! | `handlers` | the application's handlers |
//! | `events` | the changes of a client's connection and pairing |
//! | `counters` | counters of what a client has ignored |
//! | `args`, `args/` | Rust values as arguments of an event, and back |
//! | `error`, `handler_error` | one error type for each operation; the error of a handler |
//! | `handler_output` | the results that a handler may return |

pub(crate) mod args;
pub(crate) mod builder;
pub(crate) mod builder_ext;
pub(crate) mod client;
pub(crate) mod counters;
pub(crate) mod emit2;
pub(crate) mod error;
pub(crate) mod events;
pub(crate) mod ext;
pub(crate) mod handler_error;
pub(crate) mod handler_output;
pub(crate) mod handlers;
pub(crate) mod incoming;
pub(crate) mod mesh;
pub(crate) mod reply;
pub(crate) mod server_requests;
pub(crate) mod target_watch;
