//! The bodies of the fuzz targets: each module has a `run` that panics if a rule is
//! broken.
//!
//! No more than the protocol's own dependencies and `arbitrary` are used here, so that an ordinary
//! test on a stable toolchain includes this file and runs the same code over the corpus.

pub mod broker;
pub mod client_message;
pub mod frame;
pub mod pieces;
pub mod resume_token;
pub mod server_message;
pub mod session;
mod text;
