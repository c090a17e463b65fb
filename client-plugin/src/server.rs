//! The connection to the server, by rust_socketio.
//!
//! | file | subject |
//! |---|---|
//! | `server_link` | the present connection and its replacement, for the actor |
//! | `connector` | making connections, the first and all later ones |
//! | `auth` | what is shown on connecting, from the application and from the plugin |
//! | `reach` | the addresses of a server's name, raced |
//! | `proxy` | HTTP proxies |
//! | `bridge` | what rust_socketio connects to where it cannot make the connection itself |
//! | `socket` | the seam to rust_socketio, and its peculiarities |
//! | `from_server` | rust_socketio's callbacks as inputs of the client |

pub(crate) mod auth;
mod bridge;
pub(crate) mod connector;
pub(crate) mod from_server;
pub(crate) mod proxy;
mod reach;
pub(crate) mod server_link;
pub(crate) mod socket;
