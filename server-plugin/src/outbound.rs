//! Messages to clients: sockets, queues, and the streams below them.

mod ack_args;
pub(crate) mod arguments;
mod deadlines;
mod frames;
pub(crate) mod gate;
pub(crate) mod host_socket;
mod http_body;
mod http_head;
mod key;
mod late;
pub(crate) mod listener;
mod log;
mod lull;
pub(crate) mod meter;
#[cfg(test)]
pub(crate) mod mock;
mod opening;
pub(crate) mod outflow;
pub(crate) mod oversize;
mod pause;
mod polling;
mod polling_session;
mod question;
pub(crate) mod queue;
mod responses;
mod silence;
pub(crate) mod socket;
mod strangers;
pub(crate) mod stream_handle;
pub(crate) mod streams;
