//! What the server holds of the emits of a v1 client.

use std::time::Duration;

use super::{CONNECTION_MESSAGE_BYTES, V1_CALL_TIMEOUT};
#[cfg(doc)]
use super::{V1_WINDOW_BYTES, WINDOW_BYTES};

/// Bytes of memory that the server holds of the emits of a v1 client while its partner's window is full. With more it
/// stops reading from the client, as long as more than half of them are left. With several megabytes a client, a few
/// clients would fill the memory: so this and [`V1_WINDOW_BYTES`] are smaller than [`WINDOW_BYTES`], which a v2 client
/// holds itself.
pub const BACKLOG_BYTES: usize = 128 * 1024;

/// The same while the client owes answers to its partner, which stand behind its emits and may be what its partner
/// waits for: two clients that call each other in one loop, or a handler that calls back. Several thousand calls fit.
pub const BACKLOG_OWING_BYTES: usize = 2 * 1024 * 1024;

/// Bytes of memory that an emit takes in that backlog beside its text: its place in a queue that grows by doubling, and
/// its allocations.
pub const BACKLOG_EMIT_BYTES: usize = 192;

/// Emits in that backlog beyond which emits are refused: what is read already when the server stops reading
/// adds to those that fit into [`BACKLOG_OWING_BYTES`] at most.
pub const BACKLOG_EMITS_MAX: usize = 32 * 1024;

/// Bytes of texts in that backlog beyond which emits are refused: [`BACKLOG_OWING_BYTES`] and a message on the
/// connection, which may be read already.
pub const BACKLOG_BYTES_MAX: usize = BACKLOG_OWING_BYTES + CONNECTION_MESSAGE_BYTES;

/// Longest time for which the `P2P_UNREGISTER` of a v1 client waits until its partner has what the client emitted:
/// as long as for an answer. The client does not say how long it would wait.
pub const V1_LEAVE_TIME: Duration = V1_CALL_TIMEOUT;

/// Requests of a v1 client that are held while its `P2P_UNREGISTER` waits. With more of them it does not wait any
/// longer. A client that awaits the answer has no other request under way.
pub const HELD_REQUESTS: usize = 64;
