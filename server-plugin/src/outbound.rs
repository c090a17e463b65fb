//! Messages to clients: sockets, queues, and the streams below them.

mod ack_args;
pub(crate) mod arguments;
mod deadlines;
mod http_head;
pub(crate) mod listener;
pub(crate) mod meter;
#[cfg(test)]
pub(crate) mod mock;
pub(crate) mod queue;
pub(crate) mod socket;
mod streams;
