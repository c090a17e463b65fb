//! The connection to the server, by rust_socketio.
//!
//! | file | subject |
//! |---|---|
//! | `server_link` | the present connection and its replacement, for the actor |
//! | `connector` | making connections, the first and all later ones |
//! | `auth` | what is shown on connecting, from the application and from the plugin |
//! | `socket` | the seam to rust_socketio, and its peculiarities |
//! | `from_server` | rust_socketio's callbacks as inputs of the client |

pub(crate) mod auth;
pub(crate) mod connector;
pub(crate) mod from_server;
pub(crate) mod server_link;
pub(crate) mod socket;
