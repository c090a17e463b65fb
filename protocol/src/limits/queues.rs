//! What may wait in the server for one client.

#[cfg(doc)]
use super::SERVER_PING_TIMEOUT;

/// Bytes that may wait in the server for one client before its partner is refused with `congested`, or,
/// if it speaks v1, is not read any further: a window and its acknowledgements on a slow network.
pub const QUEUE_SOFT_BYTES: usize = 256 * 1024;

/// The same for the events of a v1 client's partner, which the server keeps meanwhile. They stand before its ping:
/// with what waits in the network they must not take longer than [`SERVER_PING_TIMEOUT`] on a slow one.
pub const V1_QUEUE_BYTES: usize = QUEUE_SOFT_BYTES / 2;

/// Bytes that the system may hold of a connection and has not sent. Without a limit it takes megabytes, and a ping
/// stands behind them. What is under way is not counted, so no network is slower for it.
pub const UNSENT_BYTES: usize = 64 * 1024;

/// Bytes that may wait in the server for one client at all. Beyond them the client does not read, and it
/// is disconnected: messages that it must receive do not reach it any more.
pub const QUEUE_HARD_BYTES: usize = 1024 * 1024;

/// Bytes per second that a client is assumed to read where the server cannot count them: a client whose
/// connections came over another kind of listener.
pub const UNMETERED_RATE: usize = 1024 * 1024;
